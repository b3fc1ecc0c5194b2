//! Correction of client drift, outer steps, and peers of different speed: local state of one peer, never sent.

mod average;
mod control_variate;
mod outer;
mod speed;

pub use average::MovingAverage;
pub use control_variate::ControlVariate;
pub use outer::OuterNesterov;
pub use speed::{MOST_STRETCH, effective_steps, normalise, stretch};

/// What to multiply a gradient of this norm with so that it is at most `most` long (Pascanu et al. 2013, algorithm 1);
/// 1 where `most` is 0, and where the norm is not finite: the loss will tell.
pub fn clip_scale(norm: f32, most: f32) -> f32 {
    if most > 0.0 && norm > most && norm.is_finite() { most / norm } else { 1.0 }
}

/// Takes over saved values; ones of another length or not finite are ignored.
fn take_over(held: &mut [f32], saved: &[f32]) {
    if saved.len() == held.len() && crate::invariant::finite(saved) {
        held.copy_from_slice(saved);
    }
}
