//! Everything a peer does to its own model, between the bytes that come in and the bytes that go out.
//!
//! ```text
//!   round:  train H steps ----> publish ----> (models of others arrive) ----> mix ----> next round
//!              |                   |                                           |
//!         TrainPlan:          encode, with                          rule, pending deltas, control variate,
//!         schedule, control   the codec's memory                    outer step, age, schedule, moving average
//!         variate, minibatches
//! ```
//!
//! [`ModelState`] holds the flat parameters and what belongs to them. It trains through a [`Trainer`]: a burn module, a
//! small model of the simulator and a user's own learner all stand behind that trait, so each rule is written once.
//! Nothing here knows of peers' addresses, of rounds' deadlines or of who is asked: that is [`crate::peer`].
//!
//! | decision | where |
//! |---|---|
//! | step size of a round, and catching up of one who was behind | [`Decay`], [`ModelState::mix`] |
//! | which rows a minibatch has | [`Batches`] |
//! | momentum, clipping, weight decay, proximal term, control variate in a step | [`TrainPlan`]; on flat parameters [`Descent`] |
//! | change counted as that of other steps | [`crate::drift::normalise`], in [`ModelState::train`] |
//! | what of a peer's model is published, and in which codecs | [`ModelState::publish`] |
//! | on which rows models of others are tried | [`probe_rows`] |
//! | how models are mixed, and what the mix teaches the control variate and the outer step | [`ModelState::mix`] |
//! | what a peer answers with | [`ModelState::answer`] |
//! | how often a peer measures itself | [`measure_every`] |
//! | what a measurement counts, of classes and of numbers | [`ClassTally`], [`NumberTally`] |

mod batches;
mod contribution;
mod descent;
mod measure;
mod metrics;
mod mix;
mod settings;
mod state;
#[cfg(test)]
mod tests;
mod trainer;

pub use batches::{BatchOrder, Batches};
pub use contribution::{MixOrder, MixReport, Published, PulledModel};
pub use descent::{Descent, norm};
pub use measure::{ClassFigures, Confusion, Evaluation, measure_every, probe_rows};
pub use metrics::{ClassTally, NumberTally, auc, best_class};
pub use settings::{Decay, Outer, Recipe, Training};
pub use state::{ModelState, Snapshot, TrainFailure};
pub use trainer::{TrainPlan, TrainReport, Trainer};
