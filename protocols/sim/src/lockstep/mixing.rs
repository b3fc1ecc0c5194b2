//! The second half of a round: hearing, being lied to, mixing.

use peerlearn_protocols::mixing::{Candidate, Meta, Own, Rule, mix_judged, pair};
use peerlearn_protocols::wire::blob::{self, Blob};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::links::Link;
use super::{Network, Worker};
use crate::attack::Sight;

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
    if config.rule == Rule::Pair {
        heard = matched(&heard);
    }
    let grants = grant_mass(network, &heard);
    let mixed: Vec<Option<Mixed>> =
        (0..network.workers.len()).into_par_iter().map(|peer| mix_one(network, peer, &heard[peer], &grants)).collect();
    for (worker, mixed) in network.workers.iter_mut().zip(mixed) {
        let Some(mixed) = mixed else { continue };
        let local = worker.learner.before_mix();
        worker.learner.params = mixed.params;
        worker.learner.after_mix(local, mixed.age, mixed.was_behind, mixed.alone);
        worker.mass = mixed.mass;
        network.bytes += mixed.bytes;
    }
}

struct Mixed {
    params: Vec<f32>,
    age: u64,
    mass: u64,
    was_behind: bool,
    alone: bool,
    bytes: u64,
}

/// Pairs that hear each other, each peer in at most one: both sides of what was drawn, first come first served.
fn matched(heard: &[Vec<Link>]) -> Vec<Vec<Link>> {
    let mut pairs: Vec<Vec<Link>> = vec![Vec::new(); heard.len()];
    for (peer, links) in heard.iter().enumerate() {
        let free = links.iter().find(|link| pairs[link.from].is_empty() && link.from != peer);
        if let (true, Some(link)) = (pairs[peer].is_empty(), free) {
            let back = Link { from: peer, identity: super::links::identity(peer, 0), weight: link.weight };
            pairs[link.from].push(back);
            pairs[peer].push(*link);
        }
    }
    pairs
}

/// Under push-sum, takes from every holder one share for each of its askers and one for itself. Shapes: for each peer one
/// mass a link. Loss was decided before, as an account with acknowledgements makes it: what does not arrive is not gone.
fn grant_mass(network: &mut Network<'_>, heard: &[Vec<Link>]) -> Vec<Vec<u64>> {
    if network.config.rule != Rule::PushSum {
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

fn mix_one(network: &Network<'_>, peer: usize, heard: &[Link], grants: &[Vec<u64>]) -> Option<Mixed> {
    let (worker, config) = (&network.workers[peer], &network.config);
    if worker.attack.is_some() || !worker.online {
        return None;
    }
    let layout = network.model.layout();
    let lies = lies(network, peer, heard);
    let bytes_of = |at: usize| lies[at].as_deref().unwrap_or(&network.workers[heard[at].from].published);
    let meta_of = |from: &Worker| Meta::new(from.learner.age, from.learner.rows.len() as u32);
    let mut candidates = Vec::with_capacity(heard.len());
    for (at, link) in heard.iter().enumerate() {
        // A lie that is no model is not mixed; an honest model always parses.
        let Ok(model) = Blob::parse(bytes_of(at), layout) else { continue };
        let meta = Meta { link: link.weight, mass: grants[peer][at], ..meta_of(&network.workers[link.from]) };
        candidates.push(Candidate { peer: link.identity, meta, model });
    }
    let mut params = worker.learner.params.clone();
    let own = Meta { mass: worker.mass, ..meta_of(worker) };
    let bytes = (0..heard.len()).map(|at| bytes_of(at).len() as u64).sum();
    let mut judge = worker.learner.clone_for_loss(config.rule.needs_losses());
    let mut loss = |model: &[f32]| match &mut judge {
        Some(judge) => judge.loss_of(network.model, model, config.judged_rows),
        None => f32::NAN,
    };
    if let (Rule::Pair, [partner]) = (config.rule, &candidates[..]) {
        let ours = Blob::parse(&worker.published, layout).ok()?;
        pair::add_half(&mut params, &ours, &partner.model);
        let age = own.age.midpoint(partner.meta.age);
        return Some(Mixed { params, age, mass: own.mass, was_behind: false, alone: false, bytes });
    }
    let own = Own { params: &mut params, meta: own, round: network.round };
    let outcome = mix_judged(&config.rule, own, &candidates, &mut loss);
    let alone = outcome.mixed.is_empty();
    Some(Mixed { params, age: outcome.age, mass: outcome.mass, was_behind: outcome.was_behind, alone, bytes })
}

/// What attackers among the heard send instead of an honest model; all attackers at a victim send it the same.
fn lies(network: &Network<'_>, peer: usize, heard: &[Link]) -> Vec<Option<Vec<u8>>> {
    let is_liar = |link: &Link| network.workers[link.from].attack.is_some();
    if !heard.iter().any(is_liar) {
        return vec![None; heard.len()];
    }
    let share = |link: &Link| if link.weight > 0.0 { link.weight } else { 1.0 / (heard.len() as f32 + 1.0) };
    let params = |peer: usize| &network.workers[peer].learner.params[..];
    let honest: Vec<(f32, &[f32])> =
        heard.iter().filter(|link| !is_liar(link)).map(|link| (share(link), params(link.from))).collect();
    let weight = heard.iter().filter(|link| is_liar(link)).map(share).sum();
    let lie = |link: &Link| {
        let attack = network.workers[link.from].attack?;
        let sight = Sight { victim: params(peer), honest: &honest, own: params(link.from), weight };
        let seed = network.config.seed ^ network.round << 20 ^ (link.from as u64) << 8 ^ peer as u64;
        blob::encode(network.config.codec.whole(), network.model.layout(), &attack.answer(&sight, seed)).ok()
    };
    heard.iter().map(lie).collect()
}
