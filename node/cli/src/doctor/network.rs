//! How a running node is connected, and what keeps others away.

use std::collections::BTreeMap;

use peerlearn::doctor::{PeerReport, Report, TurnedAway};
use peerlearn::network::Carrier;
use peerlearn::protocols::id::PeerId;
use peerlearn::protocols::membership::Scope;

use super::finding::Finding;
use crate::peers::{ago, called, not_connected};

/// Most peers or addresses named.
const NAMED: usize = 8;
/// Most addresses shown of each kind.
const SHOWN: usize = 2;

pub(super) fn findings(report: &Report) -> Vec<Finding> {
    let mut findings = vec![peers(report)];
    findings.extend(relayed(report));
    findings.extend(lost(report));
    findings.extend(contacts(report));
    findings.extend([listening(report), reachable(report), udp(report), mdns(report), versions(report)]);
    findings.extend(turned_away(
        "task",
        "is of another task or version",
        "join with its ticket, or give it yours",
        report,
        &report.refused,
    ));
    let advice = "ask an owner for an invitation, or to let this node in: peerlearn members allow NAME";
    findings.extend(turned_away("access", "does not take part with this node", advice, report, &report.not_let_in));
    findings.extend(bans(report));
    findings
}

fn is_alone(report: &Report) -> bool {
    !report.connectivity.paths.values().any(|path| path.compatible)
}

fn peers(report: &Report) -> Finding {
    let paths = report.connectivity.paths.values().filter(|path| path.compatible);
    let (relayed, direct): (Vec<_>, Vec<_>) = paths.partition(|path| path.relay.is_some());
    let lost = report.peers.iter().filter(|peer| peer.path.is_none() && peer.banned_ms.is_none()).count();
    let found = format!(
        "connected directly: {}, through relays: {}, known but not connected: {lost}",
        direct.len(),
        relayed.len()
    );
    match is_alone(report) {
        false => Finding::ok("peers", found),
        true if report.contacts.is_empty() && report.peers.is_empty() => {
            Finding::note("peers", "nobody is known yet, and no contact is set; this node learns alone")
                .do_this("give somebody the ticket of this node (peerlearn ticket), or join with theirs")
        }
        true => {
            Finding::fault("peers", found, "see the contacts and lost peers below; a fresh ticket has fresh addresses")
        }
    }
}

fn relayed(report: &Report) -> Option<Finding> {
    let mut through: BTreeMap<&str, usize> = BTreeMap::new();
    for relay in report.connectivity.paths.values().filter_map(|path| path.relay.as_deref()) {
        *through.entry(relay).or_default() += 1;
    }
    let words: Vec<String> = through.iter().take(NAMED).map(|(relay, peers)| format!("{relay} ({peers})")).collect();
    (!words.is_empty())
        .then(|| Finding::note("peers", format!("relays that carry connections to peers: {}", words.join(", "))))
}

fn lost(report: &Report) -> Vec<Finding> {
    let failed = |peer: &&PeerReport| peer.path.is_none() && peer.failed.is_some();
    let say = |peer: &PeerReport| {
        let found = format!("peer {} is {}", called(peer), not_connected(peer));
        Finding::note("peers", found)
    };
    report.peers.iter().filter(failed).take(NAMED).map(say).collect()
}

fn contacts(report: &Report) -> Vec<Finding> {
    let say = |contact: &peerlearn::doctor::ContactReport| {
        let words = &contact.contact;
        let Some(reason) = &contact.reason else {
            return match contact.reached {
                true => Finding::ok("contact", format!("{words} is connected")),
                false => Finding::note("contact", format!("{words} is not connected, and no dial of it has failed")),
            };
        };
        let next =
            contact.next_dial_ms.map_or("when connections are few".to_owned(), |left| format!("in {}", ago(left)));
        let found = format!("{words} cannot be reached: {reason}; tried {} times, next {next}", contact.times);
        let advice = match reason.contains("lookup") || reason.contains("name") || reason.contains("resolve") {
            true => "look whether the name is spelt rightly and the name server answers",
            false => {
                "look whether a node runs there, whether that is still its address, and whether a firewall is between"
            }
        };
        match is_alone(report) {
            true => Finding::fault("contact", found, advice),
            false => Finding::warning("contact", found, advice),
        }
    };
    report.contacts.iter().take(NAMED).map(say).collect()
}

