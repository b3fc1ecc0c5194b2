//! Mixing rules: models in, model out.
//!
//! A rule looks at the *context* of one merge (what candidates claim, how far they are from the own model and from each
//! other, how well they do on own rows) and gives a *plan*: a weight or a reason to refuse for each candidate, or a
//! statistic to take coordinate by coordinate. The plan is then carried out block by block straight from the encoded
//! models, so that no second model in `f32` ever exists. n is the number of candidates, d of parameters:
//!
//! | setting | rule | work | source | when |
//! |---|---|---|---|---|
//! | `uniform` | x <- mean of own and all | n d | Epidemic Learning, de Vos et al. 2023, eq. 2 | equals on fresh random peers |
//! | `sample-weighted` | by rows, capped | n d | FedAvg, McMahan et al. 2017 | sizes differ mildly |
//! | `metropolis` | the weights of the graph, 1 / (1 + max degree) | n d | Xiao, Boyd, Kim 2007, eq. 4 | static graphs |
//! | `age-limited` | uniform without the stale | n d | after Danner et al. 2023 | the default: churn, newcomers |
//! | `pair` | both of a pair take their mean | d | Boyd et al. 2006; AD-PSGD, Lian et al. 2018 | exact mean wanted, two at a time |
//! | `push-sum` | by mass that is handed over | n d | Kempe et al. 2003; SGP, Assran et al. 2019 | exact mean on directed, lossy links |
//! | `median` | coordinate median | n log² n d | Yin et al. 2018, def. 1 | few Byzantine peers, similar data |
//! | `trimmed-mean:B` | drop the B largest and smallest a coordinate | n log² n d | Yin et al. 2018, def. 2 | at most B Byzantine peers a draw |
//! | `multi-krum:B` | mean of the n - B with the nearest neighbours | n² d | Blanchard et al. 2017 | IID data, far-off Byzantine peers |
//! | `ios:B` | B times drop the farthest from the mean | n² d | Wu, Chen, Ling 2023, alg. 2 | the first choice against Byzantine peers |
//! | `clip:R` | every difference at most R long | n d | ClippedGossip, He et al. 2022, eq. 3 | a radius is known |
//! | `clip:auto` | radius: the median distance | n d | the same, section 5, in a form that needs no oracle | no radius is known |
//! | `ubar:RHO` | of the RHO n nearest those no worse on own rows | n d + losses | Guo et al. 2021, alg. 1 | similar data, many Byzantine peers |
//! | `balance:G` | those within G e^(-t) of the own norm | n d | BALANCE, Fang et al. 2024, eq. 5 | any share of Byzantine peers |
//!
//! Robust rules never take the least bad when all are bad: with nobody acceptable the own model stays.
//!
//! Invariant (*no overreach*): with `n` candidates mixed, no candidate's weight exceeds `1 / (n + 1)`, whatever age or
//! sample count it claims. A peer that appears twice counts once. Exempt are `push-sum` (its mass is its weight; for
//! peers that trust each other) and `metropolis` on graphs whose weights are chosen by the receiver itself.
//!
//! A new rule is one file that implements [`Mixing`] and one line in each of [`Rule::mixing`] and `text.rs`.

mod age;
mod apply;
mod balance;
mod clip;
mod columns;
mod context;
mod distances;
mod ios;
mod krum;
mod means;
mod network;
pub mod pair;
pub mod push_sum;
#[cfg(test)]
mod tests;
mod text;
mod trimmed;
mod ubar;

use serde::{Deserialize, Serialize};

pub use age::StaleFilter;
pub use apply::{Candidate, MixOutcome, Own, mix, mix_with_losses};
pub use context::{MixContext, Needs};
pub use distances::squared_distances;
pub use text::ParseRuleError;

/// How models are averaged; see the table in the module documentation.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Rule {
    /// Everyone counts the same.
    Uniform,
    /// By rows of training data, capped by the invariant. It hurt at Dirichlet 0.1 (85 % against 88 % on MNIST).
    SampleWeighted,
    /// By the weights of the graph.
    Metropolis,
    /// Everyone counts the same, but a model far behind in age does not pull fresher ones down.
    #[default]
    AgeLimited,
    /// Half and half with one partner, who does the same.
    Pair,
    /// By mass.
    PushSum,
    /// Coordinate median of own and all.
    Median,
    /// Coordinate mean without the `b` largest and smallest, then the own model with one share.
    TrimmedMean {
        /// Byzantine peers assumed among the candidates.
        b: u16,
    },
    /// Mean of own and the n - b candidates with the best Krum scores.
    MultiKrum {
        /// Byzantine peers assumed among the candidates.
        b: u16,
    },
    /// Iterative outlier scissor.
    Ios {
        /// Byzantine peers assumed among the candidates.
        b: u16,
    },
    /// Self-centred clipping.
    Clip {
        /// Longest difference; `None` takes the median distance of the candidates.
        radius: Option<f32>,
    },
    /// Nearest first, then no worse than the own model on own rows.
    Ubar {
        /// Fraction of honest candidates assumed.
        rho: f32,
    },
    /// Within a shrinking ball around the own model.
    Balance {
        /// Radius at the start, in own norms.
        gamma: f32,
        /// Rounds over which the radius falls by e.
        rounds: u32,
    },
}

