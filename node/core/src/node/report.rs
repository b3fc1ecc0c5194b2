//! What a node knows of its network and its machine.

use std::sync::PoisonError;

use peerlearn_network::Connectivity;
use peerlearn_protocols::membership::Contact;
use peerlearn_protocols::wire::VERSION;

use super::Node;
use crate::access::unix_now;
use crate::doctor::{ContactReport, OwnContact, Process, Report, problems, report_contacts, report_peers};

/// Problems in a status.
const MAX_PROBLEMS: usize = 16;

impl Node {
    /// Everything the node knows of its network and its machine. Answers from memory, also while the learner trains.
    pub async fn report(&self) -> Report {
        let inner = &self.inner;
        let connectivity = inner.components.network.connectivity().await;
        let contacts = self.contacts_by(&connectivity).await;
        let status = self.status_with(&contacts).await;
        let known = inner.machine.known_peers().await.unwrap_or_default();
        let (notes, now) = (inner.notes.read(), inner.components.clock.now());
        let milliseconds = now.0 / 1000;
        let peers = report_peers(&known, &connectivity, &notes, now, |peer| inner.access.name_of(peer));
        Report {
            contacts,
            status,
            protocol: VERSION,
            unix_seconds: unix_now(),
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
        match self.named_contacts().is_empty() {
            true => Vec::new(),
            false => self.contacts_by(&self.inner.components.network.connectivity().await).await,
        }
    }

    async fn contacts_by(&self, connectivity: &Connectivity) -> Vec<ContactReport> {
        let (inner, named) = (&self.inner, self.named_contacts());
        if named.is_empty() {
            return Vec::new();
        }
        let next = inner.machine.contacts().await.unwrap_or_default();
        report_contacts(&named, connectivity, &next, inner.components.clock.now())
    }

    fn named_contacts(&self) -> Vec<OwnContact> {
        self.inner.contacts.lock().unwrap_or_else(PoisonError::into_inner).clone()
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
