//! Peers on their own clocks: the machine of nodes over a simulated network.
//!
//! What is real: [`peerlearn_protocols::peer::Peer`] with all that it composes, the conversation of
//! [`peerlearn_protocols::exchange::Pull`], [`peerlearn_protocols::recipe::ModelState`], codecs, mixing, training. What
//! is simulated: time, the learner's speed, the disk and the network. A message takes a delay drawn by its sender, may
//! be lost, and does not cross a [`Split`]; a model also takes its bytes over the sender's uplink. Gossip itself is not
//! simulated: an announcement reaches every connected peer on its side once, after a few delays. Keep-alives are not
//! either: see `connections.rs`.
//!
//! Peers may train at their own speed, over links of their own, and learn by a recipe of their own. A killed peer goes
//! back to what is on its disk, see `disk.rs`.
//!
//! Between two calls of [`World::run_until`] an experimenter may change the world: [`World::change`], [`World::block`],
//! [`World::pieces`]. With [`World::record`] it tells what happened to whom.
//!
//! Virtual time advances in windows no longer than the shortest delay. Within one, no peer can hear what another did in
//! it, so all of them run at once on as many threads as there are; what they sent is handed over between windows,
//! ordered by time, sender and number. The result is the same on one thread and on sixteen.

mod change;
mod config;
mod connections;
mod disk;
mod environment;
mod learning;
mod lie;
mod message;
mod network;
mod peer;
mod pulling;
mod record;
mod shard;
mod start;
#[cfg(test)]
mod tests;
mod timers;

use std::sync::Arc;

use peerlearn_protocols::id::PeerId;
use peerlearn_protocols::params::ParamsError;
use peerlearn_protocols::time::Time;
use rayon::prelude::*;

pub use change::Change;
pub use config::{Churn, Discovery, Link, Split, WorldConfig};
pub use lie::Lie;
pub use peer::Stats;
pub use record::{Recorded, SimEvent};
pub use start::PeerStart;

use super::{Digest, Model};
use connections::Watch;
use environment::Environment;
use peer::SimPeer;
use shard::Shard;

/// A network of simulated peers.
pub struct World<'a> {
    env: Environment<'a>,
    peers: Vec<SimPeer>,
    /// One for so many peers each.
    shards: Vec<Shard>,
    watch: Watch,
    /// Hash over what was done to the world.
    changes: Digest,
    now: Time,
    windows: u64,
}

impl<'a> World<'a> {
    /// A world at time zero. Peers start one after the other within [`WorldConfig::start_within`].
    ///
    /// # Errors
    /// Parameters that do not fit the model.
    pub fn new(model: &'a dyn Model, config: WorldConfig, starts: Vec<PeerStart>) -> Result<Self, ParamsError> {
        let mut env = Environment::new(model, config, starts.len() as u32);
        for (peer, start) in starts.iter().enumerate() {
            env.set_link(peer, start.link.clone());
            env.disturbed |= !start.churn.changes.is_empty();
        }
        let mut initial: Arc<[f32]> = [].into();
        let build = |(index, start): (usize, PeerStart)| {
            // As they mostly do in learning, where the task decides.
            if *initial != *start.params {
                initial = start.params[..].into();
            }
            SimPeer::new(&env, index as u32, start, Arc::clone(&initial))
        };
        let peers: Vec<SimPeer> = starts.into_iter().enumerate().map(build).collect::<Result<_, _>>()?;
        let shards = peers.chunks(shard::PEERS).map(Shard::new).collect();
        let watch = Watch::new(&env.config);
        Ok(Self { env, peers, shards, watch, changes: Digest::default(), now: Time::ZERO, windows: 0 })
    }

    /// Lets everything happen that is due before `end`.
    pub fn run_until(&mut self, end: Time) {
        // On a thread of the pool: handing every window over to it would cost more than small windows themselves.
        rayon::scope(|_| self.run_windows(end));
        self.now = end;
    }

    fn run_windows(&mut self, end: Time) {
        let lookahead = self.env.lookahead();
        loop {
            let first = self.shards.iter().map(|shard| shard.next).min().unwrap_or(end);
            if self.watch.next <= first && self.watch.next < end {
                self.look_at_connections();
                continue;
            }
            if first >= end {
                break;
            }
            let horizon = (first + lookahead).min(end).min(self.watch.next);
            self.run_window(horizon);
            self.windows += 1;
        }
    }

    fn run_window(&mut self, horizon: Time) {
        let env = &self.env;
        let peers = self.peers.par_chunks_mut(shard::PEERS);
        peers.zip(&mut self.shards).for_each(|(peers, shard)| shard.run(env, peers, horizon));
        self.hand_over();
    }

    /// Delivers what was sent.
    fn hand_over(&mut self) {
        for from in 0..self.shards.len() {
            let mut outbox = std::mem::take(&mut self.shards[from].outbox);
            for message in outbox.drain(..) {
                self.shards[message.to as usize / shard::PEERS].deliver(message);
            }
            self.shards[from].outbox = outbox;
        }
    }

    /// The time.
    pub fn now(&self) -> Time {
        self.now
    }

    /// Number of peers.
    pub fn len(&self) -> usize {
        self.peers.len()
    }

    /// Whether there is nobody.
    pub fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }

    /// Parameters of a peer, `[parameters]`.
    pub fn params(&self, peer: usize) -> &[f32] {
        self.peers[peer].state.params()
    }

    /// Parameters that a peer answers with, `[parameters]`: the moving average of its models where it keeps one.
    pub fn answer(&self, peer: usize) -> &[f32] {
        self.peers[peer].state.answer()
    }

    /// Parameters of every peer that neither lies nor attacks.
    pub fn honest(&self) -> impl Iterator<Item = &[f32]> + Clone {
        let honest = |peer: &&SimPeer| peer.lie.is_none() && !peer.trainer.attacks();
        self.peers.iter().filter(honest).map(|peer| peer.state.params())
    }

    /// Sample-steps in the ancestry of a peer's parameters.
    pub fn age(&self, peer: usize) -> u64 {
        self.peers[peer].state.age()
    }

    /// What a peer has done so far.
    pub fn stats(&self, peer: usize) -> Stats {
        self.peers[peer].stats(self.now)
    }

    /// Ids a peer knows.
    pub fn known(&self, peer: usize) -> Vec<PeerId> {
        self.peers[peer].machine.known_ids()
    }

    /// Windows run so far.
    pub fn windows(&self) -> u64 {
        self.windows
    }

    /// Hash over every event of every peer so far, and every change of the world.
    pub fn digest(&self) -> u64 {
        let mut whole = self.changes;
        self.peers.iter().for_each(|peer| whole.push(peer.digest.value()));
        whole.value()
    }
}

/// The id of a simulated peer; ids are in the order of numbers.
pub fn peer_id(index: u32) -> PeerId {
    let mut id = [0; 32];
    id[..4].copy_from_slice(&index.to_be_bytes());
    PeerId(id)
}

fn index_of(peer: PeerId) -> u32 {
    u32::from_be_bytes([peer.0[0], peer.0[1], peer.0[2], peer.0[3]])
}
