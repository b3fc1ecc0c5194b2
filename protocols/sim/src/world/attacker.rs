//! An attacker in the world: no more than a peer that publishes something else than its model.
//!
//! Unlike those of the lockstep simulator it sees no honest model before it answers, and not who asks. It has its own
//! model and those it pulled for its last mix, and publishes one model for everybody, as a real node can that was
//! changed to attack. Its victim is itself as it was after the last mix; the pulled models and itself have equal weights.

use crate::attack::{Attack, Sight};

/// What an attacker saw at its last mix.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Its own model after the mix, `[parameters]`; empty before the first.
    pub mixed: Vec<f32>,
    /// The models it pulled, each `[parameters]`.
    pub pulled: Vec<Vec<f32>>,
}

impl Seen {
    /// What it publishes in place of its own model. Shapes: `own`, answer: `[parameters]`.
    pub fn answer(&self, attack: Attack, own: &[f32], seed: u64) -> Vec<f32> {
        let share = 1.0 / (self.pulled.len() as f32 + 1.0);
        let honest: Vec<(f32, &[f32])> = self.pulled.iter().map(|model| (share, &model[..])).collect();
        let victim = if self.mixed.is_empty() { own } else { &self.mixed };
        attack.answer(&Sight { victim, honest: &honest, own, weight: share }, seed)
    }
}
