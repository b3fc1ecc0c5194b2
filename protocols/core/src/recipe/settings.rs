//! What a recipe is made of.

use super::BatchOrder;
use crate::codec::{Codec, Rounding};
use crate::mixing::Rule;

/// How one peer learns: training, mixing and the form of its models on the wire.
#[derive(Debug, Clone, PartialEq)]
pub struct Recipe {
    /// How it trains.
    pub training: Training,
    /// How it mixes.
    pub rule: Rule,
    /// How models travel to it, and in what form it publishes its own.
    pub codec: Codec,
    /// How the codec rounds.
    pub rounding: Rounding,
}

impl Default for Recipe {
    /// Plain steps, the default rule, int8.
    fn default() -> Self {
        Self { training: Training::default(), rule: Rule::default(), codec: Codec::Int8, rounding: Rounding::default() }
    }
}

/// How one peer trains, and how it corrects what training on its own rows alone does.
#[derive(Debug, Clone, PartialEq)]
pub struct Training {
    /// Minibatch steps a round, H.
    pub steps: u32,
    /// Rows a minibatch, B.
    pub batch: usize,
    /// How minibatches are drawn.
    pub order: BatchOrder,
    /// Step size at the first round, eta.
    pub learning_rate: f32,
    /// How the step size falls.
    pub decay: Decay,
    /// L2 weight decay added to the gradient.
    pub weight_decay: f32,
    /// Momentum of the local optimizer; 0 is plain SGD.
    pub momentum: f32,
    /// Whether momentum lives on from round to round (D-PSGD with momentum) or starts anew, which is the default:
    /// momentum refers to a model that the mix has replaced.
    pub keep_momentum: bool,
    /// Largest norm of a minibatch gradient; a longer one is scaled down to it (Pascanu et al. 2013, algorithm 1). 0 is
    /// off.
    pub clip_norm: f32,
    /// FedProx: strength mu of the pull back to the model at the start of the round (Li et al. 2020, equation 2). 0 is
    /// off.
    pub proximal: f32,
    /// Strength lambda of the control variate (see [`crate::drift::ControlVariate`]); 0 is off.
    pub control_variate: f32,
    /// The outer Nesterov step (see [`crate::drift::OuterNesterov`]).
    pub outer: Option<Outer>,
    /// Steps that every round counts as (FedNova; see [`crate::drift::normalise`]); 0 is off.
    pub reference_steps: u32,
    /// Decay of the moving average of the own models (see [`crate::drift::MovingAverage`]); 0 is off.
    pub moving_average: f32,
}

impl Default for Training {
    /// One step of plain SGD.
    fn default() -> Self {
        Self {
            steps: 1,
            batch: 32,
            order: BatchOrder::Shuffled,
            learning_rate: 0.1,
            decay: Decay::Constant,
            weight_decay: 0.0,
            momentum: 0.0,
            keep_momentum: false,
            clip_norm: 0.0,
            proximal: 0.0,
            control_variate: 0.0,
            outer: None,
            reference_steps: 0,
            moving_average: 0.0,
        }
    }
}

/// The outer Nesterov step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outer {
    /// Step size, alpha.
    pub rate: f32,
    /// Momentum, beta.
    pub momentum: f32,
}

/// How a step size falls with the rounds done, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Decay {
    /// Not at all.
    Constant,
    /// eta / (1 + rounds / this), never below [`Decay::LEAST`] of eta, so that a network of weeks still learns from
    /// newcomers.
    Halving(f32),
    /// eta / (1 + this rounds).
    Harmonic(f32),
}

impl Decay {
    /// [`Decay::Halving`] never falls below this part of the first step size.
    pub const LEAST: f32 = 0.05;

    /// What to multiply the step size with after so many rounds.
    pub fn factor(self, rounds: u64) -> f32 {
        match self {
            Decay::Constant => 1.0,
            Decay::Halving(half) => (1.0 / (1.0 + rounds as f32 / half)).max(Self::LEAST),
            Decay::Harmonic(slope) => 1.0 / (1.0 + slope * rounds as f32),
        }
    }
}

impl Training {
    /// Step size after so many rounds.
    pub fn rate(&self, rounds: u64) -> f32 {
        self.learning_rate * self.decay.factor(rounds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn step_sizes_fall_as_they_should() {
        assert_eq!([0, 100, 10_000].map(|rounds| Decay::Halving(100.0).factor(rounds)), [1.0, 0.5, Decay::LEAST]);
        assert_eq!([0, 3].map(|rounds| Decay::Harmonic(1.0).factor(rounds)), [1.0, 0.25]);
        let training = Training { learning_rate: 0.2, decay: Decay::Halving(100.0), ..Training::default() };
        assert_eq!(training.rate(100), 0.1);
    }
}
