//! The conversation with one holder.

use thiserror::Error;

use crate::codec::Codec;
use crate::id::{Hash, Root, TaskId};
use crate::mixing::push_sum::{Ask, Grant};
use crate::score::Fault;
use crate::wire::control::MAX_HASHES;
use crate::wire::manifest::chunk_count;
use crate::wire::{BulkRequest, Manifest, Offer, Refusal, Request, Response};

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
    /// Whether the model may come in a coat, and then with fewer bytes.
    pub packed: bool,
    /// The question for mass that goes with it, under push-sum.
    pub share: Option<Ask>,
    /// The meeting it belongs to.
    pub meeting: Option<Meeting>,
}

/// How a pull belongs to a meeting of two; see [`super::pairing`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meeting {
    /// This peer leads it: the holder is asked to meet, and answers with the model it names.
    Led {
        /// The number of the meeting.
        number: u64,
        /// The own model that is named.
        ours: Root,
    },
    /// This peer is the guest: only this model of the leader will do.
    Guest {
        /// The model that the leader named.
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
#[derive(Debug, PartialEq)]
pub struct Pulled {
    /// What it was offered as.
    pub offer: Offer,
    /// The mass handed over with it, where it was asked for. Not taken yet.
    pub grant: Option<Grant>,
    /// The encoded bytes.
    pub blob: Vec<u8>,
}

/// Why a pull came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PullError {
    /// The holder said no.
    #[error("refused: {reason:?}")]
    Refused {
        /// Its reason.
        reason: Refusal,
        /// Do not ask again before this many milliseconds.
        retry_after_ms: u32,
    },
    /// The model is too far behind to be of use.
    #[error("model of age {age} is older than the least useful age {least}")]
    Stale {
        /// Its age.
        age: u64,
        /// The least age wanted.
        least: u64,
    },
    /// The holder has another model than the one that was named.
    #[error("the holder has another model by now")]
    Another,
    /// Cut too often.
    #[error("stream was cut {cuts} times")]
    Cut {
        /// Times.
        cuts: u32,
    },
    /// The offered size is not the size of the shared layout. The holder is at fault.
    #[error("offered {got} bytes where the layout has {want}")]
    WrongSize {
        /// Bytes offered.
        got: u64,
        /// Bytes of the own layout.
        want: u64,
    },
    /// A chunk or the list of hashes is not what was offered. The holder is at fault.
    #[error("chunk {chunk} does not have the offered hash")]
    WrongHash {
        /// Index of the chunk; the number of chunks when the list itself is wrong.
        chunk: u32,
    },
    /// An answer that does not fit the question. The holder is at fault.
    #[error("answer does not fit the question")]
    Unexpected,
}

impl PullError {
    /// What to count against the holder; `None` where an honest one gets here too.
    pub fn fault(&self) -> Option<Fault> {
        match self {
            PullError::WrongHash { .. } => Some(Fault::WrongHash),
            PullError::WrongSize { .. } => Some(Fault::WrongShape),
            PullError::Unexpected => Some(Fault::Unexpected),
            _ => None,
        }
    }
}

#[derive(Debug)]
enum State {
    Asking,
    Listing { offer: Offer, hashes: Vec<Hash> },
    Streaming { offer: Offer, manifest: Manifest },
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
        let step = Step::Ask(match (order.meeting, order.share) {
            (Some(Meeting::Led { number, ours }), _) => Request::Meet { task, codec, number, root: ours },
            (_, None) if order.packed => Request::Packed { task, codec },
            (_, None) => Request::Newest { task, codec },
            (_, Some(Ask { number, taken })) => Request::Share { task, codec, number, taken },
        });
        (Self { order, state: State::Asking, grant: None, blob: Vec::new(), next: 0, cuts: 0 }, step)
    }

    /// Takes the answer to the last [`Step::Ask`].
    pub fn answered(&mut self, response: Response) -> Step {
        match (std::mem::replace(&mut self.state, State::Over), response) {
            (_, Response::Refused { reason, retry_after_ms }) => {
                Step::Failed(PullError::Refused { reason, retry_after_ms })
            }
            (State::Asking, Response::Offer { offer, hashes }) if self.order.share.is_none() => {
                match self.order.meeting {
                    None => self.offered(offer, hashes),
                    Some(Meeting::Guest { theirs }) if theirs == offer.root => self.offered(offer, hashes),
                    Some(Meeting::Guest { .. }) => Step::Failed(PullError::Another),
                    Some(Meeting::Led { .. }) => Step::Failed(PullError::Unexpected),
                }
            }
            (State::Asking, Response::Meeting { offer, hashes, number }) if matches!(self.order.meeting, Some(Meeting::Led { number: asked, .. }) if asked == number) => {
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
        let fits = if order.packed { offer.bytes <= order.bytes } else { offer.bytes == order.bytes };
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
        match Manifest::verified(offer.root, offer.bytes, hashes) {
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
        // A list of hashes fits its root whatever the lengths of its chunks are, so the length is checked too, and first.
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

    /// Takes the next chunk of this many bytes from a caller who keeps the bytes itself and knows that they are those of
    /// the offer, because offer and bytes come from one place in its own memory: the simulator. [`Pulled::blob`] stays
    /// empty then.
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
            return Step::Done(Box::new(Pulled { offer, grant: self.grant, blob: std::mem::take(&mut self.blob) }));
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
