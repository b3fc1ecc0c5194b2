//! Settings of the learner, as people write them, and what a recipe makes of them.

use peerlearn_protocols::codec::{Codec, Rounding};
use peerlearn_protocols::mixing::Rule;
use peerlearn_protocols::recipe::{BatchOrder, Decay, Outer, Recipe, Training};
use peerlearn_runtime::settings::SettingError;
use serde::{Deserialize, Serialize};

/// How to train: section `training`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainingConfig {
    /// Minibatch steps a round, H.
    pub steps: u32,
    /// Rows a minibatch, B.
    pub batch: usize,
    /// Step size at the first round, eta.
    pub learning_rate: f32,
    /// Rounds after which the step size has halved: eta / (1 + round / this), but never below a twentieth of eta, so
    /// that a network of weeks still learns from newcomers. 0 keeps it constant.
    pub decay_rounds: f32,
    /// L2 weight decay.
    pub weight_decay: f32,
    /// Momentum within a round; never carried over, never mixed.
    pub momentum: f32,
    /// Largest norm of a minibatch gradient; a longer one is scaled down to it (Pascanu et al. 2013, algorithm 1). It
    /// keeps a round on skewed rows from throwing the model far off, which its neighbours would mix in. 0 is off.
    pub clip_norm: f32,
    /// FedProx: strength of the pull back to the model at the start of the round (Li et al. 2020, equation 2).
    pub proximal: f32,
    /// Damping of the control variate, lambda; 0 switches it off.
    pub control_variate: f32,
    /// Steps that every round counts as, whatever this peer takes: its change is scaled by a(this) / a(steps), so that
    /// a fast peer does not pull the network to its data (FedNova, Wang et al. 2020, equation 9). All peers set it
    /// alike; 0 is off.
    pub reference_steps: u32,
    /// Seeds the order of rows, together with the round.
    pub seed: u64,
}

/// The best of what was measured on the digits and on MNIST; the example `ablations` measures the neighbours.
impl Default for TrainingConfig {
    fn default() -> Self {
        Self {
            steps: 20,
            batch: 32,
            learning_rate: 0.2,
            decay_rounds: 100.0,
            weight_decay: 0.0,
            momentum: 0.8,
            clip_norm: 2.0,
            proximal: 0.0,
            control_variate: 0.05,
            reference_steps: 0,
            seed: 0,
        }
    }
}

/// How to mix: section `mixing`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MixingConfig {
    /// The mixing rule, in any form that [`Rule`] parses. Under `pair` a node has a session with one peer a round and
    /// both move half way (see [`peerlearn_protocols::exchange::pairwise`]); only the first pull of a node that joins
    /// is one-sided. The outer step and the control variate act on each node alone and move the mean.
    pub rule: Rule,
    /// Decay of the moving average of the own models, which is what a node measures, answers with and exports (see
    /// [`peerlearn_protocols::drift::MovingAverage`]); what it trains and offers is the newest. 0 is off.
    pub moving_average: f32,
    /// The outer step.
    pub outer: OuterConfig,
}

impl Default for MixingConfig {
    fn default() -> Self {
        Self { rule: Rule::default(), moving_average: 0.7, outer: OuterConfig::default() }
    }
}

/// The outer Nesterov step: section `mixing.outer`. Off by default: it lifts the mean peer, the control variate the
/// worst; together at full strength they overshoot (measured on MNIST, 32 peers, Dirichlet 0.1).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OuterConfig {
    /// Whether to take it.
    pub enabled: bool,
    /// Step size, alpha (DiLoCo: 0.7).
    pub rate: f32,
    /// Momentum, beta (DiLoCo: 0.9).
    pub momentum: f32,
}

impl Default for OuterConfig {
    fn default() -> Self {
        Self { enabled: false, rate: 0.7, momentum: 0.9 }
    }
}

/// The recipe of these settings, with models that travel in a codec.
pub fn recipe(training: &TrainingConfig, mixing: &MixingConfig, codec: Codec, rounding: Rounding) -> Recipe {
    let outer = &mixing.outer;
    let decays = training.decay_rounds > 0.0;
    let training = Training {
        steps: training.steps,
        batch: training.batch,
        order: BatchOrder::Shuffled,
        learning_rate: training.learning_rate,
        decay: if decays { Decay::Halving(training.decay_rounds) } else { Decay::Constant },
        weight_decay: training.weight_decay,
        momentum: training.momentum,
        keep_momentum: false,
        clip_norm: training.clip_norm,
        proximal: training.proximal,
        control_variate: training.control_variate,
        outer: outer.enabled.then_some(Outer { rate: outer.rate, momentum: outer.momentum }),
        reference_steps: training.reference_steps,
        moving_average: mixing.moving_average,
    };
    Recipe { training, rule: mixing.rule, codec, rounding }
}

impl TrainingConfig {
    /// Checks every value.
    ///
    /// # Errors
    /// The first value that breaks its rule.
    pub fn validate(&self) -> Result<(), SettingError> {
        let at_least_0 = |value: f32| value.is_finite() && value >= 0.0;
        SettingError::check((1..=1_000_000).contains(&self.steps), "training.steps", self.steps, "from 1 to 1000000")?;
        SettingError::check((1..=65_536).contains(&self.batch), "training.batch", self.batch, "from 1 to 65536")?;
        let rate = self.learning_rate;
        SettingError::check(rate.is_finite() && rate > 0.0, "training.learning_rate", rate, "a number above 0")?;
        SettingError::check(
            at_least_0(self.decay_rounds),
            "training.decay_rounds",
            self.decay_rounds,
            "0 or a number above 0",
        )?;
        SettingError::check(
            at_least_0(self.weight_decay),
            "training.weight_decay",
            self.weight_decay,
            "0 or a number above 0",
        )?;
        SettingError::check(
            (0.0..1.0).contains(&self.momentum),
            "training.momentum",
            self.momentum,
            "at least 0 and below 1",
        )?;
        SettingError::check(at_least_0(self.clip_norm), "training.clip_norm", self.clip_norm, "0 or a number above 0")?;
        SettingError::check(at_least_0(self.proximal), "training.proximal", self.proximal, "0 or a number above 0")?;
        let lambda = self.control_variate;
        SettingError::check((0.0..=1.0).contains(&lambda), "training.control_variate", lambda, "from 0 to 1")?;
        let reference = self.reference_steps;
        SettingError::check(reference <= 1_000_000, "training.reference_steps", reference, "at most 1000000")
    }
}

impl MixingConfig {
    /// Checks every value.
    ///
    /// # Errors
    /// The first value that breaks its rule.
    pub fn validate(&self) -> Result<(), SettingError> {
        let average = self.moving_average;
        SettingError::check((0.0..1.0).contains(&average), "mixing.moving_average", average, "at least 0 and below 1")?;
        let (rate, momentum) = (self.outer.rate, self.outer.momentum);
        let fits = rate.is_finite() && rate > 0.0 && rate <= 2.0;
        SettingError::check(fits, "mixing.outer.rate", rate, "above 0 and at most 2")?;
        SettingError::check((0.0..1.0).contains(&momentum), "mixing.outer.momentum", momentum, "at least 0 and below 1")
    }
}
