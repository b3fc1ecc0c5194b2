//! Which of the contacts that settings and tickets name could not be reached, and why.

use peerlearn_network::{Connectivity, FailedDial};
use peerlearn_protocols::membership::Contact;
use peerlearn_protocols::time::Time;
use peerlearn_task::TaskSummary;

use super::ContactReport;
use crate::ticket::{TicketError, bare, contact_of};

/// Most contacts remembered that were named while the node runs; the oldest goes first.
const MAX_CONTACTS: usize = 128;
/// Most unreachable contacts among the problems of `status`.
const MAX_PROBLEMS: usize = 8;

/// A contact with the words for it.
#[derive(Debug, Clone, PartialEq)]
pub struct OwnContact {
    words: String,
    contact: Contact,
}

impl OwnContact {
    /// A contact as it is called for people.
    pub fn new(contact: Contact) -> Self {
        let first = contact.addresses.first().map_or("no address", |address| address.0.as_str());
        let words = match &contact.peer {
            Some(peer) => format!("peer {} at {first}", peer.short()),
            None => first.to_owned(),
        };
        Self { words, contact }
    }

    /// Adds it to others, where it is not among them.
    pub fn add_to(self, others: &mut Vec<Self>) {
        if !others.contains(&self) {
            others.push(self);
            let over = others.len().saturating_sub(MAX_CONTACTS);
            others.drain(..over);
        }
    }
}

/// The contacts of the settings.
///
/// # Errors
/// One of them is neither a ticket nor a multiaddress, or for another task.
pub fn own_contacts(texts: &[String], task: &TaskSummary) -> Result<Vec<OwnContact>, TicketError> {
    let mut contacts = Vec::new();
    for text in texts {
        OwnContact::new(contact_of(text, task)?).add_to(&mut contacts);
    }
    Ok(contacts)
}

/// How each contact is. `next` is when the machine tries each of its contacts next.
pub fn report_contacts(
    contacts: &[OwnContact],
    how: &Connectivity,
    next: &[(Contact, Time)],
    now: Time,
) -> Vec<ContactReport> {
    let report = |own: &OwnContact| {
        let addresses = addresses_of(own, how);
        let failed = failure(own, &addresses, how);
        let planned = next.iter().find(|(contact, _)| match own.contact.peer {
            Some(peer) => contact.peer == Some(peer),
            None => *contact == own.contact,
        });
        let next_dial_ms = planned.map(|(_, at)| *at).filter(|at| *at >= now);
        let reached = is_reached(own, &addresses, how);
        ContactReport {
            contact: own.words.clone(),
            peer: own.contact.peer,
            reached,
            reason: failed.filter(|_| !reached).map(|failed| failed.reason.clone()),
            times: failed.filter(|_| !reached).map_or(0, |failed| failed.times),
            next_dial_ms: next_dial_ms.filter(|_| !reached).map(|at| at.since(now).as_millis() as u64),
        }
    };
    contacts.iter().map(report).collect()
}

/// The unreachable ones in words, for status.
pub fn problems(contacts: &[ContactReport]) -> Vec<String> {
    let unreached = contacts.iter().filter_map(|contact| Some((contact, contact.reason.as_ref()?)));
    let words = |(contact, reason): (&ContactReport, &String)| {
        let next = match contact.next_dial_ms {
            Some(milliseconds) => format!("next in {:.0} s", milliseconds as f64 / 1e3),
            None => "next when connections are few".to_owned(),
        };
        format!("contact {} cannot be reached: {reason}; tried {} times, {next}", contact.contact, contact.times)
    };
    unreached.take(MAX_PROBLEMS).map(words).collect()
}

/// Where a contact is: the addresses behind its name, where it is a name.
fn addresses_of(own: &OwnContact, how: &Connectivity) -> Vec<String> {
    let texts = own.contact.addresses.iter().map(|address| bare(&address.0));
    texts.flat_map(|text| how.names.get(text).cloned().unwrap_or_else(|| vec![text.to_owned()])).collect()
}

fn is_reached(own: &OwnContact, addresses: &[String], how: &Connectivity) -> bool {
    match own.contact.peer.or_else(|| named_in(own)) {
        Some(peer) => how.paths.contains_key(&peer),
        None => {
            let mut dialled = how.paths.values().filter(|path| path.dialled);
            dialled.any(|path| addresses.iter().any(|address| *address == bare(&path.remote)))
        }
    }
}

/// The peer that an address ends in.
fn named_in(own: &OwnContact) -> Option<peerlearn_protocols::id::PeerId> {
    own.contact.addresses.iter().find_map(|address| peerlearn_network::peer_at(&address.0))
}

fn failure<'a>(own: &OwnContact, addresses: &[String], how: &'a Connectivity) -> Option<&'a FailedDial> {
    let named = own.contact.peer.or_else(|| named_in(own));
    how.failed.iter().find(|failed| match (named, failed.peer) {
        (Some(ours), Some(theirs)) => ours == theirs,
        (None, None) => failed
            .addresses
            .iter()
            .any(|address| addresses.contains(address) || own.contact.addresses.iter().any(|own| own.0 == *address)),
        _ => false,
    })
}
