//! Correction of client drift, and outer steps: local state of one peer, never sent.

mod control_variate;
mod outer;

pub use control_variate::ControlVariate;
pub use outer::OuterNesterov;
