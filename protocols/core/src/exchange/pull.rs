//! The conversation with one holder.

use std::sync::Arc;

use super::{ExchangeConfig, PullError, PullFailure};
use crate::codec::Codec;
use crate::id::{Hash, Root, TaskId};
use crate::mixing::push_sum::{Grant, ShareQuestion};
use crate::params::Layout;
use crate::wire::blob::Blob;
use crate::wire::control::MAX_HASHES;
use crate::wire::manifest::chunk_count;
use crate::wire::{BulkRequest, ChunkManifest, Offer, Publication, Request, Response};

/// What is wanted of a pull.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PullOrder {
    /// The own task.
    pub task: TaskId,
    /// Codec to ask for.
    pub codec: Codec,
    /// Bytes of a model of the own layout in that codec; an offer of any other size is refused.
    pub bytes: u64,
    /// An offer younger than this is refused before it is pulled.
    pub least_age: u64,
    /// Times to go on after a cut.
    pub resumes: u32,
    /// Whether the model may come in a compressed frame, and then with fewer bytes.
    pub compressed: bool,
    /// Whether its values are to be checked as soon as it is here: for what is agreed on before it is mixed.
    pub checked: bool,
    /// The question for mass that goes with it, under push-sum.
    pub share: Option<ShareQuestion>,
    /// The session it belongs to.
    pub session: Option<SessionRole>,
}

impl PullOrder {
    /// A pull that belongs to a session about one's own published model: the other one is of the same codec, plain, and
    /// is checked at once.
    pub fn for_session(task: TaskId, ours: &Publication, role: SessionRole) -> Self {
        Self {
            task,
            codec: ours.offer.codec,
            bytes: ours.offer.bytes,
            least_age: 0,
            resumes: ExchangeConfig::default().resumes,
            compressed: false,
            checked: true,
            share: None,
            session: Some(role),
        }
    }
}

/// How a pull belongs to a session of two; see [`super::pairwise`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionRole {
    /// This peer initiates it: the holder is asked for a session, and answers with the model it names.
    Initiator {
        /// The number of the session.
        number: u64,
        /// The own model that is named.
        ours: Root,
    },
    /// This peer responds: only this model of the initiator will do.
    Responder {
        /// The model that the initiator named.
        theirs: Root,
    },
}

/// What the interpreter does next.
#[derive(Debug, PartialEq)]
pub enum Step {
    /// Send this request, then call [`Pull::answered`].
    Ask(Request),
    /// Open a stream with this request, then call [`Pull::chunk`] with each chunk in order, or [`Pull::cut`].
    Stream(BulkRequest),
    /// Read the next chunk of this many bytes from the open stream.
    Read(usize),
    /// The model is complete and verified.
    Done(Box<Pulled>),
    /// It came to nothing.
    Failed(PullError),
}

/// A complete, verified, still encoded model.
#[derive(Debug, Clone, PartialEq)]
pub struct Pulled {
    /// What it was offered as.
    pub offer: Offer,
    /// The mass handed over with it, where it was asked for. Not taken yet.
    pub grant: Option<Grant>,
    /// The encoded bytes.
    pub blob: Arc<Vec<u8>>,
}

impl Pulled {
    /// Takes what arrived out of its compressed frame and checks its values, as far as the order says so. For whoever
    /// carries out pulls, at their end: it takes time that grows with the model.
    ///
    /// # Errors
    /// [`PullFailure::NoModel`].
    pub fn completed(self, order: &PullOrder, layout: &Layout) -> Result<Self, PullFailure> {
        let pulled = if order.compressed { self.decompressed(order.bytes)? } else { self };
        if order.checked && Blob::parse(&pulled.blob, layout).is_err() {
            return Err(PullFailure::NoModel);
        }
        Ok(pulled)
    }

    #[cfg(feature = "zstd")]
    fn decompressed(self, most: u64) -> Result<Self, PullFailure> {
        match crate::wire::compressed::decompress(&self.blob, most) {
            Ok(std::borrow::Cow::Borrowed(_)) => Ok(self),
            Ok(std::borrow::Cow::Owned(blob)) => Ok(Self { blob: Arc::new(blob), ..self }),
            Err(_) => Err(PullFailure::NoModel),
        }
    }

