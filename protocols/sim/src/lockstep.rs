//! All peers together, round by round: train, publish, mix.
//!
//! Everything between peers goes through the codec, and merges are those of [`peerlearn_protocols::mixing`]; what is
//! simple is time. Work is spread over peers with rayon; every random draw belongs to one peer or to the round, so the
//! number of threads does not matter.

mod links;
mod mixing;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use peerlearn_protocols::codec::Codec;
use peerlearn_protocols::dataset::Dataset;
use peerlearn_protocols::mixing::Rule;
use peerlearn_protocols::params::ParamsError;
use peerlearn_protocols::recipe::{ModelState, Recipe, Snapshot};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

pub use links::Links;

use super::attack::Attack;
use super::{Digest, FlatTrainer, Model, disagreement, mean_model, measure};

/// How peers train, talk and mix.
#[derive(Debug, Clone)]
pub struct Lockstep {
    /// How they learn.
    pub recipe: Recipe,
    /// Who hears whom.
    pub links: Links,
    /// Chance that a model does not arrive.
    pub loss: f64,
    /// Chance that a peer is there in a round; one that is not neither trains nor talks.
    pub online: f64,
    /// Seeds everything.
    pub seed: u64,
}

impl Default for Lockstep {
    /// Plain SGD over a complete graph, uncompressed, nothing lost.
    fn default() -> Self {
        Self {
            recipe: Recipe { rule: Rule::Uniform, codec: Codec::F32, ..Recipe::default() },
            links: Links::complete(),
            loss: 0.0,
            online: 1.0,
            seed: 0,
        }
    }
}

/// One peer.
#[derive(Debug)]
pub struct Worker {
    /// What it has learnt.
    pub state: ModelState,
    /// What it learns from.
    pub trainer: FlatTrainer,
    /// Set for an attacker.
    pub attack: Option<Attack>,
    pub(super) published: Arc<Vec<u8>>,
    pub(super) online: bool,
    pub(super) mass: u64,
}

/// A network of peers that move together.
#[derive(Debug)]
pub struct Network<'a> {
    model: &'a dyn Model,
    config: Lockstep,
    workers: Vec<Worker>,
    round: u64,
    bytes: u64,
    digest: Digest,
}

/// What a peer starts with.
#[derive(Debug, Clone)]
pub struct Start {
    /// Rows it trains on.
    pub rows: Dataset,
    /// Own rows kept apart; models of others are tried on them first, under rules that try models.
    pub validation: Option<Dataset>,
    /// Parameters, `[parameters]`.
    pub params: Vec<f32>,
    /// Set for an attacker.
    pub attack: Option<Attack>,
}

impl Start {
    /// An honest peer. Shapes: `params: [parameters]`.
    pub fn new(rows: Dataset, params: Vec<f32>) -> Self {
        Self { rows, validation: None, params, attack: None }
    }
}

/// How honest peers do.
#[derive(Debug, Clone, PartialEq)]
pub struct Score {
    /// Accuracy of every honest peer, in their order.
    pub peers: Vec<f64>,
    /// Accuracy of the mean of the honest models.
    pub mean_model: f64,
    /// Root mean square distance of honest models to their mean.
    pub disagreement: f64,
}

impl Score {
    /// Mean accuracy of the honest peers.
    pub fn mean(&self) -> f64 {
        self.peers.iter().sum::<f64>() / self.peers.len().max(1) as f64
    }

    /// Accuracy of the worst honest peer.
    pub fn worst(&self) -> f64 {
        self.peers.iter().copied().fold(1.0, f64::min)
    }
}

impl<'a> Network<'a> {
    /// A network in which nobody has trained.
    ///
    /// # Errors
    /// Parameters that do not fit the model.
    pub fn new(model: &'a dyn Model, config: Lockstep, starts: Vec<Start>) -> Result<Self, ParamsError> {
        let (layout, recipe) = (Arc::new(model.layout().clone()), Arc::new(config.recipe.clone()));
        let worker = |(index, start): (usize, Start)| {
            let seed = config.seed.wrapping_mul(0x9e37_79b9).wrapping_add(index as u64);
            let poisons = start.attack.is_some_and(Attack::poisons_labels);
            let rows = if poisons { start.rows.with_flipped_labels() } else { start.rows };
            let (layout, recipe) = (Arc::clone(&layout), Arc::clone(&recipe));
            Ok(Worker {
                state: ModelState::new(layout, recipe, rows.len(), Snapshot::fresh(start.params), seed)?,
                trainer: FlatTrainer::new(rows, start.validation.as_ref(), &config.recipe.training, seed),
                attack: start.attack,
                published: Arc::default(),
                online: true,
                mass: peerlearn_protocols::mixing::push_sum::UNIT,
            })
        };
        let workers = starts.into_iter().enumerate().map(worker).collect::<Result<_, _>>()?;
        Ok(Self { model, config, workers, round: 0, bytes: 0, digest: Digest::default() })
    }

    /// One round of everybody.
    ///
    /// # Errors
    /// A model stopped being finite: the step size is too large.
    pub fn round(&mut self) -> Result<(), ParamsError> {
        self.decide_who_is_there();
        let (model, round) = (self.model, self.round + 1);
        self.workers.par_iter_mut().filter(|worker| worker.online).try_for_each(|worker| {
            let Worker { state, trainer, published, .. } = worker;
            let mut trainer = trainer.of(model);
            state.train(&mut trainer, round).map_err(|_| ParamsError::NotFinite { index: 0, value: f32::NAN })?;
            let model = state.publish(&mut trainer, round)?.publications.pop();
            // The last is in the codec of the recipe.
            *published = model.map(|publication| publication.blob).unwrap_or_default();
            Ok(())
        })?;
        mixing::mix_all(self);
        self.round += 1;
        for worker in &self.workers {
            self.digest.push_params(worker.state.params());
        }
        Ok(())
    }

    fn decide_who_is_there(&mut self) {
        if self.config.online >= 1.0 {
            return;
        }
        let mut rng = ChaCha8Rng::seed_from_u64(self.config.seed ^ self.round.wrapping_mul(0xd134_2543_de82_ef95));
        let online = self.config.online;
        self.workers.iter_mut().for_each(|worker| worker.online = rand::RngExt::random_bool(&mut rng, online));
    }

    /// Rounds done.
    pub fn rounds(&self) -> u64 {
        self.round
    }

    /// Bytes of models that arrived anywhere.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// All peers, in their order.
    pub fn workers(&self) -> &[Worker] {
        &self.workers
    }

    /// Models of the honest peers.
    pub fn honest(&self) -> impl Iterator<Item = &[f32]> + Clone {
        self.workers.iter().filter(|worker| worker.attack.is_none()).map(|worker| worker.state.params())
    }

    /// Measures every honest peer and the mean of their models.
    pub fn score(&self, rows: &Dataset) -> Score {
        let honest: Vec<&[f32]> = self.honest().collect();
        Score {
            peers: honest.par_iter().map(|params| measure(self.model, params, rows).accuracy).collect(),
            mean_model: measure(self.model, &mean_model(honest.iter().copied()), rows).accuracy,
            disagreement: disagreement(honest.iter().copied()),
        }
    }

    /// Accuracy of the mean of the models of some peers.
    pub fn mean_of(&self, peers: &[usize], rows: &Dataset) -> f64 {
        let models = peers.iter().map(|&peer| self.workers[peer].state.params());
        measure(self.model, &mean_model(models), rows).accuracy
    }

    /// Hash over all parameters after every round.
    pub fn digest(&self) -> u64 {
        self.digest.value()
    }
}
