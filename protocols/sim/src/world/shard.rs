//! Neighbouring peers with one letter box: the unit that a thread runs.
//!
//! A heap of messages a peer would be touched, cold, for each of them. A shard's letters lie side by side: what is due is
//! picked out and sorted once a window, and its peers run one after the other, each with all its letters of the window.

use peerlearn_protocols::time::Time;

use super::Environment;
use super::event::Letter;
use super::peer::Peer;

/// Peers a shard: few enough that their state stays in the second-level cache in a window, enough to be worth a thread. A
/// guess.
pub(super) const PEERS: usize = 64;

/// Never.
const NEVER: Time = Time(u64::MAX);

/// What is beside the peers of a shard.
#[derive(Debug)]
pub(super) struct Shard {
    /// When something happens to one of its peers next.
    pub next: Time,
    /// When each of its peers does something by itself next; here, so that looking for it touches no peer.
    alarms: Vec<Time>,
    /// The earliest letter.
    earliest: Time,
    /// Letters to its peers, in no order.
    mail: Vec<Letter>,
    due: Vec<Letter>,
    /// What its peers have sent in this window.
    pub outbox: Vec<Letter>,
}

impl Shard {
    pub fn new(peers: &[Peer]) -> Self {
        let alarms: Vec<Time> = peers.iter().map(|peer| peer.alarms.next()).collect();
        let next = alarms.iter().copied().min().unwrap_or(NEVER);
        Self { next, alarms, earliest: NEVER, mail: Vec::new(), due: Vec::new(), outbox: Vec::new() }
    }

    pub fn deliver(&mut self, letter: Letter) {
        self.earliest = self.earliest.min(letter.at);
        self.next = self.next.min(letter.at);
        self.mail.push(letter);
    }

    /// Learns that the alarms of a peer, the `within`-th here, may have changed.
    pub fn look_again(&mut self, within: usize, peer: &Peer) {
        self.alarms[within] = peer.alarms.next();
        self.find_next();
    }

    fn find_next(&mut self) {
        self.next = self.alarms.iter().copied().min().unwrap_or(NEVER).min(self.earliest);
    }

    /// Reads where each of those that have something to do will soon be read. Peers lie far apart in memory, and whoever
    /// runs one waits for each of its lines in turn; asked for together, the lines of many are on their way at once.
    fn warm(&self, peers: &[Peer], horizon: Time, first: u32) {
        let mut read = 0;
        for (peer, alarm) in peers.iter().zip(&self.alarms) {
            if *alarm < horizon {
                read ^= peer.warm();
            }
        }
        for letter in &self.due {
            let peer = &peers[(letter.to - first) as usize];
            read ^= peer.warm() ^ letter.message.warm();
        }
        std::hint::black_box(read);
    }

    /// Everything due before `horizon`.
    pub fn run(&mut self, env: &Environment<'_>, peers: &mut [Peer], horizon: Time) {
        if self.next >= horizon {
            return;
        }
        if self.earliest < horizon {
            self.due.extend(self.mail.extract_if(.., |letter| letter.at < horizon));
            self.due.sort_unstable_by_key(Letter::key);
            self.earliest = self.mail.iter().map(|letter| letter.at).min().unwrap_or(NEVER);
        }
        let first = peers.first().map_or(0, |peer| peer.index);
        self.warm(peers, horizon, first);
        let mut due = self.due.drain(..).peekable();
        for (index, (peer, alarm)) in (first..).zip(peers.iter_mut().zip(&mut self.alarms)) {
            if *alarm >= horizon && due.peek().is_none_or(|letter| letter.to != index) {
                continue;
            }
            std::mem::swap(&mut self.outbox, &mut peer.outbox);
            while let Some(letter) = due.next_if(|letter| letter.to == index) {
                peer.run_alarms(env, horizon, (letter.at, letter.from));
                peer.take(env, letter);
            }
            peer.run_alarms(env, horizon, (horizon, 0));
            std::mem::swap(&mut self.outbox, &mut peer.outbox);
            *alarm = peer.alarms.next();
        }
        drop(due);
        self.find_next();
    }
}