    /// Without the feature no order asks for frames, so what arrives is plain or no model.
    #[cfg(not(feature = "zstd"))]
    fn decompressed(self, most: u64) -> Result<Self, PullFailure> {
        if self.blob.len() as u64 == most { Ok(self) } else { Err(PullFailure::NoModel) }
    }
}

#[derive(Debug)]
enum State {
    Asking,
    Listing { offer: Offer, hashes: Vec<Hash> },
    Streaming { offer: Offer, manifest: ChunkManifest },
    Over,
}

/// One pull from one holder.
#[derive(Debug)]
pub struct Pull {
    order: PullOrder,
    state: State,
    grant: Option<Grant>,
    blob: Vec<u8>,
    next: u32,
    cuts: u32,
}

impl Pull {
    /// Starts a pull; the step is to ask for the newest offer.
    pub fn new(order: PullOrder) -> (Self, Step) {
        let (task, codec) = (order.task, order.codec);
        let step = Step::Ask(match (order.session, order.share) {
            (Some(SessionRole::Initiator { number, ours }), _) => {
                Request::OpenSession { task, codec, number, root: ours }
            }
            (_, None) if order.compressed => Request::Compressed { task, codec },
            (_, None) => Request::Newest { task, codec },
            (_, Some(ShareQuestion { number, taken })) => Request::Share { task, codec, number, taken },
        });
        (Self { order, state: State::Asking, grant: None, blob: Vec::new(), next: 0, cuts: 0 }, step)
    }

    /// What it was told to fetch.
    pub fn order(&self) -> &PullOrder {
        &self.order
    }

    /// Takes the answer to the last [`Step::Ask`].
    pub fn answered(&mut self, response: Response) -> Step {
        match (std::mem::replace(&mut self.state, State::Over), response) {
            (_, Response::Refused { reason, retry_after_ms }) => {
                Step::Failed(PullError::Refused { reason, retry_after_ms })
            }
            (State::Asking, Response::Offer { offer, hashes }) if self.order.share.is_none() => {
                match self.order.session {
                    None => self.offered(offer, hashes),
                    Some(SessionRole::Responder { theirs }) if theirs == offer.root => self.offered(offer, hashes),
                    Some(SessionRole::Responder { .. }) => Step::Failed(PullError::Another),
                    Some(SessionRole::Initiator { .. }) => Step::Failed(PullError::Unexpected),
                }
            }
            (State::Asking, Response::Session { offer, hashes, number }) if matches!(self.order.session, Some(SessionRole::Initiator { number: asked, .. }) if asked == number) => {
                self.offered(offer, hashes)
            }
            (State::Asking, Response::Share { offer, hashes, number, mass })
                if self.order.share.is_some_and(|ask| ask.number == number) =>
            {
                self.grant = Some(Grant { number, mass });
                self.offered(offer, hashes)
            }
            (State::Listing { offer, hashes }, Response::Hashes { root, first, hashes: more }) => {
                if root != offer.root || first as usize != hashes.len() || more.is_empty() {
                    return Step::Failed(PullError::Unexpected);
                }
                self.listed(offer, [hashes, more].concat())
            }
            _ => Step::Failed(PullError::Unexpected),
        }
    }

    fn offered(&mut self, offer: Offer, hashes: Vec<Hash>) -> Step {
        let order = self.order;
        if offer.codec != order.codec {
            return Step::Failed(PullError::Unexpected);
        }
        let fits = if order.compressed { offer.bytes <= order.bytes } else { offer.bytes == order.bytes };
        if !fits {
            return Step::Failed(PullError::WrongSize { got: offer.bytes, want: order.bytes });
        }
        if offer.age < order.least_age {
            return Step::Failed(PullError::Stale { age: offer.age, least: order.least_age });
        }
        self.listed(offer, hashes)
    }

