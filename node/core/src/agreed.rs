//! Numbers that peers agree on, in a node: what it tells of its rows, what it heard, and the frame that it trains in.
//!
//! ```text
//!   own rows --> Summary, signed --> Book <--exchange--> books of others        (agreed/run.rs)
//!                                      |
//!                                      v  enough voices more, or moved much: Frame::next
//!                                   Frame --> InputFrame --> FramedLearner      between rounds, on the learner's thread
//! ```
//!
//! Models travel and are kept in the numbers that the task declares; see [`peerlearn_task::frame`]. Where the task does not say
//! `rule = "agreed"` there is no `Agreed`, and nothing leaves.

mod book;
mod run;
#[cfg(test)]
mod tests;
mod told;

use std::sync::{Arc, Mutex, PoisonError};

use peerlearn_data::Loaded;
use peerlearn_learner::{FirstLayer, FramedLearner, InputFrame, Learner, LearnerFactory, initial_weights};
use peerlearn_network::{Identity, SummaryBook};
use peerlearn_protocols::codec::Codec;
use peerlearn_protocols::params::Layout;
use peerlearn_runtime::event::EventBus;
use peerlearn_task::frame::{Frame, Summaries, Summary};
use peerlearn_task::{FrameRule, InputKind, Schema, Task};

pub use told::{changes, would_tell};

pub(crate) use self::book::Book;
pub(crate) use self::run::Agreeing;
use crate::access::Access;
use crate::registry::{KeptFrame, KeptTold};
use crate::status::AgreedStatus;

/// The frame of a node, and what it tells. Cloning shares it.
#[derive(Debug, Clone)]
pub(crate) struct Agreed(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    schema: Schema,
    /// None: the model takes no other frame than that of the task.
    first: Option<FirstLayer>,
    input: InputFrame,
    frame: Mutex<Frame>,
    told: Option<KeptTold>,
}

impl Agreed {
    /// What a node knows of numbers before it has met anybody; `None` where they are not agreed on. `is_dense` says that the
    /// model's first layer takes all inputs as they are.
    pub fn new(task: &Task, data: &Loaded, kept: Option<KeptFrame>, is_dense: bool, now: u64) -> Option<Self> {
        let schema = task.definition().schema.clone();
        if schema.kind != InputKind::Table || schema.frame.rule != FrameRule::Agreed {
            return None;
        }
        let first = FirstLayer::of(task.layout(), data.train.width()).filter(|_| is_dense);
        let (frame, told) = kept.map_or_else(|| (Frame::declared(&schema), None), |kept| (kept.frame, kept.told));
        let told = told::newest(&schema, told, &data.moments, data.train.len(), now);
        let frame = first.map_or_else(|| Frame::declared(&schema), |_| frame);
        let input = InputFrame::new(frame.numbers.rescales(&schema));
        let agreed = Self(Arc::new(Inner { schema, first, input, frame: Mutex::new(frame), told }));
        Some(agreed)
    }

    /// The learner of the task, in the frame of this node.
    pub fn framed(&self, factory: LearnerFactory) -> LearnerFactory {
        let Inner { first, input, .. } = &*self.0;
        let (first, input) = (*first, input.clone());
        Arc::new(move || Ok(in_frame(factory()?, first, &input)))
    }

    /// What was told so far: nothing but by this node, if it has something to tell.
    pub fn book(
        &self,
        task: &Task,
        identity: &Identity,
        access: &Access,
        events: &EventBus,
    ) -> (Book, Arc<dyn SummaryBook>) {
        let schema = &self.0.schema;
        let mut summaries = Summaries::new(task.id(), schema.clone());
        if let Some(told) = &self.0.told {
            let mut own = Summary::unsigned(task.id(), identity.peer(), told.version, told.columns.clone());
            own.signature = identity.sign(&own.message(schema));
            summaries.join(own);
        }
        // Of columns without numbers in the task, the own ones are the best that there is.
        self.take_next(&summaries);
        let book = Book::new(summaries, access.clone(), events.clone());
        (book.clone(), Arc::new(book))
    }

    /// Takes better numbers, where there are some; answers the frame before and the one now.
    fn take_next(&self, summaries: &Summaries) -> Option<(Frame, Frame)> {
        self.0.first?;
        let mut frame = self.0.frame.lock().unwrap_or_else(PoisonError::into_inner);
        let next = frame.next(summaries)?;
        self.0.input.set(next.numbers.rescales(&self.0.schema));
        Some((std::mem::replace(&mut *frame, next.clone()), next))
    }

    /// The numbers that the node trains in.
    pub fn frame(&self) -> Frame {
        self.0.frame.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What is to be kept.
    pub fn kept(&self) -> KeptFrame {
        KeptFrame { frame: self.frame(), told: self.0.told.clone() }
    }

    /// The initial weights of the task for a model that is trained in this frame, told in the numbers of the task. Shapes:
    /// answer `[parameters]`.
    pub fn initial(&self, layout: &Layout, seed: [u8; 32]) -> Vec<f32> {
        let mut params = initial_weights(layout, seed);
        self.0.first.iter().for_each(|first| first.leave(&self.0.input.get(), &mut params));
        params
    }

    /// The codec for models whose first layer is told in other units than it is trained in: where columns are of very
    /// different size, one step for all weights of a tensor would be nothing for some and everything for others.
    pub fn codec(&self, wanted: Codec) -> Codec {
        match wanted {
            Codec::F32 | Codec::Bf16 => wanted,
            _ if self.0.first.is_none() => wanted,
            _ => Codec::F32,
        }
    }

    /// For people.
    pub fn status(&self, book: &Book) -> AgreedStatus {
        let columns = self.0.told.as_ref().map_or(0, |told| told.columns.len());
        AgreedStatus {
            voices: book.summaries().voices(),
            taken: self.frame().voices,
            columns,
            is_fixed: self.0.first.is_none(),
        }
    }
}

/// A learner in a frame; one of which nothing is known stays in that of the task.
fn in_frame(inner: Box<dyn Learner>, first: Option<FirstLayer>, input: &InputFrame) -> Box<dyn Learner> {
    match first {
        Some(first) => Box::new(FramedLearner::new(inner, first, input.clone())),
        None => Box::new(FramedLearner::fixed(inner, input.get().to_vec())),
    }
}

/// The model of a home directory as its node has it: fed with rows that are scaled by the numbers of the task, it holds outliers
/// within the frame that was kept. `inner` is one of the built-in families.
pub fn as_trained(inner: Box<dyn Learner>, schema: &Schema, kept: Option<&KeptFrame>) -> Box<dyn Learner> {
    if schema.kind != InputKind::Table || schema.frame.rule != FrameRule::Agreed {
        return inner;
    }
    let first = FirstLayer::of(inner.layout(), schema.shape().iter().product());
    let frame = kept.map_or_else(|| Frame::declared(schema), |kept| kept.frame.clone());
    in_frame(inner, first, &InputFrame::new(frame.numbers.rescales(schema)))
}
