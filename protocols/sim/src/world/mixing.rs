//! Mixing what arrived, and the halves of meetings.

use peerlearn_protocols::exchange::Purse;
use peerlearn_protocols::exchange::pairing::Half;
use peerlearn_protocols::mixing::pair::add_half;
use peerlearn_protocols::mixing::{Candidate, Meta, MixOutcome, Own, mix_judged};
use peerlearn_protocols::params::Layout;
use peerlearn_protocols::score::Fault;
use peerlearn_protocols::wire::blob::{Blob, BlobError};

use super::Environment;
use super::peer::Peer;
use super::pulling::Arrived;

/// Rows that loss-based rules look at.
const JUDGED_ROWS: usize = 64;

impl Peer {
    /// Ends the round's gathering and mixes into the own model. Answers how many models were mixed in, and how many
    /// refused.
    pub(super) fn mix_arrived(&mut self, env: &Environment<'_>, last: bool) -> (usize, usize) {
        self.let_pulls_be_late(env);
        let arrived = std::mem::take(&mut self.arrived);
        self.stale.round_closed(arrived.len(), std::mem::take(&mut self.stale_seen));
        let halves = self.halves(last);
        self.mix_models(env, &arrived, &halves)
    }

    /// What was settled on what was offered before goes into what is offered next.
    pub(super) fn mix_halves(&mut self, env: &Environment<'_>) {
        let halves = self.halves(false);
        if !halves.is_empty() {
            self.mix_models(env, &[], &halves);
        }
    }

    fn halves(&mut self, last: bool) -> Vec<Half> {
        self.meetings.as_mut().map_or_else(Vec::new, |meetings| meetings.take(last))
    }

    fn mix_models(&mut self, env: &Environment<'_>, arrived: &[Arrived], halves: &[Half]) -> (usize, usize) {
        let layout = env.model.layout();
        let (candidates, faults) = candidates(arrived, layout);
        let mut judge = self.learner.clone_for_loss(self.recipe.rule.needs_losses());
        let mut loss = |params: &[f32]| match &mut judge {
            Some(judge) => judge.loss_of(env.model, params, JUDGED_ROWS),
            None => f32::NAN,
        };
        let local = self.learner.before_mix();
        let mass = self.purse.as_mut().map_or(0, Purse::close);
        let meta = Meta { mass, ..Meta::new(self.learner.age, self.learner.rows.len() as u32) };
        let own = Own { params: &mut self.learner.params, meta, round: self.stats.rounds };
        let mut outcome = mix_judged(&self.recipe.rule, own, &candidates, &mut loss);
        self.add_halves(halves, layout, &mut outcome);
        debug_assert!(peerlearn_protocols::invariant::finite(&self.learner.params));
        self.learner.after_mix(local, outcome.age, outcome.was_behind, outcome.mixed.is_empty());
        if let Some(purse) = &mut self.purse {
            let was_mixed = |model: &&Arrived| outcome.mixed.contains(&model.peer);
            let granted = arrived.iter().filter(was_mixed).filter_map(|model| Some((model.peer, model.grant?)));
            purse.settle(&granted.collect::<Vec<_>>());
        }
        if let Some(seen) = &mut self.seen {
            let met = halves.iter().filter_map(|half| Blob::parse(&half.theirs, layout).ok());
            let models = candidates.iter().map(|candidate| candidate.model).chain(met);
            seen.pulled = models.map(|model| whole(&model, &self.learner.params)).collect();
            seen.mixed.clone_from(&self.learner.params);
        }
        let (mixed, refused) = (outcome.mixed.len(), outcome.refused.len() + faults.len());
        self.stats.mixed += mixed as u64;
        self.stats.refused += refused as u64;
        faults.into_iter().for_each(|(peer, fault)| self.fault(env, peer, fault));
        (mixed, refused)
    }

    /// Both models of a half were read before it was settled. The age is that of both together, as in a node.
    fn add_halves(&mut self, halves: &[Half], layout: &Layout, outcome: &mut MixOutcome) {
        for half in halves {
            let (Ok(ours), Ok(theirs)) = (Blob::parse(&half.ours, layout), Blob::parse(&half.theirs, layout)) else {
                continue;
            };
            add_half(&mut self.learner.params, &ours, &theirs);
            outcome.mixed.push(half.peer);
            let age = half.age.min(outcome.age.saturating_mul(2));
            outcome.age = outcome.age / 2 + age / 2;
        }
    }
}

/// The models among what arrived, and whose are none.
fn candidates<'a>(
    arrived: &'a [Arrived],
    layout: &'a Layout,
) -> (Vec<Candidate<'a>>, Vec<(peerlearn_protocols::id::PeerId, Fault)>) {
    let (mut candidates, mut faults) = (Vec::with_capacity(arrived.len()), Vec::new());
    for model in arrived {
        match Blob::parse(&model.blob, layout) {
            Ok(blob) => candidates.push(Candidate {
                peer: model.peer,
                meta: Meta {
                    link: model.link,
                    mass: model.grant.map_or(0, |grant| grant.mass),
                    ..Meta::new(model.offer.age, model.offer.samples)
                },
                model: blob,
            }),
            Err(BlobError::NotFinite) => faults.push((model.peer, Fault::NotFinite)),
            Err(_) => faults.push((model.peer, Fault::WrongShape)),
        }
    }
    (candidates, faults)
}

/// A pulled model, with the own parameters where it has none.
fn whole(blob: &Blob<'_>, own: &[f32]) -> Vec<f32> {
    let mut params = vec![0.0; own.len()];
    blob.read_over(0, own, &mut params);
    params
}
