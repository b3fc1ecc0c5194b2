//! Numbers that peers agree on: what one peer tells of its columns, what all of them told, and what is made of it.
//!
//! ```text
//!   own rows --Moments--> Summary --signed--> Summaries (join: nothing is lost, order does not matter)
//!                                                 |
//!                                                 v  merge: median over peers, or pooled
//!   Numbers::declared = frame 0                Numbers = the local frame of a peer
//!        models travel and are kept so            a peer trains so
//! ```
//!
//! A frame changes no model: going from one to another is an affine change of the inputs, which the first layer takes back
//! exactly. So peers need not have the same frame, nobody decides, and no frame has a name.

mod adoption;
mod merge;
mod summaries;
mod summary;
#[cfg(test)]
mod tests;

pub use adoption::{Frame, bucket};
pub use summaries::{Digest, Joined, MAX_SUMMARIES, Summaries};
pub use summary::{Summary, SummaryError, Voice, told};

use peerlearn_protocols::dataset::Rescale;

use crate::column::Outlier;
use crate::{Numbers, Scale, Schema, SlotKind};

impl Numbers {
    /// What brings the inputs of a table from the numbers that the task declares to these: `(z - minus) / over`, held within
    /// `frame.clip` where the task says that outliers are brought nearer and there are numbers to judge by. Shapes: answer
    /// `[inputs]`.
    pub fn rescales(&self, schema: &Schema) -> Vec<Rescale> {
        let declared = Self::declared(schema);
        let rescale = |slot: crate::Slot| {
            let column = schema.columns.get(&slot.column).filter(|_| slot.kind == SlotKind::Number);
            let Some(column) = column else { return Rescale::NONE };
            let (from, to) = (declared.of(&slot.column), self.of(&slot.column));
            let judged = column.outlier == Outlier::Clamp && (column.mean.is_some() || to != Scale::NONE);
            let limit = if judged { schema.frame.clip.get() } else { f64::INFINITY };
            Rescale { minus: (to.mean - from.mean) / from.sd, over: to.sd / from.sd, limit }
        };
        schema.slots().into_iter().map(rescale).collect()
    }
}
