//! The models a peer holds ready for others.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::codec::Codec;
use crate::estimate::Told;
use crate::id::{Root, TaskId};
use crate::wire::control::MAX_HASHES;
use crate::wire::{BulkRequest, Manifest, Offer, Refusal, Request, Response};

/// Most forms of one model on the shelf. A network speaks one codec, perhaps two while it changes, each plain and in a
/// coat; whoever asks for ever new parameters of a codec is refused.
pub const MAX_FORMS: usize = 8;

/// An encoded model with its manifest, ready to be pulled.
#[derive(Debug, Clone)]
pub struct Publication {
    /// What it is offered as.
    pub offer: Offer,
    /// The hashes of its chunks.
    pub manifest: Manifest,
    /// The bytes; shared with the pulls under way, never copied.
    pub blob: Arc<Vec<u8>>,
    /// Whether the bytes have a coat that only those who ask for it can take off.
    pub packed: bool,
}

impl Publication {
    /// Cuts and hashes an encoded model.
    pub fn new(blob: Arc<Vec<u8>>, codec: Codec, age: u64, round: u64, samples: u32) -> Self {
        let manifest = Manifest::of(&blob);
        let offer = Offer { root: manifest.root(), bytes: manifest.bytes(), codec, age, round, samples };
        Self { offer, manifest, blob, packed: false }
    }
}

impl Publication {
    /// The hashes of the first chunks, as many as one answer holds.
    pub fn first_hashes(&self) -> Vec<crate::id::Hash> {
        page(&self.manifest, 0)
    }

    /// The bytes asked for on a stream; `None` for those of another model or out of its range.
    pub fn open(&self, request: &BulkRequest) -> Option<(Arc<Vec<u8>>, std::ops::Range<usize>)> {
        let chunk = crate::wire::CHUNK_BYTES;
        let start = (request.first as usize).checked_mul(chunk)?;
        let end = (request.first as usize).checked_add(request.count as usize)?.checked_mul(chunk)?;
        let is_within = request.root == self.offer.root && start < self.blob.len();
        is_within.then(|| (Arc::clone(&self.blob), start..end.min(self.blob.len())))
    }

    /// The same model in a coat, given its bytes.
    pub fn in_coat(&self, bytes: Vec<u8>) -> Self {
        let Offer { codec, age, round, samples, .. } = self.offer;
        Self { packed: true, ..Self::new(Arc::new(bytes), codec, age, round, samples) }
    }
}

/// The newest publications, newest first.
#[derive(Debug)]
pub struct Shelf {
    task: TaskId,
    kept: usize,
    /// Numbers about the network that go to whoever asks.
    told: Option<Told>,
    models: VecDeque<Forms>,
}

/// One model as it was published, and in the other forms it was asked for in. Most models have one form, which is why it is
/// not in the list.
#[derive(Debug)]
struct Forms {
    native: Publication,
    others: Vec<Publication>,
}

impl Forms {
    fn iter(&self) -> impl Iterator<Item = &Publication> {
        std::iter::once(&self.native).chain(&self.others)
    }
}

impl Shelf {
    /// An empty shelf that keeps the newest model and `kept` older ones, each in every codec it was asked for in.
    pub fn new(task: TaskId, kept: usize) -> Self {
        Self { task, kept, told: None, models: VecDeque::new() }
    }

    /// Tells these numbers to whoever asks for estimates from now on.
    pub fn tell(&mut self, told: Told) {
        self.told = Some(told);
    }

    /// Puts a publication in front; the oldest beyond the bound are let go.
    pub fn publish(&mut self, publication: Publication) {
        self.models.truncate(self.kept);
        self.models.push_front(Forms { native: publication, others: Vec::new() });
    }

    /// Adds the newest model in another codec or coat; one that is there already is left alone.
    pub fn add(&mut self, publication: Publication) {
        let form = |held: &Publication| (held.offer.codec, held.packed);
        if self.has_room()
            && let Some(newest) = self.models.front_mut()
            && newest.iter().all(|held| form(held) != form(&publication))
        {
            newest.others.push(publication);
        }
    }

    /// The newest model, as it was published.
    pub fn newest(&self) -> Option<&Publication> {
        self.models.front().map(|newest| &newest.native)
    }

    /// Whether the newest model may be made ready in one more form.
    pub fn has_room(&self) -> bool {
        self.models.front().is_some_and(|newest| newest.others.len() + 1 < MAX_FORMS)
    }

    /// The newest model in a codec, with or without a coat.
    pub fn newest_in(&self, codec: Codec, packed: bool) -> Option<&Publication> {
        self.models.front()?.iter().find(|held| held.offer.codec == codec && held.packed == packed)
    }

    /// Answers a question; one for mass like one for the model alone, [`super::Purse::answer`] adds the mass.
    pub fn answer(&self, request: &Request) -> Response {
        match request {
            Request::Newest { task, .. }
            | Request::Share { task, .. }
            | Request::Packed { task, .. }
            | Request::Estimates { task }
            | Request::Taken { task, .. }
            | Request::Meet { task, .. }
            | Request::Settle { task, .. }
                if *task != self.task =>
            {
                refuse(Refusal::OtherTask { ours: self.task }, 600_000)
            }
            Request::Newest { codec, .. } | Request::Share { codec, .. } => self.offer(self.newest_in(*codec, false)),
            // Where the coat does not pay there is none.
            Request::Packed { codec, .. } => {
                self.offer(self.newest_in(*codec, true).or_else(|| self.newest_in(*codec, false)))
            }
            &Request::Hashes { root, first } => match self.find(root) {
                None => refuse(Refusal::Gone, 0),
                Some(held) => Response::Hashes { root, first, hashes: page(&held.manifest, first as usize) },
            },
            Request::Estimates { .. } => match self.told.clone() {
                Some(Told { epoch, minima, spread }) => Response::Estimates { epoch, minima, spread },
                None => refuse(Refusal::NothingYet, 1_000),
            },
            // For whoever meets others.
            Request::Meet { .. } | Request::Settle { .. } => refuse(Refusal::NoMeeting, 600_000),
            // For whoever has mass.
            Request::Taken { .. } => refuse(Refusal::NoMass, 600_000),
            // For whoever knows peers, not models.
            Request::Shuffle { .. } => refuse(Refusal::NoView, 600_000),
        }
    }

    /// The bytes asked for on a stream; `None` when the model is gone or the range is not within it.
    pub fn open(&self, request: &BulkRequest) -> Option<(Arc<Vec<u8>>, std::ops::Range<usize>)> {
        self.find(request.root)?.open(request)
    }

    fn offer(&self, held: Option<&Publication>) -> Response {
        match held {
            Some(held) => Response::Offer { offer: held.offer, hashes: page(&held.manifest, 0) },
            None if self.models.is_empty() => refuse(Refusal::NothingYet, 1_000),
            None => refuse(Refusal::Codec, 600_000),
        }
    }

    fn find(&self, root: Root) -> Option<&Publication> {
        self.models.iter().flat_map(Forms::iter).find(|publication| publication.offer.root == root)
    }
}

fn page(manifest: &Manifest, first: usize) -> Vec<crate::id::Hash> {
    manifest.hashes().iter().skip(first).take(MAX_HASHES).copied().collect()
}

fn refuse(reason: Refusal, retry_after_ms: u32) -> Response {
    Response::Refused { reason, retry_after_ms }
}
