//! Correction of client drift, outer steps, and peers of different speed: local state of one peer, never sent.

mod average;
mod control_variate;
mod outer;
mod speed;

pub use average::MovingAverage;
pub use control_variate::ControlVariate;
pub use outer::OuterNesterov;
pub use speed::{MOST_STRETCH, effective_steps, normalise, stretch};
