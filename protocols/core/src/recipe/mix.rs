//! Mixing into the own model, and what a mix teaches.

use super::{MixOrder, MixReport, ModelState, PulledModel, Trainer, norm};
use crate::estimate::{self, RoundObservation};
use crate::id::PeerId;
use crate::invariant::{self, Invariant};
use crate::mixing::pair::{PendingDelta, add_share};
use crate::mixing::{self, Candidate, Meta, MixOutcome, Own, Refused, mix_with_losses};
use crate::params::Layout;
use crate::score::Fault;
use crate::wire::blob::{Blob, BlobError};

impl ModelState {
    /// Mixes models of others into the own one by the rule of the recipe, adds what symmetric exchanges agreed on, and
    /// lets the control variate, the outer step, the schedule and the moving average take note.
    ///
    /// A model that is none is no error: it is named in [`MixReport::faults`].
    pub fn mix<T: Trainer + ?Sized>(&mut self, trainer: &mut T, order: &MixOrder) -> MixReport {
        let layout = self.layout.clone();
        let (candidates, faults) = parse(&order.models, &layout);
        let deltas: Vec<Delta<'_>> = order.deltas.iter().filter_map(|delta| Delta::read(delta, &layout)).collect();
        self.let_observe(trainer, &candidates, &deltas);
        if order.observe && self.distance == 0.0 {
            // Nothing was trained since the last mix, so this is how it left the model.
            self.mixed.clone_from(&self.params);
        }
        let squared = order.observe.then(|| self.squared_distances(&candidates, &deltas));
        let local = self.variate.correction().map(|_| self.params.clone());
        let mut outcome = self.apply_rule(trainer, &candidates, order.mass);
        self.add_deltas(&deltas, &mut outcome);
        self.correct_drift(local, &outcome);
        (self.age, self.distance) = (outcome.age, 0.0);
        self.keep_up(outcome.was_behind);
        let broken = self.check(&outcome);
        let observation = squared.map(|squared| self.observation(squared, &outcome));
        let MixOutcome { mixed, refused, age, was_behind, .. } = outcome;
        MixReport { mixed, refused, faults, age, was_behind, observation, broken }
    }

    /// What should never be, and is looked at all the same. A model that is not finite is not kept.
    fn check(&mut self, outcome: &MixOutcome) -> Vec<Invariant> {
        let is_finite = invariant::finite(&self.params);
        if !is_finite && self.mixed.len() == self.params.len() {
            self.params.clone_from(&self.mixed);
        }
        let kept = [(Invariant::NoOverreach, outcome.is_fair), (Invariant::Finite, is_finite)];
        kept.into_iter().filter(|(_, holds)| !holds).map(|(invariant, _)| invariant).collect()
    }