fn listening(report: &Report) -> Finding {
    let mut kinds: BTreeMap<Reach, Vec<&str>> = BTreeMap::new();
    for address in &report.connectivity.listening {
        kinds.entry(reach(address)).or_default().push(address);
    }
    let words: Vec<String> =
        kinds.iter().map(|(kind, addresses)| format!("{}: {}", kind.name(), some(addresses))).collect();
    match kinds.keys().next() {
        None => Finding::warning("listening", "this node listens nowhere, so nobody can dial it", "set network.listen"),
        Some(Reach::Machine) => Finding::warning(
            "listening",
            format!("this node listens for this machine only ({})", words.join("; ")),
            "set network.listen to an address that others can reach, such as /ip4/0.0.0.0/tcp/0",
        ),
        Some(_) => Finding::ok("listening", format!("this node listens at {}", words.join("; "))),
    }
}

/// The first few addresses, and how many there are beside them.
fn some(addresses: &[&str]) -> String {
    let words = addresses[..addresses.len().min(SHOWN)].join(" ");
    match addresses.len().saturating_sub(SHOWN) {
        0 => words,
        more => format!("{words} and {more} more"),
    }
}

fn reachable(report: &Report) -> Finding {
    let how = &report.connectivity;
    let (relayed, direct): (Vec<&String>, Vec<&String>) =
        how.external.iter().partition(|address| address.contains("/p2p-circuit"));
    let list =
        |addresses: &[&String]| addresses.iter().take(NAMED).map(|a| a.as_str()).collect::<Vec<&str>>().join(" ");
    let accepted = how.tcp.accepted.saturating_add(how.quic.accepted);
    match (direct.is_empty(), relayed.is_empty()) {
        (false, _) => Finding::ok(
            "reachable",
            format!("others can reach this node, as peers, the router or the settings say, at {}", list(&direct)),
        ),
        (true, false) => {
            let found =
                format!("no direct address is confirmed; others reach this node through relays: {}", list(&relayed));
            Finding::note("reachable", found)
                .do_this("for direct connections, let the router pass on the ports that this node listens on")
        }
        (true, true) if accepted > 0 => Finding::note(
            "reachable",
            format!(
                "others have dialled this node {accepted} times since its start; from elsewhere no address is confirmed"
            ),
        ),
        (true, true) => Finding::note(
            "reachable",
            "no address is confirmed and nobody has dialled this node yet, so whether others can is not known",
        ),
    }
}

fn udp(report: &Report) -> Finding {
    let how = &report.connectivity;
    let over =
        |carrier: Carrier| how.paths.values().filter(|path| path.carrier == carrier && path.relay.is_none()).count();
    let listens = how.listening.iter().any(|address| Carrier::of(address) == Carrier::Quic);
    let came = how.quic.dialled.saturating_add(how.quic.accepted);
    match (over(Carrier::Quic), listens) {
        (up @ 1.., _) => Finding::ok("udp", format!("UDP gets through: {up} connections run over QUIC")),
        (0, _) if came > 0 => {
            Finding::ok("udp", format!("UDP got through: {came} connections ran over QUIC since the start"))
        }
        (0, false) => Finding::note("udp", "this node does not listen on QUIC, so UDP is not used"),
        (0, true) if how.quic.failed > 0 && over(Carrier::Tcp) > 0 => Finding::warning(
            "udp",
            format!(
                "{} dials over QUIC failed and none came about, while TCP works: UDP may be blocked",
                how.quic.failed
            ),
            "let UDP through the firewall, if you can; without it, connections through routers are harder",
        ),
        (0, true) => Finding::note(
            "udp",
            "this node listens on QUIC; no connection over it was tried in earnest, so UDP is not judged",
        ),
    }
}

