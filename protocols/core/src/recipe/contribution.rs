//! What comes to a model from others, and what goes out.

use std::sync::Arc;

use crate::estimate::RoundObservation;
use crate::id::PeerId;
use crate::invariant::Invariant;
use crate::mixing::Refused;
use crate::mixing::pair::PendingDelta;
use crate::mixing::push_sum::Grant;
use crate::score::Fault;
use crate::wire::Publication;

/// A model from another peer: complete, hash-checked, still encoded, its values not yet checked.
#[derive(Debug, Clone, PartialEq)]
pub struct PulledModel {
    /// Whose it is.
    pub peer: PeerId,
    /// Its age, as claimed.
    pub age: u64,
    /// Its rows, as claimed.
    pub samples: u32,
    /// Weight that the own communication graph gives it; 0 without a graph.
    pub link: f32,
    /// Mass handed over with it, under push-sum.
    pub grant: Option<Grant>,
    /// The encoded model.
    pub blob: Arc<Vec<u8>>,
}

/// What to mix, and how.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MixOrder {
    /// Models of others, for the mixing rule.
    pub models: Vec<PulledModel>,
    /// Agreed differences, added after the rule.
    pub deltas: Vec<PendingDelta>,
    /// Mass of the own model, under push-sum.
    pub mass: u64,
    /// Whether to measure what estimates need: a pass over every model.
    pub observe: bool,
}

/// What a mix did.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MixReport {
    /// Whose models were mixed in.
    pub mixed: Vec<PeerId>,
    /// Whose were not, and why.
    pub refused: Vec<(PeerId, Refused)>,
    /// Whose were no models at all.
    pub faults: Vec<(PeerId, Fault)>,
    /// Age of the model now.
    pub age: u64,
    /// Whether the own model was far behind the others.
    pub was_behind: bool,
    /// What estimates need, where it was asked for.
    pub observation: Option<RoundObservation>,
    /// Invariants that the mix did not keep. The model is then as it was before the last training.
    pub broken: Vec<Invariant>,
}

/// The own model, ready to be pulled.
#[derive(Debug, Clone)]
pub struct Published {
    /// The model: first whole, then in the partial codec of the recipe, if it has one.
    pub publications: Vec<Publication>,
    /// Euclidean norm of the parameters.
    pub norm: f32,
}
