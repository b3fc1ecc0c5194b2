//! All peers together, round by round: train, publish, mix.
//!
//! Everything between peers goes through the codec, and merges are those of [`peerlearn_protocols::mixing`]; what is simple is time. Work
//! is spread over peers with rayon; every random draw belongs to one peer or to the round, so the number of threads does
//! not matter.

mod links;
mod mixing;
#[cfg(test)]
mod tests;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

pub use links::Links;

use peerlearn_protocols::codec::{Codec, Encoder, Rounding};
use peerlearn_protocols::mixing::Rule;
use peerlearn_protocols::params::ParamsError;

use super::attack::Attack;
use super::{Digest, Model, Rows, SimLearner, Training, disagreement, mean_model, measure};

/// How peers train, talk and mix.
#[derive(Debug, Clone)]
pub struct Lockstep {
    /// How they train.
    pub training: Training,
    /// How they mix.
    pub rule: Rule,
    /// Who hears whom.
    pub links: Links,
    /// How models travel.
    pub codec: Codec,
    /// How the codec rounds.
    pub rounding: Rounding,
    /// Chance that a model does not arrive.
    pub loss: f64,
    /// Chance that a peer is there in a round; one that is not neither trains nor talks.
    pub online: f64,
    /// Rows that loss-based rules look at.
    pub judged_rows: usize,
    /// Seeds everything.
    pub seed: u64,
}

impl Default for Lockstep {
    /// Plain SGD over a complete graph, uncompressed, nothing lost.
    fn default() -> Self {
        Self {
            training: Training::default(),
            rule: Rule::Uniform,
            links: Links::complete(),
            codec: Codec::F32,
            rounding: Rounding::Nearest,
            loss: 0.0,
            online: 1.0,
            judged_rows: 32,
            seed: 0,
        }
    }
}

/// One peer.
#[derive(Debug)]
pub struct Worker {
    /// What it has learnt.
    pub learner: SimLearner,
    /// Set for an attacker.
    pub attack: Option<Attack>,
    pub(super) encoder: Encoder,
    pub(super) published: Vec<u8>,
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
    pub rows: Rows,
    /// Parameters, `[parameters]`.
    pub params: Vec<f32>,
    /// Set for an attacker.
    pub attack: Option<Attack>,
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
        let worker = |(index, start): (usize, Start)| {
            model.layout().check(&start.params)?;
            let seed = config.seed.wrapping_mul(0x9e37_79b9).wrapping_add(index as u64);
            let mut rows = start.rows;
            if start.attack.is_some_and(Attack::poisons_labels) {
                let last = rows.classes as u32 - 1;
                rows.labels = rows.labels.iter().map(|label| last - label).collect();
            }
            Ok(Worker {
                encoder: Encoder::new(config.codec, config.rounding, seed ^ 0xe, &start.params),
                learner: SimLearner::new(start.params, rows, &config.training, seed),
                attack: start.attack,
                published: Vec::new(),
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
        let (model, training) = (self.model, &self.config.training);
        self.workers.par_iter_mut().filter(|worker| worker.online).try_for_each(|worker| {
            worker.learner.train(model, training);
            worker.published = worker.encoder.encode(model.layout(), &worker.learner.params)?;
            Ok(())
        })?;
        mixing::mix_all(self);
        self.round += 1;
        for worker in &self.workers {
            self.digest.push_params(&worker.learner.params);
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
        self.workers.iter().filter(|worker| worker.attack.is_none()).map(|worker| &worker.learner.params[..])
    }

    /// Measures every honest peer and the mean of their models.
    pub fn score(&self, rows: &Rows) -> Score {
        let honest: Vec<&[f32]> = self.honest().collect();
        Score {
            peers: honest.par_iter().map(|params| measure(self.model, params, rows).accuracy).collect(),
            mean_model: measure(self.model, &mean_model(honest.iter().copied()), rows).accuracy,
            disagreement: disagreement(honest.iter().copied()),
        }
    }

    /// Accuracy of the mean of the models of some peers.
    pub fn mean_of(&self, peers: &[usize], rows: &Rows) -> f64 {
        let models = peers.iter().map(|&peer| &self.workers[peer].learner.params[..]);
        measure(self.model, &mean_model(models), rows).accuracy
    }

    /// Hash over all parameters after every round.
    pub fn digest(&self) -> u64 {
        self.digest.value()
    }
}
