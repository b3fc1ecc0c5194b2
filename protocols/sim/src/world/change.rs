//! What an experimenter does to a running world.

use peerlearn_protocols::time::Time;

use super::config::Link;
use super::peer::SimPeer;
use super::timers::{Cause, Kind, Timer};
use super::{Environment, World, shard};
use crate::Digest;

/// Something done to one peer at an instant. What does not fit (a crash of one that is away) changes nothing.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Gone without goodbye: the others notice when their connections time out. It keeps its disk, and on it what it
    /// had when it last closed a round.
    Crash,
    /// Its process is killed: the system under it closes its connections, so the others notice at once. It has on its
    /// disk what it had when it last closed a round.
    Kill,
    /// Gone with goodbye, all it has on its disk, unless that is full.
    Leave,
    /// Back with what is on its disk and an address book of everyone it knew.
    Return,
    /// Back with an empty disk: the parameters it started with, round 0, the contacts of a newcomer.
    ReturnEmpty,
    /// It is suspended: it keeps everything, does nothing and hears nothing.
    Freeze,
    /// It is resumed: training goes on where it stopped, what was due meanwhile is done at once.
    Thaw,
    /// Its training takes this many times its usual time from the next round on; 1 is as before.
    Slow(f64),
    /// Its end of every link from now on; `None` is the world's.
    Link(Option<Link>),
    /// It is at another address: its connections and pulls end, and nobody finds it at the old one any more. Under
    /// [`super::Discovery::Fixed`] addresses do not change, so it only loses its pulls.
    MoveAddress,
    /// Its disk takes nothing more, or does again. It goes on in memory; when it ends, however it does, it is left with
    /// what was on the disk, rounds and all. Once there is room, the next closed round is kept. A lost disk is replaced
    /// by one with room.
    Disk {
        /// Whether it takes nothing more.
        full: bool,
    },
}

/// What is held back while a peer is frozen.
#[derive(Debug)]
pub(super) struct Frozen {
    since: Time,
    held: Vec<Timer>,
}

impl World<'_> {
    /// Changes a peer at [`World::now`], after everything that was due before.
    ///
    /// # Panics
    /// With a peer that there is not.
    pub fn change(&mut self, peer: usize, change: Change) {
        self.changes.push(peer as u64);
        self.env.disturbed = true;
        if let Change::Link(link) = &change {
            self.env.set_link(peer, link.clone());
        }
        self.with_peer(peer, |peer, env| peer.change(env, change));
    }

    /// Loses all messages from one peer to another from [`World::now`] on, or no longer does. A connection lives only
    /// where both ways do; announcements find another way as long as both have connections.
    pub fn block(&mut self, from: usize, to: usize, blocked: bool) {
        let pair = (from as u32, to as u32);
        self.env.disturbed = true;
        self.changes.push(u64::from(pair.0) << 32 ^ u64::from(pair.1) ^ u64::from(blocked) << 63);
        if blocked {
            self.env.blocked.insert(pair);
        } else {
            self.env.blocked.remove(&pair);
        }
    }

    /// Splits the network into the pieces that the peers' numbers say, from [`World::now`] on; `None` heals it. Beside
    /// [`super::WorldConfig::splits`], which go on. What is on its way still arrives.
    pub fn pieces(&mut self, pieces: Option<Vec<u8>>) {
        self.env.disturbed = true;
        pieces.iter().flatten().for_each(|&piece| self.changes.push(u64::from(piece)));
        self.env.pieces = pieces;
    }

    /// Does something to one peer now, and hands over what it sent and recorded.
    pub(super) fn with_peer(&mut self, index: usize, act: impl FnOnce(&mut SimPeer, &Environment<'_>)) {
        let peer = &mut self.peers[index];
        peer.now = peer.now.max(self.now);
        act(peer, &self.env);
        let number = index / shard::PEERS;
        std::mem::swap(&mut self.shards[number].outbox, &mut peer.outbox);
        self.shards[number].look_again(index % shard::PEERS, &self.peers[index]);
        self.hand_over();
    }
}

impl SimPeer {
    fn change(&mut self, env: &Environment<'_>, change: Change) {
        self.digest.push(change.code());
        match change {
            Change::Crash => self.crash(env),
            Change::Kill => self.kill(env),
            Change::Leave => self.leave(env),
            Change::Return if !self.stats.there => self.come(env),
            Change::ReturnEmpty if !self.stats.there => {
                self.lose_disk();
                self.come(env);
            }
            Change::Freeze if self.stats.there && self.frozen.is_none() => {
                self.note_wait();
                self.frozen = Some(Box::new(Frozen { since: self.now, held: Vec::new() }));
            }
            Change::Thaw => self.thaw(),
            Change::Slow(factor) if factor.is_finite() => self.slowness = factor.max(0.0),
            Change::MoveAddress => self.move_address(env),
            Change::Disk { full } => self.fill_disk(full),
            _ => {}
        }
    }

    fn kill(&mut self, env: &Environment<'_>) {
        if self.stats.there {
            self.end(env);
            self.fall_back();
        }
    }

    fn crash(&mut self, env: &Environment<'_>) {
        if self.stats.there {
            self.drop_connections(env);
            self.go(env);
            self.fall_back();
        }
    }

    /// Ends with goodbye, and all it has on its disk, as far as that takes it.
    pub(super) fn leave(&mut self, env: &Environment<'_>) {
        if self.stats.there {
            self.end(env);
            self.save();
        }
    }

    fn end(&mut self, env: &Environment<'_>) {
        // Nobody says goodbye while suspended.
        if self.frozen.is_some() {
            self.drop_connections(env);
        }
        self.go(env);
    }

    fn thaw(&mut self) {
        let Some(frozen) = self.frozen.take() else { return };
        self.progressed = self.now;
        let asleep = self.now.since(frozen.since);
        // Those held back first: of a wake-up that was set anew meanwhile the newer one counts.
        let due = self.timers.drain();
        for mut timer in frozen.held.into_iter().chain(due) {
            let trains = matches!(timer.cause, Cause::Process { kind: Kind::Trained { .. }, .. });
            timer.at = if trains { timer.at + asleep } else { timer.at.max(self.now) };
            self.timers.push(timer);
        }
    }

    /// Keeps what a frozen peer would do.
    pub(super) fn hold_back(&mut self, timer: Timer) {
        self.frozen.iter_mut().for_each(|frozen| frozen.held.push(timer));
    }
}

impl Change {
    /// A number of its own, for the digest.
    fn code(&self) -> u64 {
        match self {
            Change::Crash => 1,
            Change::Leave => 2,
            Change::Return => 3,
            Change::ReturnEmpty => 4,
            Change::Freeze => 5,
            Change::Thaw => 6,
            Change::Slow(factor) => 7 ^ factor.to_bits(),
            Change::Link(None) => 8,
            Change::Link(Some(link)) => {
                let mut digest = Digest::default();
                [link.delay.0, link.delay.1].iter().for_each(|delay| digest.push(delay.as_nanos() as u64));
                [link.loss, link.uplink].iter().for_each(|value| digest.push(value.to_bits()));
                digest.value()
            }
            Change::MoveAddress => 9,
            Change::Kill => 10,
            Change::Disk { full: true } => 11,
            Change::Disk { full: false } => 12,
        }
    }
}
