//! The part of the internet an address is in.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// A block of addresses that one party tends to hold whole: many keys are free, many blocks are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Prefix {
    /// The /16 of a public IPv4 address.
    V4([u8; 2]),
    /// The /32 of a public IPv6 address: what a provider is given.
    V6([u8; 4]),
    /// Loopback, private, link-local or unknown: says nothing of who holds it.
    Local,
}

impl Prefix {
    /// The prefix of a multiaddress in text form, `/ip4/1.2.3.4/tcp/4001`; [`Prefix::Local`] for all that is no
    /// address.
    ///
    /// The first IP address counts, so a relayed peer is where its relay is. A name (`/dns4/…`) is unknown: it costs as
    /// little as a key.
    pub fn of_multiaddr(text: &str) -> Self {
        let mut parts = text.split('/');
        while let Some(part) = parts.next() {
            match part {
                "ip4" => return parts.next().and_then(|ip| ip.parse().ok()).map_or(Self::Local, Self::of_ipv4),
                "ip6" => return parts.next().and_then(|ip| ip.parse().ok()).map_or(Self::Local, Self::of_ipv6),
                _ => {}
            }
        }
        Self::Local
    }

    /// The prefix of an IPv4 address.
    pub fn of_ipv4(ip: Ipv4Addr) -> Self {
        let [first, second, ..] = ip.octets();
        // 100.64.0.0/10 is shared by the customers of a carrier (RFC 6598); 0.0.0.0/8 is "this network".
        let shared = first == 100 && (64..128).contains(&second);
        if ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_broadcast() || first == 0 || shared {
            return Self::Local;
        }
        Self::V4([first, second])
    }

    /// The prefix of an IPv6 address; a mapped IPv4 address counts as IPv4.
    pub fn of_ipv6(ip: Ipv6Addr) -> Self {
        if let Some(ip) = ip.to_ipv4_mapped() {
            return Self::of_ipv4(ip);
        }
        if ip.is_loopback() || ip.is_unspecified() || ip.is_unique_local() || ip.is_unicast_link_local() {
            return Self::Local;
        }
        let [a, b, c, d, ..] = ip.octets();
        Self::V6([a, b, c, d])
    }

    /// Whether it is a block of public addresses.
    pub fn is_public(&self) -> bool {
        *self != Self::Local
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4([a, b]) => write!(f, "{a}.{b}.0.0/16"),
            Self::V6([a, b, c, d]) => {
                write!(f, "{:x}:{:x}::/32", u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d]))
            }
            Self::Local => f.write_str("local"),
        }
    }
}