fn mdns(report: &Report) -> Finding {
    let mdns = report.connectivity.mdns;
    match (mdns.on, mdns.heard) {
        (false, _) => Finding::note(
            "mdns",
            "peers on the local network are not looked for (network.mdns is false, or there is no multicast)",
        ),
        (true, 0) => Finding::note("mdns", "the local network is listened to, and nobody was heard on it yet"),
        (true, heard) => Finding::ok("mdns", format!("{heard} programs were heard on the local network")),
    }
}

fn versions(report: &Report) -> Finding {
    let mut programs: BTreeMap<&str, usize> = BTreeMap::new();
    for path in report.connectivity.paths.values() {
        *programs.entry(path.program.as_deref().unwrap_or("not told yet")).or_default() += 1;
    }
    let own = env!("CARGO_PKG_VERSION");
    let words: Vec<String> =
        programs.iter().take(NAMED).map(|(program, peers)| format!("{program} ({peers})")).collect();
    let theirs = if words.is_empty() { String::new() } else { format!("; connected peers: {}", words.join(", ")) };
    let (node, protocol) = (&report.status.version, report.protocol);
    let found = format!("the node is version {node}, protocol {protocol}{theirs}");
    match node == own {
        true => Finding::ok("versions", found),
        false => Finding::warning(
            "versions",
            format!("{found}; this program is version {own}"),
            "restart the node with this program",
        ),
    }
}

fn turned_away(about: &'static str, what: &str, advice: &str, report: &Report, turned: &[TurnedAway]) -> Vec<Finding> {
    let say = |turned: &TurnedAway| {
        let found =
            format!("peer {} {what}: {} ({} ago)", name(report, &turned.peer), turned.reason, ago(turned.ago_ms));
        match is_alone(report) {
            true => Finding::fault(about, found, advice),
            false => Finding::warning(about, found, advice),
        }
    };
    turned.iter().take(NAMED).map(say).collect()
}

fn bans(report: &Report) -> Vec<Finding> {
    let banned = report.peers.iter().filter_map(|peer| Some((peer, peer.banned_ms?)));
    let say = |(peer, left): (&PeerReport, u64)| {
        let faults: Vec<String> =
            peer.faults.iter().map(|fault| format!("{} ({} times)", fault.reason, fault.times)).collect();
        let why = if faults.is_empty() { String::new() } else { format!(": {}", faults.join(", ")) };
        let found = format!("peer {} is banned for another {}{why}", called(peer), ago(left));
        Finding::warning(
            "bans",
            found,
            "if you know that it is honest, see whether its program is damaged or much older",
        )
    };
    banned.take(NAMED).map(say).collect()
}

fn name(report: &Report, peer: &PeerId) -> String {
    report.peers.iter().find(|known| known.peer == *peer).map_or_else(|| peer.short(), called)
}

/// From where an address can be dialled, as far as its number tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    Public,
    Private,
    Other,
    Machine,
}

impl Reach {
    fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Private => "private",
            Self::Other => "other",
            Self::Machine => "this machine",
        }
    }
}

fn reach(address: &str) -> Reach {
    match (address.split('/').nth(1), Scope::of_multiaddr(address)) {
        (Some("ip4" | "ip6" | "memory"), Scope::Machine) => Reach::Machine,
        (Some("ip4" | "ip6"), Scope::Lan) => Reach::Private,
        (Some("ip4" | "ip6"), Scope::Internet) => Reach::Public,
        _ => Reach::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_apart_by_how_far_they_reach() {
        assert_eq!(reach("/ip4/127.0.0.1/tcp/1"), Reach::Machine);
        assert_eq!(reach("/ip6/::1/udp/1/quic-v1"), Reach::Machine);
        assert_eq!(reach("/ip4/100.64.3.4/tcp/1"), Reach::Private);
        assert_eq!(reach("/ip4/192.168.3.4/tcp/1"), Reach::Private);
        assert_eq!(reach("/ip6/fe80::1/tcp/1"), Reach::Private);
        assert_eq!(reach("/ip4/203.0.113.4/tcp/1"), Reach::Public);
        assert_eq!(reach("/dns4/example.org/tcp/1"), Reach::Other);
    }
}