    fn let_observe<T: Trainer + ?Sized>(&self, trainer: &mut T, candidates: &[Candidate<'_>], deltas: &[Delta<'_>]) {
        if trainer.observes() {
            let models =
                candidates.iter().map(|candidate| candidate.model).chain(deltas.iter().map(|delta| delta.theirs));
            let decoded = |model: Blob<'_>| {
                let mut params = vec![0.0; self.params.len()];
                model.read_over(0, &self.params, &mut params);
                params
            };
            trainer.observe(&self.params, &models.map(decoded).collect::<Vec<_>>());
        }
    }

    /// Squared distances of the own model, before it is mixed, to others.
    fn squared_distances(&self, candidates: &[Candidate<'_>], deltas: &[Delta<'_>]) -> Vec<(PeerId, f64)> {
        let pulled = candidates.iter().map(|candidate| (candidate.peer, candidate.model));
        let (peers, models): (Vec<PeerId>, Vec<Blob<'_>>) =
            pulled.chain(deltas.iter().map(|delta| (delta.peer, delta.theirs))).unzip();
        peers.into_iter().zip(mixing::squared_distances(&self.params, &models)).collect()
    }

    fn apply_rule<T: Trainer + ?Sized>(
        &mut self,
        trainer: &mut T,
        candidates: &[Candidate<'_>],
        mass: u64,
    ) -> MixOutcome {
        let meta = Meta { mass, ..Meta::new(self.age, self.samples) };
        // Rules that tighten with time count the rounds behind the model, which one that joined late has too.
        let own = Own { params: &mut self.params, meta, round: self.schedule };
        mix_with_losses(&self.recipe.rule, own, candidates, &mut |params| trainer.loss(params))
    }

    /// A model that was exchanged with another has the mean of both ages, a claim counted twice the own at most.
    fn add_deltas(&mut self, deltas: &[Delta<'_>], outcome: &mut MixOutcome) {
        for delta in deltas {
            add_share(&mut self.params, &delta.ours, &delta.theirs, delta.share);
            outcome.mixed.push(delta.peer);
            let theirs = delta.age.min(outcome.age.saturating_mul(2));
            outcome.age = outcome.age / 2 + theirs / 2;
        }
    }

    /// Learns from what the mix changed. A mix of nobody is no observation of drift, and an outer step on the own model
    /// alone would only be a larger learning rate. One who was far behind has a past that no longer counts.
    fn correct_drift(&mut self, local: Option<Vec<f32>>, outcome: &MixOutcome) {
        if outcome.was_behind {
            self.variate.reset();
            self.outer.iter_mut().for_each(|outer| outer.reset(&self.params));
        } else if !outcome.mixed.is_empty() {
            local.iter().for_each(|local| self.variate.update(local, &self.params, self.distance));
            self.outer.iter_mut().for_each(|outer| outer.step(&mut self.params));
        }
    }

    fn keep_up(&mut self, was_behind: bool) {
        if was_behind {
            // A newcomer with the step size of a beginner would undo what the others have refined. Most of those it
            // asked would have to lie to lead it here.
            self.schedule = self.schedule.max(self.rounds_behind(self.age));
            self.average.reset(&self.params);
        } else {
            self.average.update(&self.params, self.schedule);
        }
    }

    /// Rounds of this peer that a model of this age is worth.
    fn rounds_behind(&self, age: u64) -> u64 {
        let training = &self.recipe.training;
        let rows = training.batch.min(self.samples as usize).max(1) as u64;
        age / (u64::from(training.steps) * rows).max(1)
    }

    /// What estimates are made of: without models that are stale, which look like a group of their own.
    fn observation(&self, mut squared: Vec<(PeerId, f64)>, outcome: &MixOutcome) -> RoundObservation {
        let stale = |peer: PeerId| {
            outcome.refused.iter().any(|(other, why)| *other == peer && matches!(why, Refused::Stale { .. }))
        };
        squared.retain(|(peer, _)| !stale(*peer));
        let movement = estimate::squared_distance(&self.mixed, &self.params).map_or(f64::NAN, f64::sqrt);
        RoundObservation { squared, movement, norm: norm(&self.params) }
    }
}

/// A delta whose two models were read.
struct Delta<'a> {
    peer: PeerId,
    ours: Blob<'a>,
    theirs: Blob<'a>,
    share: f32,
    age: u64,
}

impl<'a> Delta<'a> {
    /// Reads both models; they were checked before the difference was agreed on.
    fn read(delta: &'a PendingDelta, layout: &'a Layout) -> Option<Self> {
        let (ours, theirs) = (Blob::parse(&delta.ours, layout).ok()?, Blob::parse(&delta.theirs, layout).ok()?);
        Some(Self { peer: delta.peer, ours, theirs, share: delta.share, age: delta.age })
    }
}

/// The models among what was pulled, and whose are none.
fn parse<'a>(models: &'a [PulledModel], layout: &'a Layout) -> (Vec<Candidate<'a>>, Vec<(PeerId, Fault)>) {
    let (mut candidates, mut faults) = (Vec::with_capacity(models.len()), Vec::new());
    for pulled in models {
        let mass = pulled.grant.map_or(0, |grant| grant.mass);
        let meta = Meta { link: pulled.link, mass, ..Meta::new(pulled.age, pulled.samples) };
        match Blob::parse(&pulled.blob, layout) {
            Ok(model) => candidates.push(Candidate { peer: pulled.peer, meta, model }),
            Err(BlobError::NotFinite) => faults.push((pulled.peer, Fault::NotFinite)),
            Err(_) => faults.push((pulled.peer, Fault::WrongShape)),
        }
    }
    (candidates, faults)
}
