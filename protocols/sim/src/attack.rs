//! Attackers: what they send, given what they see.
//!
//! In the lockstep simulator they see every honest model and answer each victim as it hurts most. In the
//! [`super::world`], and as real nodes, they see only what they pulled, and publish one model for everybody.
//!
//! | setting | what the victim i gets | source |
//! |---|---|---|
//! | `sign-flip` | minus the mean of i and its honest neighbours | Li et al. 2019, RSA; Wu et al. 2023, section V |
//! | `gaussian:S` | that mean plus S N(0, 1) in every coordinate | the same |
//! | `label-flip` | an honestly trained model of labels c - 1 - y | Biggio et al. 2012 |
//! | `ipm:E` | -E times that mean | Xie et al. 2020, "Fall of Empires" |
//! | `alie:Z` | that mean - Z sample standard deviations in every coordinate | Baruch et al. 2019, "A Little Is Enough" |
//! | `dissensus:E` | x_i - E sum w_ik (x_k - x_i) / (weight of Byzantine peers at i) | He et al. 2022, ClippedGossip, equation 6 |
//! | `isolation` | dissensus with E = 1: a weighted mean of all would leave i where it is | Ye et al. 2024, BRDSGD-GE |
//! | `replacement:L` | mean + L (label-flipped model - mean) | Bagdasaryan et al. 2020, section 4.2 |

use std::fmt;
use std::str::FromStr;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use thiserror::Error;

use super::random::normal;

/// What an attacker does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Attack {
    /// See the table in the module documentation.
    SignFlip,
    /// With this standard deviation.
    Gaussian(f32),
    /// Trains on wrong labels.
    LabelFlip,
    /// With this factor.
    Ipm(f32),
    /// With this many standard deviations.
    Alie(f32),
    /// With this strength.
    Dissensus(f32),
    /// Cancels the honest neighbours.
    Isolation,
    /// Boosts a label-flipped model by this factor.
    Replacement(f32),
}

/// A text that names no attack.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{got:?} is no attack; write sign-flip, gaussian:S, label-flip, ipm:E, alie:Z, dissensus:E, isolation or \
     replacement:L"
)]
pub struct ParseAttackError {
    /// The text, cut to 40 characters.
    pub got: String,
}

/// What an attacker sees when it answers one victim. All models have the same length.
///
/// One that sees less than everything fills in what it has: itself after its last mix as the victim, what it pulled as
/// the honest neighbours, and the share of one model as every weight.
#[derive(Debug, Clone, Copy)]
pub struct AttackerView<'a> {
    /// The victim's model, `[parameters]`.
    pub victim: &'a [f32],
    /// Models of its honest neighbours, each with its weight at the victim.
    pub honest: &'a [(f32, &'a [f32])],
    /// The attacker's own model, trained like others (on wrong labels where the attack says so).
    pub own: &'a [f32],
    /// Sum of the weights of all attackers at the victim.
    pub weight: f32,
}

/// An attacker in the world or among real nodes: no more than a peer that publishes something else than its model.
///
/// Unlike those of the lockstep simulator it sees no honest model before it answers, and not who asks. It has its own
/// model and those that arrived for its last mix, and publishes one model for everybody, because models are named by
/// their hash. Its victim is itself before that mix; the models that arrived and itself have equal weights.
#[derive(Debug, Clone)]
pub struct Attacker {
    kind: AttackerKind,
    seed: u64,
    own: Vec<f32>,
    arrived: Vec<Vec<f32>>,
}

/// How an attacker changes what it publishes.
#[derive(Debug, Clone, Copy, PartialEq)]
enum AttackerKind {
    Attack(Attack),
    /// The negative of the own model.
    Negative,
    /// The own model with normal noise of this deviation.
    Noise(f32),
}

impl Attacker {
    /// An attacker that has seen nothing. `seed` serves the attacks that draw.
    pub fn new(attack: Attack, seed: u64) -> Self {
        Self { kind: AttackerKind::Attack(attack), seed, own: Vec::new(), arrived: Vec::new() }
    }

    /// One that publishes the negative of its model.
    pub fn negative() -> Self {
        Self { kind: AttackerKind::Negative, seed: 0, own: Vec::new(), arrived: Vec::new() }
    }

