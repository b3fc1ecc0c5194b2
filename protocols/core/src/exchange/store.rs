//! The models a peer holds ready for others.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::codec::Codec;
use crate::estimate::EstimateReport;
use crate::id::{Root, TaskId};
use crate::wire::{BulkRequest, Publication, Refusal, Request, Response};

/// Most forms of one model held. A network speaks one codec, perhaps two while it changes, each plain and
/// compressed; whoever asks for ever new parameters of a codec is refused.
pub const MAX_FORMS: usize = 8;

/// The newest publications, newest first.
#[derive(Debug)]
pub struct ModelStore {
    task: TaskId,
    kept: usize,
    /// Numbers about the network that go to whoever asks.
    told: Option<EstimateReport>,
    models: VecDeque<Forms>,
}

/// One model as it was published, and in the other forms it was asked for in. Most models have one form, which is why
/// it is not in the list.
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

impl ModelStore {
    /// An empty store that keeps the newest model and `kept` older ones, each in every codec it was asked for in.
    pub fn new(task: TaskId, kept: usize) -> Self {
        Self { task, kept, told: None, models: VecDeque::new() }
    }

    /// Tells these numbers to whoever asks for estimates from now on.
    pub fn tell(&mut self, told: EstimateReport) {
        self.told = Some(told);
    }

    /// Puts a publication in front; the oldest beyond the bound are let go.
    pub fn publish(&mut self, publication: Publication) {
        self.models.truncate(self.kept);
        self.models.push_front(Forms { native: publication, others: Vec::new() });
    }

    /// Adds the newest model in another codec or compressed; one that is there already is left alone.
    pub fn add(&mut self, publication: Publication) {
        let form = |held: &Publication| (held.offer.codec, held.compressed);
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

    /// The newest model in a codec, compressed or not.
    pub fn newest_in(&self, codec: Codec, compressed: bool) -> Option<&Publication> {
        self.models.front()?.iter().find(|held| held.offer.codec == codec && held.compressed == compressed)
    }

    /// Answers a question; one for mass like one for the model alone, [`super::push_sum`] adds the mass.
    pub fn answer(&self, request: &Request) -> Response {
        match request {
            Request::Newest { task, .. }
            | Request::Share { task, .. }
            | Request::Compressed { task, .. }
            | Request::Estimates { task }
            | Request::Taken { task, .. }
            | Request::OpenSession { task, .. }
            | Request::Settle { task, .. }
                if *task != self.task =>
            {
                refuse(Refusal::OtherTask { ours: self.task }, 600_000)
            }
            Request::Newest { codec, .. } | Request::Share { codec, .. } => self.offer(self.newest_in(*codec, false)),
            // Where compression does not pay there is no such frame.
            Request::Compressed { codec, .. } => {
                self.offer(self.newest_in(*codec, true).or_else(|| self.newest_in(*codec, false)))
            }
            &Request::Hashes { root, first } => match self.find(root) {
                None => refuse(Refusal::Gone, 0),
                Some(held) => Response::Hashes { root, first, hashes: held.hashes(first as usize) },
            },
            Request::Estimates { .. } => match self.told.clone() {
                Some(EstimateReport { epoch, minima, spread }) => Response::Estimates { epoch, minima, spread },
                None => refuse(Refusal::NothingYet, 1_000),
            },
            // For whoever meets others.
            Request::OpenSession { .. } | Request::Settle { .. } => refuse(Refusal::NoSession, 600_000),
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
            Some(held) => Response::Offer { offer: held.offer, hashes: held.hashes(0) },
            None if self.models.is_empty() => refuse(Refusal::NothingYet, 1_000),
            None => refuse(Refusal::Codec, 600_000),
        }
    }

    fn find(&self, root: Root) -> Option<&Publication> {
        self.models.iter().flat_map(Forms::iter).find(|publication| publication.offer.root == root)
    }
}

fn refuse(reason: Refusal, retry_after_ms: u32) -> Response {
    Response::Refused { reason, retry_after_ms }
}
