//! From where an address can be meant: an address that was told on the internet must not lead into a LAN.

use crate::sampling::Prefix;
use crate::wire::Address;

/// Most addresses dialled of a peer that never answered: what is merely announced may be somebody else's.
const MOST_UNPROVEN: usize = 2;

/// How far an address, or the link to a neighbour, reaches. Wider ones are larger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Scope {
    /// This machine: loopback, and channels inside one process. Also what is not known.
    #[default]
    Machine,
    /// A private network.
    Lan,
    /// Everywhere, names included.
    Internet,
}

impl Scope {
    /// The scope of a multiaddress in text form.
    pub fn of_multiaddr(text: &str) -> Self {
        let mut parts = text.split('/').skip(1);
        let is_loopback = match (parts.next(), parts.next()) {
            (Some("ip4"), Some(ip)) => ip.starts_with("127."),
            (Some("ip6"), Some(ip)) => ip == "::1",
            (Some("memory"), _) => true,
            (Some(name), _) if name.starts_with("dns") => return Self::Internet,
            _ => false,
        };
        match (is_loopback, Prefix::of_multiaddr(text).is_public()) {
            (true, _) => Self::Machine,
            (false, true) => Self::Internet,
            (false, false) => Self::Lan,
        }
    }

    /// Of the addresses that came over a link of this scope, those that may be meant for this peer.
    pub(super) fn plausible(self, addresses: Vec<Address>) -> Vec<Address> {
        addresses.into_iter().filter(|address| Self::of_multiaddr(&address.0) >= self).collect()
    }
}

/// Where to dial a peer that never answered: the first address, and the first of another kind of network.
pub(super) fn unproven(addresses: &[Address]) -> Vec<Address> {
    let kind = |address: &Address| (address.0.starts_with("/ip6"), Scope::of_multiaddr(&address.0));
    let Some(first) = addresses.first() else { return Vec::new() };
    let other = addresses.iter().find(|address| kind(address) != kind(first)).or(addresses.get(1));
    [Some(first), other].into_iter().flatten().take(MOST_UNPROVEN).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<Address> {
        texts.iter().map(|text| Address((*text).to_owned())).collect()
    }

    #[test]
    fn what_is_told_on_the_internet_leads_into_no_lan() {
        let told =
            addresses(&["/ip4/127.0.0.1/tcp/22", "/ip6/::1/tcp/22", "/ip4/192.168.0.1/tcp/80", "/ip4/9.9.9.9/tcp/1"]);
        assert_eq!(Scope::Internet.plausible(told.clone()), told[3..]);
        assert_eq!(Scope::Lan.plausible(told.clone()), told[2..]);
        assert_eq!(Scope::Machine.plausible(told.clone()), told);
        assert_eq!(Scope::of_multiaddr("/dns4/example.org/tcp/1"), Scope::Internet);
        assert_eq!(Scope::of_multiaddr("/memory/7"), Scope::Machine);
        assert_eq!(Scope::of_multiaddr("nonsense"), Scope::Lan);
    }

    #[test]
    fn two_addresses_of_unlike_networks_are_tried_first() {
        let told = addresses(&[
            "/ip4/9.9.9.9/tcp/1",
            "/ip4/9.9.9.9/udp/1/quic-v1",
            "/ip6/2001:db8::1/tcp/1",
            "/ip4/9.9.9.8/tcp/1",
        ]);
        assert_eq!(unproven(&told), [told[0].clone(), told[2].clone()]);
        assert_eq!(unproven(&told[..2]), told[..2]);
        assert_eq!(unproven(&told[..1]), told[..1]);
        assert_eq!(unproven(&[]), []);
    }
}