    fn listed(&mut self, offer: Offer, hashes: Vec<Hash>) -> Step {
        let Some(count) = chunk_count(offer.bytes) else { return Step::Failed(PullError::Unexpected) };
        let have = hashes.len() as u32;
        if have < count && hashes.len().is_multiple_of(MAX_HASHES) && have > 0 {
            let request = Request::Hashes { root: offer.root, first: have };
            self.state = State::Listing { offer, hashes };
            return Step::Ask(request);
        }
        match ChunkManifest::verified(offer.root, offer.bytes, hashes) {
            None => Step::Failed(PullError::WrongHash { chunk: count }),
            Some(manifest) => {
                self.state = State::Streaming { offer, manifest };
                self.stream()
            }
        }
    }

    fn stream(&self) -> Step {
        match &self.state {
            State::Streaming { offer, manifest } => {
                let count = manifest.hashes().len() as u32 - self.next;
                Step::Stream(BulkRequest { root: offer.root, first: self.next, count })
            }
            _ => Step::Failed(PullError::Unexpected),
        }
    }

    /// The stream is open; the step is to read the next chunk.
    pub fn opened(&mut self) -> Step {
        match &self.state {
            State::Streaming { manifest, .. } => Step::Read(manifest.chunk_bytes(self.next)),
            _ => Step::Failed(PullError::Unexpected),
        }
    }

    /// Takes the next chunk, checks its length and hash and keeps it.
    ///
    /// The buffer for the whole model is reserved with the first good chunk: its size is that of the own layout, so no
    /// stranger decides it.
    pub fn chunk(&mut self, bytes: &[u8]) -> Step {
        let State::Streaming { offer, manifest } = &self.state else { return Step::Failed(PullError::Unexpected) };
        // A list of hashes fits its root whatever the lengths of its chunks are, so the length is checked too, and
        // first.
        let fits = bytes.len() == manifest.chunk_bytes(self.next);
        if !fits || manifest.hashes().get(self.next as usize) != Some(&Hash::of(bytes)) {
            return self.wrong_chunk();
        }
        if self.blob.is_empty() {
            self.blob.reserve_exact(offer.bytes as usize);
        }
        self.blob.extend_from_slice(bytes);
        self.took_chunk()
    }

    /// Takes the next chunk of this many bytes from a caller who keeps the bytes itself and knows that they are those
    /// of the offer, because offer and bytes come from one place in its own memory: the simulator. [`Pulled::blob`]
    /// stays empty then.
    pub fn chunk_kept_elsewhere(&mut self, bytes: usize) -> Step {
        match &self.state {
            State::Streaming { manifest, .. } if bytes == manifest.chunk_bytes(self.next) => self.took_chunk(),
            State::Streaming { .. } => self.wrong_chunk(),
            _ => Step::Failed(PullError::Unexpected),
        }
    }

    fn took_chunk(&mut self) -> Step {
        let State::Streaming { offer, manifest } = &self.state else { return Step::Failed(PullError::Unexpected) };
        let offer = *offer;
        self.next += 1;
        if self.next as usize == manifest.hashes().len() {
            self.state = State::Over;
            return Step::Done(Box::new(Pulled {
                offer,
                grant: self.grant,
                blob: Arc::new(std::mem::take(&mut self.blob)),
            }));
        }
        Step::Read(manifest.chunk_bytes(self.next))
    }

    fn wrong_chunk(&mut self) -> Step {
        self.state = State::Over;
        Step::Failed(PullError::WrongHash { chunk: self.next })
    }

    /// The stream ended early; the step is to open another one from the first missing chunk, or to give up.
    pub fn cut(&mut self) -> Step {
        self.cuts += 1;
        if self.cuts > self.order.resumes {
            self.state = State::Over;
            return Step::Failed(PullError::Cut { cuts: self.cuts });
        }
        self.stream()
    }

    /// Bytes kept so far.
    pub fn kept(&self) -> u64 {
        self.blob.len() as u64
    }

    /// The model being fetched, once it is known.
    pub fn root(&self) -> Option<Root> {
        match &self.state {
            State::Listing { offer, .. } | State::Streaming { offer, .. } => Some(offer.root),
            State::Asking | State::Over => None,
        }
    }
}