    /// One that publishes its model with normal noise.
    pub fn noisy(deviation: f32, seed: u64) -> Self {
        Self { kind: AttackerKind::Noise(deviation), seed, own: Vec::new(), arrived: Vec::new() }
    }

    /// What it publishes in place of its own model. Shapes: `params`, answer: `[parameters]`.
    pub fn offered(&mut self, params: &[f32]) -> Vec<f32> {
        self.seed = self.seed.wrapping_add(1);
        match self.kind {
            AttackerKind::Attack(attack) => {
                let weight = 1.0 / (self.arrived.len() as f32 + 1.0);
                let honest: Vec<(f32, &[f32])> = self.arrived.iter().map(|model| (weight, &model[..])).collect();
                let victim = if self.own.is_empty() { params } else { &self.own };
                attack.answer(&AttackerView { victim, honest: &honest, own: params, weight }, self.seed)
            }
            AttackerKind::Negative => params.iter().map(|value| -value).collect(),
            AttackerKind::Noise(deviation) => {
                let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
                params.iter().map(|value| value + deviation * normal(&mut rng)).collect()
            }
        }
    }

    /// Whether it wants to see what arrives.
    pub fn observes(&self) -> bool {
        matches!(self.kind, AttackerKind::Attack(_))
    }

    /// Sees its own model and those that arrived, before they are mixed.
    pub fn observe(&mut self, own: &[f32], models: &[Vec<f32>]) {
        self.own = own.to_vec();
        self.arrived = models.to_vec();
    }

    /// Has seen nothing any more.
    pub fn forget(&mut self) {
        self.own.clear();
        self.arrived.clear();
    }
}

impl Attack {
    /// Whether the attacker trains, and on wrong labels.
    pub fn poisons_labels(self) -> bool {
        matches!(self, Attack::LabelFlip | Attack::Replacement(_))
    }

    /// The model sent to one victim, `[parameters]`: a pure function of what is seen, and of `seed` for the attacks
    /// that draw. Values that would not be finite are cut to the largest number, as they would be refused on the wire.
    ///
    /// One number a model, the victim at 1 and one neighbour at 3, both with weight 1/3: `ipm:0.5` gives -0.5 (1 + 3) /
    /// 2 = -1, and `isolation` with weight 1/3 gives 1 - (1/3) (3 - 1) / (1/3) = -1, whose mean with 1 and 3 is 1.
    pub fn answer(self, view: &AttackerView<'_>, seed: u64) -> Vec<f32> {
        let mut model = match self {
            Attack::LabelFlip => view.own.to_vec(),
            Attack::SignFlip => mean(view).iter().map(|value| -value).collect(),
            Attack::Gaussian(deviation) => {
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                mean(view).iter().map(|value| value + deviation * normal(&mut rng)).collect()
            }
            Attack::Ipm(factor) => mean(view).iter().map(|value| -factor * value).collect(),
            Attack::Alie(deviations) => mean_minus_deviations(view, deviations),
            Attack::Dissensus(strength) => dissensus(view, strength),
            Attack::Isolation => dissensus(view, 1.0),
            Attack::Replacement(boost) => {
                mean(view).iter().zip(view.own).map(|(mean, own)| mean + boost * (own - mean)).collect()
            }
        };
        model.iter_mut().for_each(|value| *value = if value.is_nan() { 0.0 } else { value.clamp(-MOST, MOST) });
        model
    }
}

/// Largest parameter an attacker sends.
const MOST: f32 = 1e30;

/// Mean of the victim and its honest neighbours.
fn mean(view: &AttackerView<'_>) -> Vec<f32> {
    let mut sum = view.victim.to_vec();
    for (_, model) in view.honest {
        sum.iter_mut().zip(*model).for_each(|(sum, value)| *sum += value);
    }
    let count = view.honest.len() as f32 + 1.0;
    sum.iter_mut().for_each(|sum| *sum /= count);
    sum
}

fn mean_minus_deviations(view: &AttackerView<'_>, deviations: f32) -> Vec<f32> {
    let mut model = mean(view);
    let count = view.honest.len().max(1) as f32;
    for (at, value) in model.iter_mut().enumerate() {
        let everyone = view.honest.iter().map(|(_, honest)| honest[at]).chain([view.victim[at]]);
        let variance = everyone.map(|honest| (honest - *value).powi(2)).sum::<f32>() / count;
        *value -= deviations * variance.sqrt();
    }
    model
}

