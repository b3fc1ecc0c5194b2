//! Neighbouring peers with one letter box: the unit that a thread runs.
//!
//! A heap of messages a peer would be touched, cold, for each of them. A shard's letters lie side by side: what is due is
//! picked out and sorted once a window, and its peers run one after the other, each with all its letters of the window.

use super::Environment;
use super::event::Letter;
use super::peer::Peer;
use crate::time::Time;

/// Peers a shard. Of 32, 64 and 128 the fastest with 10,000 peers, by little.
pub(super) const PEERS: usize = 64;

/// Never.
const NEVER: Time = Time(u64::MAX);

/// What is beside the peers of a shard.
#[derive(Debug)]
pub(super) struct Shard {
    /// When something happens to one of its peers next.
    pub next: Time,
    /// Letters to its peers, in no order.
    mail: Vec<Letter>,
    due: Vec<Letter>,
    /// What its peers have sent in this window.
    pub outbox: Vec<Letter>,
}

impl Shard {
    pub fn new(peers: &[Peer]) -> Self {
        let mut shard = Self { next: NEVER, mail: Vec::new(), due: Vec::new(), outbox: Vec::new() };
        shard.look(peers);
        shard
    }

    pub fn deliver(&mut self, letter: Letter) {
        self.next = self.next.min(letter.at);
        self.mail.push(letter);
    }

    /// Finds anew when something happens next.
    pub fn look(&mut self, peers: &[Peer]) {
        let letters = self.mail.iter().map(|letter| letter.at);
        self.next = letters.chain(peers.iter().map(Peer::next_alarm)).min().unwrap_or(NEVER);
    }

    /// Everything due before `horizon`.
    pub fn run(&mut self, env: &Environment<'_>, peers: &mut [Peer], horizon: Time) {
        if self.next >= horizon {
            return;
        }
        self.due.extend(self.mail.extract_if(.., |letter| letter.at < horizon));
        self.due.sort_unstable_by_key(Letter::key);
        let mut due = self.due.drain(..).peekable();
        for peer in peers.iter_mut() {
            let index = peer.index;
            let is_first = due.peek().is_some_and(|letter| letter.to == index);
            if !is_first && peer.next_alarm() >= horizon {
                continue;
            }
            std::mem::swap(&mut self.outbox, &mut peer.outbox);
            while let Some(letter) = due.next_if(|letter| letter.to == index) {
                peer.run_alarms(env, horizon, (letter.at, letter.from));
                peer.take(env, letter);
            }
            peer.run_alarms(env, horizon, (horizon, 0));
            std::mem::swap(&mut self.outbox, &mut peer.outbox);
        }
        drop(due);
        self.look(peers);
    }
}
