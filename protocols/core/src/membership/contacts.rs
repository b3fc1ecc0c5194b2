//! Addresses to try that nobody announced: tickets, settings, the address book, and peers that were given up.

use std::time::Duration;

use super::output::Output;
use super::{Contact, MembershipConfig};
use crate::id::PeerId;
use crate::time::Time;

/// Most contacts kept: tickets, settings and an address book of 64 fit; more would be dialled for nothing.
const MAX_CONTACTS: usize = 128;
/// Least time between two tries of one contact while there is nobody else.
const RETRY_ALONE: Duration = Duration::from_secs(5);

/// A contact and when to try it again.
#[derive(Debug, Clone)]
pub(super) struct Trial {
    pub contact: Contact,
    pub failures: u32,
    pub tried: bool,
    pub after: Time,
}

/// The contacts of one peer, oldest first.
#[derive(Debug, Default)]
pub(super) struct Contacts {
    trials: Vec<Trial>,
}

impl Contacts {
    /// Takes in a new contact, to be tried at once.
    pub fn add(&mut self, now: Time, own: PeerId, contact: Contact) {
        let is_own = contact.peer == Some(own);
        let known = self.trials.iter().any(|trial| trial.contact == contact);
        if is_own || known || contact.addresses.is_empty() || self.trials.len() >= MAX_CONTACTS {
            return;
        }
        self.trials.push(Trial { contact, failures: 0, tried: false, after: now });
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

    /// A dial failed; without a name it may have been of any.
    pub fn failed(&mut self, now: Time, peer: Option<PeerId>, config: &MembershipConfig) {
        for trial in self.trials.iter_mut().filter(|trial| peer.is_none() || trial.contact.peer == peer) {
            trial.after = now + config.redial_pause(trial.failures);
            trial.failures = trial.failures.saturating_add(1);
        }
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
        for trial in self.trials.iter_mut().filter(|trial| trial.after <= now) {
            let connected = trial.contact.peer.as_ref().is_some_and(&is_connected);
            // A contact never tried is worth a dial at any time; a named one while connections are few; a nameless one,
            // which may be a peer already connected, only when there is nobody else.
            if !connected && (!trial.tried || alone || (few && trial.contact.peer.is_some())) {
                trial.tried = true;
                outputs.push(Output::Dial { peer: trial.contact.peer, addresses: trial.contact.addresses.clone() });
                // The answer to this dial moves `after`; without one it is tried again after the longest pause.
                let pause =
                    if alone { config.redial_pause(trial.failures).max(RETRY_ALONE) } else { config.redial_most };
                trial.after = now + pause;
            }
        }
    }
}
