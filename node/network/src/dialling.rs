//! How often this node may dial whom it does not know: announcements of others must not aim it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Instant;

use libp2p::{Multiaddr, PeerId};
use peerlearn_protocols::time::Time;
use peerlearn_protocols::token_bucket::TokenBucket;

use super::address::direct_ip;
use super::doors::network_of;

/// Addresses of unknown peers dialled in a burst, and a second in the long run.
const ALL: (f64, f64) = (64.0, 1.0);
/// The same towards one small network on the internet, or one machine of a LAN.
const TARGET: (f64, f64) = (16.0, 0.2);
/// Most targets remembered.
const MAX_TARGETS: usize = 1024;
/// Most peers remembered that were connected.
const MAX_PROVEN: usize = 1024;

/// Who was connected before, and how many dials of others are left.
#[derive(Debug)]
pub(super) struct DialBudget {
    since: Instant,
    all: TokenBucket,
    targets: BTreeMap<[u8; 7], TokenBucket>,
    proven: BTreeSet<PeerId>,
}

impl DialBudget {
    pub fn new() -> Self {
        Self {
            since: Instant::now(),
            all: TokenBucket::full(Time::ZERO, ALL.0),
            targets: BTreeMap::new(),
            proven: BTreeSet::new(),
        }
    }

    /// A peer of this network was connected: it is dialled as often as need be.
    pub fn prove(&mut self, peer: PeerId) {
        if self.proven.len() >= MAX_PROVEN {
            self.proven.pop_first();
        }
        self.proven.insert(peer);
    }

    /// The addresses of a peer that may be dialled now.
    pub fn allow(&mut self, peer: &PeerId, mut addresses: Vec<Multiaddr>) -> Vec<Multiaddr> {
        if !self.proven.contains(peer) {
            let now = Time::ZERO + self.since.elapsed();
            addresses.retain(|address| self.may(now, address));
        }
        addresses
    }

    fn may(&mut self, now: Time, address: &Multiaddr) -> bool {
        let Some(ip) = direct_ip(address).filter(|ip| !ip.is_loopback()) else { return true };
        let target = target_of(ip);
        if self.targets.len() >= MAX_TARGETS && !self.targets.contains_key(&target) {
            self.targets.pop_first();
        }
        let bucket = self.targets.entry(target).or_insert_with(|| TokenBucket::full(now, TARGET.0));
        bucket.spend(now, TARGET.0, TARGET.1) && self.all.spend(now, ALL.0, ALL.1)
    }
}

/// A small network, or in a LAN, where all are in one, the machine.
fn target_of(ip: IpAddr) -> [u8; 7] {
    match ip {
        IpAddr::V4(v4) if v4.is_private() || v4.is_link_local() => {
            let [a, b, c, d] = v4.octets();
            [0, a, b, c, d, 0, 0]
        }
        _ => network_of(ip),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Multiaddr {
        format!("/ip4/{text}/tcp/1").parse().unwrap()
    }

    #[test]
    fn one_target_and_all_together_are_dialled_so_often_and_no_more() {
        let mut budget = DialBudget::new();
        let dial = |budget: &mut DialBudget, text: &str| budget.allow(&PeerId::random(), vec![address(text)]).len();
        let at_one: usize = (0..100).map(|n| dial(&mut budget, &format!("9.9.9.{n}"))).sum();
        assert_eq!(at_one, 16);
        let elsewhere: usize = (0..200).map(|n| dial(&mut budget, &format!("9.{n}.1.1"))).sum();
        assert_eq!(elsewhere, 64 - 16);
        assert_eq!(dial(&mut budget, "127.0.0.1"), 1, "this machine is not dialled for others");
        let friend = PeerId::random();
        budget.prove(friend);
        assert_eq!(budget.allow(&friend, vec![address("9.9.9.1"); 3]).len(), 3);
    }
}
