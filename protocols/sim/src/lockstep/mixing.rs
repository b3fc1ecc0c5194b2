//! The second half of a round: hearing, being lied to, mixing.

use std::sync::Arc;

use peerlearn_protocols::mixing::Rule;
use peerlearn_protocols::mixing::pair::PendingDelta;
use peerlearn_protocols::mixing::push_sum::Grant;
use peerlearn_protocols::recipe::{MixOrder, PulledModel};
use peerlearn_protocols::wire::blob;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::Network;
use super::links::WeightedEdge;
use crate::attack::AttackerView;

/// Hears, mixes and replaces the parameters of every honest peer that is there.
pub(super) fn mix_all(network: &mut Network<'_>) {
    let (config, round) = (&network.config, network.round);
    let seed = config.seed ^ round.wrapping_mul(0xa076_1d64_78bd_642f) ^ 0x11;
    let mut rngs: Vec<ChaCha8Rng> = (0..network.workers.len())
        .map(|peer| ChaCha8Rng::seed_from_u64(seed.wrapping_add((peer as u64) << 32)))
        .collect();
    let honest: Vec<bool> = network.workers.iter().map(|worker| worker.attack.is_none()).collect();
    let mut heard = config.links.of_round(&honest, round, &mut rngs);
    for ((links, rng), worker) in heard.iter_mut().zip(&mut rngs).zip(&network.workers) {
        // A round that a peer is not there for is a round it hears nobody in.
        links.retain(|link| worker.online && network.workers[link.from].online && !rng.random_bool(config.loss));
    }
    if config.recipe.rule == Rule::Pair {
        heard = matched(&heard);
    }
    let grants = grant_mass(network, &heard);
    let orders: Vec<Option<MixOrder>> =
        (0..network.workers.len()).into_par_iter().map(|peer| order(network, peer, &heard[peer], &grants)).collect();
    let model = network.model;
    let bytes = network.workers.par_iter_mut().zip(orders).filter_map(|(worker, order)| {
        let order = order?;
        let report = worker.state.mix(&mut worker.trainer.of(model), &order);
        let taken = order.models.iter().filter(|pulled| report.mixed.contains(&pulled.peer));
        worker.mass += taken.filter_map(|pulled| pulled.grant).map(|grant| grant.mass).sum::<u64>();
        let deltas = order.deltas.iter().map(|delta| delta.theirs.len() as u64).sum::<u64>();
        Some(deltas + order.models.iter().map(|pulled| pulled.blob.len() as u64).sum::<u64>())
    });
    network.bytes += bytes.sum::<u64>();
}

/// Pairs that hear each other, each peer in at most one: both sides of what was drawn, first come first served.
fn matched(heard: &[Vec<WeightedEdge>]) -> Vec<Vec<WeightedEdge>> {
    let mut pairs: Vec<Vec<WeightedEdge>> = vec![Vec::new(); heard.len()];
    for (peer, links) in heard.iter().enumerate() {
        let free = links.iter().find(|link| pairs[link.from].is_empty() && link.from != peer);
        if let (true, Some(link)) = (pairs[peer].is_empty(), free) {
            let back = WeightedEdge { from: peer, identity: super::links::identity(peer, 0), weight: link.weight };
            pairs[link.from].push(back);
            pairs[peer].push(*link);
        }
    }
    pairs
}

/// Under push-sum, takes from every holder one share for each of its askers and one for itself. Shapes: for each peer
/// one mass a link. Loss was decided before, as an account with acknowledgements makes it: what does not arrive is not
/// gone.
fn grant_mass(network: &mut Network<'_>, heard: &[Vec<WeightedEdge>]) -> Vec<Vec<u64>> {
    if network.config.recipe.rule != Rule::PushSum {
        return heard.iter().map(|links| vec![0; links.len()]).collect();
    }
    let mut askers = vec![0u64; heard.len()];
    heard.iter().flatten().for_each(|link| askers[link.from] += 1);
    let share: Vec<u64> = network.workers.iter().zip(&askers).map(|(worker, n)| worker.mass / (n + 1)).collect();
    for ((worker, share), askers) in network.workers.iter_mut().zip(&share).zip(&askers) {
        worker.mass -= share * askers;
    }
    heard.iter().map(|links| links.iter().map(|link| share[link.from]).collect()).collect()
}

/// What a peer mixes; nothing for an attacker, and for one that is not there.
fn order(network: &Network<'_>, peer: usize, heard: &[WeightedEdge], grants: &[Vec<u64>]) -> Option<MixOrder> {
    let (worker, rule) = (&network.workers[peer], network.config.recipe.rule);
    if worker.attack.is_some() || !worker.online {
        return None;
    }
    let lies = lies(network, peer, heard);
    let model = |(at, lie): (usize, Option<Arc<Vec<u8>>>)| {
        let (link, from) = (heard[at], &network.workers[heard[at].from]);
        let mass = grants[peer][at];
        PulledModel {
            peer: link.identity,
            age: from.state.age(),
            samples: from.state.samples(),
            link: link.weight,
            grant: (rule == Rule::PushSum).then_some(Grant { number: 1, mass }),
            blob: lie.unwrap_or_else(|| Arc::clone(&from.published)),
        }
    };
    let models: Vec<PulledModel> = lies.into_iter().enumerate().map(model).collect();
    if let (Rule::Pair, [partner]) = (rule, &models[..]) {
        let (ours, theirs) = (Arc::clone(&worker.published), Arc::clone(&partner.blob));
        let delta = PendingDelta { peer: partner.peer, ours, theirs, share: 0.5, age: partner.age };
        return Some(MixOrder { deltas: vec![delta], ..MixOrder::default() });
    }
    Some(MixOrder { models, mass: worker.mass, ..MixOrder::default() })
}

/// What attackers among the heard send instead of an honest model; all attackers at a victim send it the same.
fn lies(network: &Network<'_>, peer: usize, heard: &[WeightedEdge]) -> Vec<Option<Arc<Vec<u8>>>> {
    let is_byzantine = |link: &WeightedEdge| network.workers[link.from].attack.is_some();
    if !heard.iter().any(is_byzantine) {
        return vec![None; heard.len()];
    }
    let share = |link: &WeightedEdge| if link.weight > 0.0 { link.weight } else { 1.0 / (heard.len() as f32 + 1.0) };
    let params = |peer: usize| network.workers[peer].state.params();
    let honest: Vec<(f32, &[f32])> =
        heard.iter().filter(|link| !is_byzantine(link)).map(|link| (share(link), params(link.from))).collect();
    let weight = heard.iter().filter(|link| is_byzantine(link)).map(share).sum();
    let lie = |link: &WeightedEdge| {
        let attack = network.workers[link.from].attack?;
        let view = AttackerView { victim: params(peer), honest: &honest, own: params(link.from), weight };
        let seed = network.config.seed ^ network.round << 20 ^ (link.from as u64) << 8 ^ peer as u64;
        let codec = network.config.recipe.codec.whole();
        blob::encode(codec, network.model.layout(), &attack.answer(&view, seed)).ok().map(Arc::new)
    };
    heard.iter().map(lie).collect()
}
