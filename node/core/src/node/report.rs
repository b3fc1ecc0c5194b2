//! What a node knows of its network and its machine.

use std::sync::PoisonError;

use peerlearn_protocols::membership::Contact;
use peerlearn_protocols::wire::VERSION;

use super::Node;
use crate::doctor::{
    ContactReport, OwnContact, Process, Report, problems, report_contacts, report_peers, unix_seconds,
};

/// Problems in a status.
const MAX_PROBLEMS: usize = 16;

impl Node {
    /// Everything the node knows of its network and its machine. Answers from memory, also while the learner trains.
    pub async fn report(&self) -> Report {
        let inner = &self.inner;
        let status = self.status().await;
        let connectivity = inner.components.network.connectivity().await;
        let known = inner.machine.known_peers().await.unwrap_or_default();
        let (notes, now) = (inner.notes.read(), inner.components.clock.now());
        let milliseconds = now.0 / 1000;
        let peers = report_peers(&known, &connectivity, &notes, now, |peer| inner.access.name_of(peer));
        Report {
            contacts: self.contacts().await,
            status,
            protocol: VERSION,
            unix_seconds: unix_seconds(),
            peers,
            connectivity,
            refused: notes.refused(milliseconds),
            not_let_in: notes.not_let_in(milliseconds),
            rounds: notes.rounds(milliseconds),
            max_connections: inner.max_connections,
            process: Process::this(),
        }
    }

    /// How those are that settings, tickets and the command line name.
    pub async fn contacts(&self) -> Vec<ContactReport> {
        let inner = &self.inner;
        let named = inner.contacts.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if named.is_empty() {
            return Vec::new();
        }
        let connectivity = inner.components.network.connectivity().await;
        let next = inner.machine.contacts().await.unwrap_or_default();
        report_contacts(&named, &connectivity, &next, inner.components.clock.now())
    }

    pub(super) fn remember_contact(&self, contact: Contact) {
        let mut named = self.inner.contacts.lock().unwrap_or_else(PoisonError::into_inner);
        OwnContact::new(contact).add_to(&mut named);
    }

    /// Contacts that cannot be reached, then what happened, newest first.
    pub(super) fn problems(&self, contacts: &[ContactReport]) -> Vec<String> {
        let mut all = problems(contacts);
        all.extend(self.inner.problems.newest());
        all.truncate(MAX_PROBLEMS);
        all
    }
}
