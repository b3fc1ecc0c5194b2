//! Every peer that a node knows, is connected to or has banned.

use std::collections::BTreeSet;

use peerlearn_network::Connectivity;
use peerlearn_protocols::id::PeerId;
use peerlearn_protocols::peer::KnownPeer;
use peerlearn_protocols::time::Time;

use super::PeerReport;
use super::notes::Remembered;

/// Brings together what machine, network and events tell of each peer: connected ones first, then those last heard.
pub fn report_peers(
    known: &[KnownPeer],
    how: &Connectivity,
    notes: &Remembered,
    now: Time,
    name_of: impl Fn(&PeerId) -> Option<String>,
) -> Vec<PeerReport> {
    let ids = known.iter().map(|known| known.peer).chain(how.paths.keys().copied()).chain(how.bans.keys().copied());
    let ids: BTreeSet<PeerId> = ids.collect();
    let report = |peer: PeerId| {
        let known = known.iter().find(|known| known.peer == peer);
        let name = name_of(&peer);
        report_peer(peer, name, known, how, notes, now)
    };
    let mut peers: Vec<PeerReport> = ids.into_iter().map(report).collect();
    peers.sort_by_key(|peer| (peer.path.is_none(), peer.heard_ms.unwrap_or(u64::MAX), peer.peer));
    peers
}

fn report_peer(
    peer: PeerId,
    name: Option<String>,
    known: Option<&KnownPeer>,
    how: &Connectivity,
    notes: &Remembered,
    now: Time,
) -> PeerReport {
    let now_ms = now.0 / 1000;
    let path = how.paths.get(&peer).cloned();
    let noted = notes.peers.get(&peer);
    let model = noted.and_then(|noted| noted.model);
    let bytes = how.bytes.get(&peer);
    let (refused, not_let_in) = (notes.refused(now_ms), notes.not_let_in(now_ms));
    let next = known.filter(|_| path.is_none()).map(|known| known.dial_after.since(now).as_millis() as u64);
    PeerReport {
        peer,
        name,
        failed: how.failed.iter().find(|failed| failed.peer == Some(peer)).filter(|_| path.is_none()).cloned(),
        path,
        next_dial_ms: next,
        bytes_in: bytes.map(|bytes| bytes.0),
        bytes_out: bytes.map(|bytes| bytes.1),
        heard_ms: known.map(|known| now.since(known.heard).as_millis() as u64),
        round: known.map(|known| known.round),
        model_ms: model.map(|(at, _)| now_ms.saturating_sub(at)),
        model_rounds: model.map(|(_, round)| notes.round.saturating_sub(round)),
        mixed: known.map_or(0, |known| known.mixed),
        score: known.map_or(0, |known| known.score),
        faults: noted.map(|noted| noted.faults(now_ms)).unwrap_or_default(),
        banned_ms: how.bans.get(&peer).copied(),
        turned_away: refused
            .into_iter()
            .chain(not_let_in)
            .find(|turned| turned.peer == peer)
            .map(|turned| turned.reason),
    }
}
