//! Addresses to try that nobody announced: tickets, settings, the address book, and peers that were given up.

use std::time::Duration;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::output::Output;
use super::{Contact, MembershipConfig};
use crate::id::PeerId;
use crate::time::Time;

/// Most contacts kept: tickets, settings and an address book of 64 fit; more would be dialled for nothing.
const MAX_CONTACTS: usize = 128;
/// Time between two tries of one contact while there is nobody else.
const RETRY_ALONE: Duration = Duration::from_secs(5);
/// Longest pause between two tries of a contact that was connected before.
const RETRY_LOST: Duration = Duration::from_secs(25);
/// Most contacts dialled a second.
const MOST_A_SECOND: usize = 8;
/// Time between two dials of a contact while connections are enough: behind a partition, each side has enough.
const PROBE_EVERY: Duration = Duration::from_secs(5);
/// Failed dials after which a contact that was never connected is no longer dialled beside enough connections.
const MOST_PROBES: u32 = 8;

/// A contact and when to try it again.
#[derive(Debug, Clone)]
pub(super) struct Trial {
    pub contact: Contact,
    pub failures: u32,
    pub tried: bool,
    /// Whether its peer was connected before.
    pub lost: bool,
    pub after: Time,
}

impl Trial {
    fn may_be_probed(&self) -> bool {
        self.contact.peer.is_some() && self.tried && (self.lost || self.failures <= MOST_PROBES)
    }
}

/// The contacts of one peer, oldest first.
#[derive(Debug, Default)]
pub(super) struct Contacts {
    trials: Vec<Trial>,
    /// When the next one is dialled beside enough connections.
    probe_at: Time,
}

impl Contacts {
    /// Takes in a new contact, to be tried at once.
    pub fn add(&mut self, now: Time, own: PeerId, contact: Contact) {
        let is_own = contact.peer == Some(own);
        let known = self.trials.iter().any(|trial| trial.contact == contact);
        if is_own || known || contact.addresses.is_empty() || self.trials.len() >= MAX_CONTACTS {
            return;
        }
        self.trials.push(Trial { contact, failures: 0, tried: false, lost: false, after: now });
    }

    /// Takes in one that was known, in place of what was remembered of the same peer.
    pub fn remember(&mut self, trial: Trial) {
        if trial.contact.addresses.is_empty() {
            return;
        }
        self.trials.retain(|known| known.contact.peer != trial.contact.peer);
        if self.trials.len() >= MAX_CONTACTS {
            self.trials.remove(0);
        }
        self.trials.push(trial);
    }

    /// Forgets the contacts that name a peer.
    pub fn forget(&mut self, peer: &PeerId) {
        self.trials.retain(|trial| trial.contact.peer.as_ref() != Some(peer));
    }

    /// The contact that names a peer.
    pub fn of(&self, peer: &PeerId) -> Option<&Contact> {
        self.trials.iter().map(|trial| &trial.contact).find(|contact| contact.peer.as_ref() == Some(peer))
    }

    /// Everyone named by a contact.
    #[cfg(test)]
    pub fn named(&self) -> impl Iterator<Item = PeerId> + '_ {
        self.trials.iter().filter_map(|trial| trial.contact.peer)
    }

    /// A dial failed; without a name it may have been of any. Jitter keeps those apart that lost each other together.
    pub fn failed(
        &mut self,
        now: Time,
        peer: Option<PeerId>,
        alone: bool,
        config: &MembershipConfig,
        rng: &mut ChaCha8Rng,
    ) {
        for trial in self.trials.iter_mut().filter(|trial| peer.is_none() || trial.contact.peer == peer) {
            let most = match (alone, trial.lost) {
                (true, _) => RETRY_ALONE,
                (false, true) => RETRY_LOST,
                (false, false) => config.redial_most,
            };
            let pause = config.redial_pause(trial.failures).min(most);
            trial.after = now + pause.mul_f64(rng.random_range(1.0..1.25));
            trial.failures = trial.failures.saturating_add(1);
        }
    }

    /// Each with the time of its next try.
    pub fn next_tries(&self) -> impl Iterator<Item = (&Contact, Time)> {
        self.trials.iter().map(|trial| (&trial.contact, trial.after))
    }

    /// When to try each again.
    pub fn times(&self) -> impl Iterator<Item = Time> + '_ {
        self.trials.iter().map(|trial| trial.after)
    }

    /// When to try the first.
    pub fn next(&self) -> Option<Time> {
        self.times().min()
    }

    /// Dials those whose time has come, as far as there are too few connections.
    pub fn dial(
        &mut self,
        now: Time,
        connections: usize,
        config: &MembershipConfig,
        is_connected: impl Fn(&PeerId) -> bool,
        outputs: &mut Vec<Output>,
    ) {
        let (alone, few) = (connections == 0, connections < config.min_connections);
        let mut left = MOST_A_SECOND;
        for trial in self.trials.iter_mut().filter(|trial| trial.after <= now) {
            let connected = trial.contact.peer.as_ref().is_some_and(&is_connected);
            // A contact never tried is worth a dial at any time; a named one while connections are few; a nameless one,
            // which may be a peer already connected, only when there is nobody else.
            if !connected && (!trial.tried || alone || (few && trial.contact.peer.is_some())) {
                if left == 0 {
                    trial.after = now + Duration::from_secs(1);
                    continue;
                }
                left -= 1;
                trial.tried = true;
                outputs.push(Output::Dial { peer: trial.contact.peer, addresses: trial.contact.addresses.clone() });
                // The answer to this dial moves `after`; without one it is tried again after the longest pause.
                let pause = if alone { RETRY_ALONE } else { config.redial_most };
                trial.after = now + pause;
            }
        }
    }

    /// Beside enough connections, dials one contact whose time has come, now and then: it may be the way to the other side of
    /// a partition that is over.
    pub fn probe(
        &mut self,
        now: Time,
        config: &MembershipConfig,
        rng: &mut ChaCha8Rng,
        is_connected: impl Fn(&PeerId) -> bool,
        outputs: &mut Vec<Output>,
    ) {
        if now < self.probe_at {
            return;
        }
        let is_due = |trial: &&mut Trial| {
            let connected = trial.contact.peer.as_ref().is_some_and(&is_connected);
            trial.may_be_probed() && trial.after <= now && !connected
        };
        let mut due: Vec<&mut Trial> = self.trials.iter_mut().filter(is_due).collect();
        if due.is_empty() {
            return;
        }
        let trial = due.swap_remove(rng.random_range(0..due.len()));
        outputs.push(Output::Dial { peer: trial.contact.peer, addresses: trial.contact.addresses.clone() });
        trial.after = now + config.redial_most;
        self.probe_at = now + PROBE_EVERY.mul_f64(rng.random_range(0.75..1.25));
    }

    /// When to look again whom to probe; never, where there is nobody.
    pub fn next_probe(&self) -> Option<Time> {
        let first = self.trials.iter().filter(|trial| trial.may_be_probed()).map(|trial| trial.after).min();
        first.map(|after| after.max(self.probe_at))
    }
}