fn dissensus(view: &AttackerView<'_>, strength: f32) -> Vec<f32> {
    let mut model = view.victim.to_vec();
    let factor = strength / view.weight.max(f32::MIN_POSITIVE);
    for (weight, honest) in view.honest {
        for ((value, honest), victim) in model.iter_mut().zip(*honest).zip(view.victim) {
            *value -= factor * weight * (honest - victim);
        }
    }
    model
}

impl fmt::Display for Attack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Attack::SignFlip => f.write_str("sign-flip"),
            Attack::Gaussian(deviation) => write!(f, "gaussian:{deviation}"),
            Attack::LabelFlip => f.write_str("label-flip"),
            Attack::Ipm(factor) => write!(f, "ipm:{factor}"),
            Attack::Alie(deviations) => write!(f, "alie:{deviations}"),
            Attack::Dissensus(strength) => write!(f, "dissensus:{strength}"),
            Attack::Isolation => f.write_str("isolation"),
            Attack::Replacement(boost) => write!(f, "replacement:{boost}"),
        }
    }
}

impl FromStr for Attack {
    type Err = ParseAttackError;

    fn from_str(text: &str) -> Result<Self, ParseAttackError> {
        let wrong = || ParseAttackError { got: text.chars().take(40).collect() };
        let (name, number) = text.split_once(':').map_or((text, None), |(name, number)| (name, Some(number)));
        let number = number.map(|number| number.parse().ok().filter(|value: &f32| value.is_finite()).ok_or_else(wrong));
        match (name, number.transpose()?) {
            ("sign-flip", None) => Ok(Attack::SignFlip),
            ("label-flip", None) => Ok(Attack::LabelFlip),
            ("isolation", None) => Ok(Attack::Isolation),
            ("gaussian", Some(deviation)) => Ok(Attack::Gaussian(deviation)),
            ("ipm", Some(factor)) => Ok(Attack::Ipm(factor)),
            ("alie", Some(deviations)) => Ok(Attack::Alie(deviations)),
            ("dissensus", Some(strength)) => Ok(Attack::Dissensus(strength)),
            ("replacement", Some(boost)) => Ok(Attack::Replacement(boost)),
            _ => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(attack: Attack) -> f32 {
        let (a, b, own) = ([2.0f32], [6.0f32], [100.0f32]);
        let honest = [(0.25, &a[..]), (0.25, &b[..])];
        attack.answer(&AttackerView { victim: &[1.0], honest: &honest, own: &own, weight: 0.25 }, 1)[0]
    }

    #[test]
    fn each_attack_by_hand() {
        assert_eq!(answer(Attack::SignFlip), -3.0);
        assert_eq!(answer(Attack::Ipm(0.5)), -1.5);
        // Of 1, 2 and 6: mean 3, sample deviation sqrt(14 / 2).
        assert!((answer(Attack::Alie(1.5)) - (3.0 - 1.5 * 7f32.sqrt())).abs() < 1e-6);
        // 1 - (0.25 * 1 + 0.25 * 5) / 0.25.
        assert_eq!(answer(Attack::Isolation), -5.0);
        assert_eq!(answer(Attack::Dissensus(2.0)), -11.0);
        assert_eq!(answer(Attack::LabelFlip), 100.0);
        assert_eq!(answer(Attack::Replacement(2.0)), 3.0 + 2.0 * 97.0);
        let noisy = answer(Attack::Gaussian(0.1));
        assert!((noisy - 3.0).abs() < 0.5 && noisy != 3.0);
        assert_eq!(answer(Attack::Ipm(f32::MAX)), -1e30, "cut to what the wire takes");
    }

    #[test]
    fn texts_round_trip_and_nonsense_is_refused() {
        for text in ["sign-flip", "gaussian:30", "label-flip", "ipm:0.1", "alie:10", "dissensus:1.5", "isolation"] {
            assert_eq!(text.parse::<Attack>().unwrap().to_string(), text);
        }
        for text in ["", "ipm", "ipm:x", "sign-flip:1", "alie:NaN"] {
            assert!(text.parse::<Attack>().is_err(), "{text}");
        }
    }
}
