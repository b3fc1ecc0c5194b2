//! Names that stand for many: a contact such as `/dns4/peers/tcp/4001` without the id of a peer.
//!
//! Services of containers have one name for all who serve, so all of its addresses are dialled and not only the first
//! that answers: peers that each picked one at random would fall into groups that never hear of each other. One of the
//! addresses may be our own; that dial ends by itself. The system is asked anew each time, because whoever started
//! first was alone behind the name then.

use std::io;

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// Most addresses of one name that are dialled at a time: more than enough to meet somebody who knows all others.
const MAX_DIALLED: usize = 32;

/// Whether the address begins with a name that the system can resolve.
pub(super) fn is_name(address: &Multiaddr) -> bool {
    host(address).is_some()
}

/// The addresses behind a name, some of them where there are many.
///
/// # Errors
/// The system knows no such name.
pub(super) async fn addresses(named: &Multiaddr) -> io::Result<Vec<String>> {
    let host = host(named).ok_or(io::ErrorKind::InvalidInput)?;
    let found = tokio::net::lookup_host((host.name.as_str(), 0)).await?;
    let mut found: Vec<_> = found.map(|socket| socket.ip()).filter(|ip| host.wants(ip.is_ipv4())).collect();
    if found.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address of this kind"));
    }
    found.shuffle(&mut ChaCha8Rng::from_seed(rand::random()));
    found.truncate(MAX_DIALLED);
    let rest: Vec<Protocol<'_>> = named.iter().skip(1).collect();
    let whole = |ip| rest.iter().fold(Multiaddr::empty().with(ip), |address, part| address.with(part.clone()));
    Ok(found.into_iter().map(|ip| whole(ip.into()).to_string()).collect())
}

/// A name and what kind of address is wanted.
struct Host {
    name: String,
    /// Only IPv4, only IPv6, or whatever there is.
    v4: Option<bool>,
}

impl Host {
    fn wants(&self, is_v4: bool) -> bool {
        self.v4.is_none_or(|v4| v4 == is_v4)
    }
}

fn host(address: &Multiaddr) -> Option<Host> {
    let (name, v4) = match address.iter().next()? {
        Protocol::Dns(name) => (name, None),
        Protocol::Dns4(name) => (name, Some(true)),
        Protocol::Dns6(name) => (name, Some(false)),
        _ => return None,
    };
    Some(Host { name: name.into_owned(), v4 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_becomes_its_addresses_with_what_follows_it() {
        let named: Multiaddr = "/dns4/localhost/tcp/4001".parse().unwrap();
        assert!(is_name(&named));
        let found = addresses(&named).await.unwrap();
        assert!(found.contains(&"/ip4/127.0.0.1/tcp/4001".to_owned()), "{found:?}");
    }

    #[tokio::test]
    async fn numbers_are_no_names_and_unknown_names_are_errors() {
        let number: Multiaddr = "/ip4/10.0.0.1/tcp/4001".parse().unwrap();
        assert!(!is_name(&number) && addresses(&number).await.is_err());
        let unknown: Multiaddr = "/dns4/nobody.invalid/tcp/4001".parse().unwrap();
        assert!(is_name(&unknown) && addresses(&unknown).await.is_err());
    }
}
