//! Neighbouring peers with one mailbox: the unit that a thread runs.
//!
//! A heap of messages a peer would be touched, cold, for each of them. A shard's messages lie side by side: what is due
//! is picked out and sorted once a window, and its peers run one after the other, each with all its messages of the
//! window.

use peerlearn_protocols::time::Time;

use super::Environment;
use super::message::Message;
use super::peer::SimPeer;

/// Peers a shard: few enough that their state stays in the second-level cache in a window, enough to be worth a thread.
/// A guess.
pub(super) const PEERS: usize = 64;

/// Never.
const NEVER: Time = Time(u64::MAX);

/// What is beside the peers of a shard.
#[derive(Debug)]
pub(super) struct Shard {
    /// When something happens to one of its peers next.
    pub next: Time,
    /// When each of its peers does something by itself next; here, so that looking for it touches no peer.
    timers: Vec<Time>,
    /// The earliest message.
    earliest: Time,
    /// Messages to its peers, in no order.
    mail: Vec<Message>,
    due: Vec<Message>,
    /// What its peers have sent in this window.
    pub outbox: Vec<Message>,
}

impl Shard {
    pub fn new(peers: &[SimPeer]) -> Self {
        let timers: Vec<Time> = peers.iter().map(|peer| peer.timers.next()).collect();
        let next = timers.iter().copied().min().unwrap_or(NEVER);
        Self { next, timers, earliest: NEVER, mail: Vec::new(), due: Vec::new(), outbox: Vec::new() }
    }

    pub fn deliver(&mut self, message: Message) {
        self.earliest = self.earliest.min(message.at);
        self.next = self.next.min(message.at);
        self.mail.push(message);
    }

    /// Learns that the timers of a peer, the `within`-th here, may have changed.
    pub fn look_again(&mut self, within: usize, peer: &SimPeer) {
        self.timers[within] = peer.timers.next();
        self.find_next();
    }

    fn find_next(&mut self) {
        self.next = self.timers.iter().copied().min().unwrap_or(NEVER).min(self.earliest);
    }

    /// Reads where each of those that have something to do will soon be read. Peers lie far apart in memory, and
    /// whoever runs one waits for each of its lines in turn; asked for together, the lines of many are on their way at
    /// once.
    fn warm(&self, peers: &[SimPeer], horizon: Time, first: u32) {
        let mut read = 0;
        for (peer, timer) in peers.iter().zip(&self.timers) {
            if *timer < horizon {
                read ^= peer.warm();
            }
        }
        for message in &self.due {
            let peer = &peers[(message.to - first) as usize];
            read ^= peer.warm() ^ message.content.warm();
        }
        std::hint::black_box(read);
    }

    /// Everything due before `horizon`.
    pub fn run(&mut self, env: &Environment<'_>, peers: &mut [SimPeer], horizon: Time) {
        if self.next >= horizon {
            return;
        }
        if self.earliest < horizon {
            self.due.extend(self.mail.extract_if(.., |message| message.at < horizon));
            self.due.sort_unstable_by_key(Message::key);
            self.earliest = self.mail.iter().map(|message| message.at).min().unwrap_or(NEVER);
        }
        let first = peers.first().map_or(0, |peer| peer.index);
        self.warm(peers, horizon, first);
        let mut due = self.due.drain(..).peekable();
        for (index, (peer, timer)) in (first..).zip(peers.iter_mut().zip(&mut self.timers)) {
            if *timer >= horizon && due.peek().is_none_or(|message| message.to != index) {
                continue;
            }
            std::mem::swap(&mut self.outbox, &mut peer.outbox);
            while let Some(message) = due.next_if(|message| message.to == index) {
                peer.run_timers(env, horizon, (message.at, message.from));
                peer.take(env, message);
            }
            peer.run_timers(env, horizon, (horizon, 0));
            std::mem::swap(&mut self.outbox, &mut peer.outbox);
            *timer = peer.timers.next();
        }
        drop(due);
        self.find_next();
    }
}
