//! The outer Nesterov step on the gossip average.
//!
//! `d = phi - x_mixed; m <- beta m + d; phi <- phi - alpha (d + beta m); x = phi`: DiLoCo (Douillard et al. 2023,
//! algorithm 1, alpha 0.7, beta 0.9) with the gossip mean in place of the all-reduce, as NoLoCo does with one partner.

/// Slow weights and momentum of one peer.
#[derive(Debug, Clone, PartialEq)]
pub struct OuterNesterov {
    rate: f32,
    momentum: f32,
    slow: Vec<f32>,
    velocity: Vec<f32>,
}

impl OuterNesterov {
    /// Starts from the current model. Shapes: `params: [parameters]`.
    pub fn new(rate: f32, momentum: f32, params: &[f32]) -> Self {
        Self { rate, momentum, slow: params.to_vec(), velocity: vec![0.0; params.len()] }
    }

    /// Replaces the mixed model by the outer step. Shapes: `mixed: [parameters]`.
    ///
    /// A step that would not be finite is not taken: the mixed model stays and the state starts anew from it.
    pub fn step(&mut self, mixed: &mut [f32]) {
        for ((slow, velocity), mixed) in self.slow.iter_mut().zip(&mut self.velocity).zip(&*mixed) {
            let delta = *slow - mixed;
            *velocity = self.momentum * *velocity + delta;
            *slow -= self.rate * (delta + self.momentum * *velocity);
        }
        if crate::invariant::finite(&self.slow) && crate::invariant::finite(&self.velocity) {
            mixed.copy_from_slice(&self.slow);
        } else {
            self.reset(mixed);
        }
    }

    /// Forgets momentum and starts from `params`: after a long absence.
    pub fn reset(&mut self, params: &[f32]) {
        self.slow.copy_from_slice(params);
        self.velocity.fill(0.0);
    }

    /// Slow weights and momentum, for a checkpoint.
    pub fn state(&self) -> (&[f32], &[f32]) {
        (&self.slow, &self.velocity)
    }

    /// Takes over saved state; state of another length or not finite is ignored.
    pub fn restore(&mut self, slow: &[f32], velocity: &[f32]) {
        let fits = slow.len() == self.slow.len() && velocity.len() == self.velocity.len();
        if fits && crate::invariant::finite(slow) && crate::invariant::finite(velocity) {
            self.slow.copy_from_slice(slow);
            self.velocity.copy_from_slice(velocity);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_step_by_hand() {
        let mut outer = OuterNesterov::new(0.7, 0.9, &[1.0]);
        let mut mixed = [0.0];
        outer.step(&mut mixed);
        // d = 1, m = 1, phi = 1 - 0.7 (1 + 0.9).
        assert!((mixed[0] + 0.33).abs() < 1e-6);
    }

    #[test]
    fn rate_one_without_momentum_is_the_plain_mix() {
        let mut outer = OuterNesterov::new(1.0, 0.0, &[5.0]);
        let mut mixed = [2.0];
        outer.step(&mut mixed);
        assert_eq!(mixed, [2.0]);
    }

    #[test]
    fn an_overflow_keeps_the_mix() {
        let mut outer = OuterNesterov::new(1.0, 0.9, &[f32::MAX]);
        let mut mixed = [-f32::MAX];
        outer.step(&mut mixed);
        assert_eq!(mixed, [-f32::MAX]);
        assert_eq!(outer.state().0, [-f32::MAX]);
    }
}