/// What a rule knows of a model without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Meta {
    /// Sample-steps over its ancestry, as claimed.
    pub age: u64,
    /// Rows of training data, as claimed.
    pub samples: u32,
    /// Weight that the receiver's own graph gives this link; 0 where there is no graph.
    pub link: f32,
    /// Mass handed over with the model, in parts of [`push_sum::UNIT`]; 0 under every other rule.
    pub mass: u64,
}

impl Meta {
    /// Age and rows, on no graph and without mass.
    pub fn new(age: u64, samples: u32) -> Self {
        Self { age, samples, ..Self::default() }
    }
}

/// Why a candidate is not mixed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, thiserror::Error)]
pub enum Refused {
    /// Far behind the others in age.
    #[error("model of age {age} is far behind the median age {median}")]
    Stale {
        /// Its age.
        age: u64,
        /// Median age of own model and candidates.
        median: u64,
    },
    /// The same peer is already among the candidates.
    #[error("the peer is already mixed")]
    Twice,
    /// Too far from the own model, or so far that the distance cannot be measured.
    #[error("model is {distance} away, at most {most} is taken")]
    Far {
        /// Its distance.
        distance: f64,
        /// The most that is taken.
        most: f64,
    },
    /// Among the assumed number of outliers.
    #[error("model is an outlier of this merge")]
    Outlier,
    /// Does worse on own rows.
    #[error("model has loss {loss} on own rows, the own model {own}")]
    Worse {
        /// Its loss.
        loss: f32,
        /// That of the own model.
        own: f32,
    },
    /// The rule cannot tell good from bad among so few.
    #[error("{got} candidates are too few for this rule, it needs {need}")]
    TooFew {
        /// Candidates there are.
        got: usize,
        /// Candidates needed.
        need: usize,
    },
    /// No mass came with it, or more than anyone can have.
    #[error("model came with an impossible mass {mass}")]
    Mass {
        /// The mass claimed.
        mass: u64,
    },
}

/// The weight of each candidate, or why it is refused.
pub type Weights = Vec<Result<f32, Refused>>;

/// What a rule wants done.
#[derive(Debug, Clone, PartialEq)]
pub enum Plan {
    /// A weighted mean; the own model takes what the weights leave.
    Weighted(Weights),
    /// A statistic of the accepted candidates, coordinate by coordinate.
    Columns(Column, Vec<Result<(), Refused>>),
}

/// A statistic of one coordinate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// Median of own and candidates; the mean of the middle two where their number is even.
    Median,
    /// Mean of candidates without the `b` largest and smallest, then own with one share.
    Trimmed {
        /// How many on each side.
        b: usize,
    },
}

/// A mixing rule.
pub trait Mixing {
    /// What the rule looks at; only that is computed.
    fn needs(&self) -> Needs {
        Needs::Nothing
    }

    /// What to do with the candidates of a context. Shapes: one entry a candidate, in their order.
    fn plan(&self, context: &MixContext<'_>) -> Plan;
}

impl Rule {
    /// Calls `with` with the rule itself.
    pub fn mixing<T>(self, with: impl FnOnce(&dyn Mixing) -> T) -> T {
        match self {
            Rule::Uniform => with(&means::Uniform),
            Rule::SampleWeighted => with(&means::SampleWeighted),
            Rule::Metropolis => with(&means::Metropolis),
            Rule::AgeLimited => with(&age::AgeLimited),
            Rule::Pair => with(&pair::Pair),
            Rule::PushSum => with(&push_sum::PushSum),
            Rule::Median => with(&trimmed::Median),
            Rule::TrimmedMean { b } => with(&trimmed::TrimmedMean { b: b.into() }),
            Rule::MultiKrum { b } => with(&krum::MultiKrum { b: b.into() }),
            Rule::Ios { b } => with(&ios::Ios { b: b.into() }),
            Rule::Clip { radius } => with(&clip::Clip { radius }),
            Rule::Ubar { rho } => with(&ubar::Ubar { rho }),
            Rule::Balance { gamma, rounds } => with(&balance::Balance { gamma, rounds }),
        }
    }

    /// Whether the rule is there for Byzantine peers among the candidates; the others are means, which any of them
    /// moves.
    pub fn is_robust(self) -> bool {
        match self {
            Rule::Uniform | Rule::SampleWeighted | Rule::Metropolis | Rule::AgeLimited | Rule::Pair | Rule::PushSum => {
                false
            }
            Rule::Median
            | Rule::TrimmedMean { .. }
            | Rule::MultiKrum { .. }
            | Rule::Ios { .. }
            | Rule::Clip { .. }
            | Rule::Ubar { .. }
            | Rule::Balance { .. } => true,
        }
    }

    /// Whether the rule must be told losses on own rows.
    pub fn needs_losses(self) -> bool {
        self.mixing(|rule| rule.needs() == Needs::Losses)
    }
}
