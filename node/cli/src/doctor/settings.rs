//! The settings of a node that does not run: whether they are sound, and whether names in them resolve.

use std::path::Path;
use std::time::Duration;

use peerlearn::network::{Carrier, is_multiaddress};
use peerlearn::ticket::Ticket;

use super::finding::Finding;
use crate::args::ConfigArgs;
use crate::setup::layers;

/// Longest wait for the system to find a name.
const PATIENCE: Duration = Duration::from_secs(5);
/// Most contacts looked at.
const MAX_CONTACTS: usize = 32;

pub(super) async fn findings(args: &ConfigArgs, home: &Path) -> Vec<Finding> {
    let config = match layers(args, Some(home)).and_then(|layers| Ok(layers.load()?)) {
        Ok(config) => config,
        Err(error) => {
            return vec![Finding::fault(
                "settings",
                error.to_string(),
                "mend the setting; peerlearn init writes a commented file",
            )];
        }
    };
    let network = &config.network;
    let mut findings = vec![Finding::ok("settings", "the settings are sound")];
    if !network.listen.iter().any(|text| Carrier::of(text) == Carrier::Quic) {
        findings
            .push(Finding::note("udp", "the settings name no QUIC address to listen on, so nobody is reached by UDP"));
    }
    if !network.mdns {
        findings.push(Finding::note("mdns", "peers on the local network are not looked for (network.mdns is false)"));
    }
    for text in network.contacts.iter().take(MAX_CONTACTS) {
        findings.push(contact(text).await);
    }
    findings
}

/// Whether a contact can be read and its name found; nobody is dialled.
async fn contact(text: &str) -> Finding {
    let short: String = text.chars().take(48).collect();
    if is_multiaddress(text) {
        return match unresolved(text).await {
            Some(reason) => {
                Finding::fault("contact", format!("{text}: {reason}"), "mend network.contacts, or the name server")
            }
            None => Finding::ok("contact", format!("{text} can be read; it was not dialled, as no node runs")),
        };
    }
    match text.parse::<Ticket>() {
        Ok(ticket) => {
            let mut reasons = Vec::new();
            for address in &ticket.addresses {
                reasons.extend(unresolved(address).await);
            }
            let found = format!("a ticket to peer {} with {} addresses", ticket.peer.short(), ticket.addresses.len());
            match !reasons.is_empty() && reasons.len() == ticket.addresses.len() {
                true => Finding::fault("contact", format!("{found}: {}", reasons.join("; ")), "ask for a new ticket"),
                false => Finding::ok("contact", format!("{found}; it was not dialled, as no node runs")),
            }
        }
        Err(error) => Finding::fault("contact", format!("{short}: {error}"), "mend network.contacts"),
    }
}

/// Why the name in an address has no number; `None` where it has one, and for an address without a name.
async fn unresolved(address: &str) -> Option<String> {
    let mut parts = address.split('/').skip(1);
    let kind = parts.next()?;
    let name = parts.next().filter(|_| matches!(kind, "dns" | "dns4" | "dns6"))?;
    match tokio::time::timeout(PATIENCE, tokio::net::lookup_host((name, 0))).await {
        Ok(Ok(mut found)) => found
            .all(|found| (kind == "dns4" && found.is_ipv6()) || (kind == "dns6" && found.is_ipv4()))
            .then(|| format!("the name {name} has no address of this kind")),
        Ok(Err(error)) => Some(format!("the name {name} cannot be found: {error}")),
        Err(_) => Some(format!("the name {name} was not found within {} s", PATIENCE.as_secs())),
    }
}
