//! Connections through routers, with no server: every node finds out whether others can reach it, those that can be
//! reached carry the connections of those that cannot, and those replace them by direct ones where their routers let
//! them.
//!
//! ```text
//!   asking, answering   AutoNAT v2: is this address of mine reached?          an address is told to others once it was
//!   port mapping        UPnP: will the router at home pass connections on?
//!   relayed, relaying   circuit relay v2: a place at up to two relays          "/ip4/…/p2p/RELAY/p2p-circuit"
//!   punching            DCUtR: both dial at the same moment                    a direct one replaces the relayed one
//!   crossing            decides: who serves, where to hold places, what to close
//! ```
//!
//! All of it is bounded, as a stranger asks for it: see the limits below, [`answering`], [`asking`] and [`punching`].

mod answering;
mod asking;
mod attempts;
mod crossing;
mod punching;

use std::num::NonZeroU32;
use std::time::Duration;

use libp2p::swarm::NetworkBehaviour;
use libp2p::swarm::behaviour::toggle::Toggle;
#[cfg(feature = "upnp")]
use libp2p::upnp;
use libp2p::{PeerId, relay};
use serde::{Deserialize, Serialize};

use self::answering::Answering;
use self::asking::Asking;
use self::crossing::Crossing;
pub(super) use self::crossing::Event as CrossingEvent;
use self::punching::Punching;
use super::NetworkConfig;
#[cfg(feature = "upnp")]
use super::listening::is_loopback;

/// Peers that may hold a place here.
pub(super) const MAX_PLACES: usize = 64;
/// Connections carried at a time.
const MAX_CIRCUITS: usize = 64;
/// Connections carried at a time that one peer has begun.
pub(super) const MAX_CIRCUITS_OF_PEER: usize = 8;
/// Bytes that one connection may take through here, both ways together. libp2p's own 128 KiB end within the first
/// model.
const CIRCUIT_BYTES: u64 = 256 << 20;
/// How long one connection may be carried; whoever needs more begins another.
const CIRCUIT_TIME: Duration = Duration::from_secs(30 * 60);
/// How long a place is held; whoever wants to keep it asks again.
const PLACE_TIME: Duration = Duration::from_secs(30 * 60);
/// Requests in a burst, and after how long there may be one more: of one peer, and of one machine, behind which there
/// may be many.
const RATES: [(u32, Duration); 2] = [(30, Duration::from_secs(4)), (120, Duration::from_secs(1))];

/// Whether a node carries the connections of others and lets its own be carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RelayMode {
    /// Carries those of others while it is reachable itself; has its own carried while it is not.
    #[default]
    Auto,
    /// Is reachable, whatever its addresses look like: carries those of others, and needs no relay.
    On,
    /// Neither carries nor has its own carried. It still dials peers that are reached through relays.
    Off,
}

impl std::fmt::Display for RelayMode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::On => "on",
            Self::Off => "off",
        })
    }
}

/// Everything that crosses routers.
#[derive(NetworkBehaviour)]
pub(super) struct Nat {
    /// Off until [`Nat::relayed`]: it panics without its transport.
    pub relayed: Toggle<relay::client::Behaviour>,
    pub relaying: relay::Behaviour,
    pub punching: Punching,
    pub asking: Asking,
    pub answering: Answering,
    pub crossing: Crossing,
    #[cfg(feature = "upnp")]
    pub mapping: Toggle<upnp::tokio::Behaviour>,
}

impl Nat {
    pub fn new(me: PeerId, config: &NetworkConfig) -> Self {
        let mut relaying = relay::Behaviour::new(me, limits());
        // By itself it would serve as soon as it holds a place at another relay.
        relaying.set_status(Some(relay::Status::Disable));
        Self {
            relayed: Toggle::from(None),
            relaying,
            punching: Punching::new(me, config.relay == RelayMode::On),
            asking: Asking::new(config.relay == RelayMode::On),
            answering: Answering::new(),
            crossing: Crossing::new(me, config.relay),
            #[cfg(feature = "upnp")]
            mapping: Toggle::from(maps(config).then(upnp::tokio::Behaviour::default)),
        }
    }

    /// Connections through relays, for the transport; to be polled as long as this behaviour.
    pub fn relayed(&mut self, me: PeerId) -> relay::client::Transport {
        let (transport, behaviour) = relay::client::new(me);
        self.relayed = Toggle::from(Some(behaviour));
        transport
    }

    /// Serves as a relay from now on, or no longer.
    pub fn serve(&mut self, serves: bool) {
        let status = if serves { relay::Status::Enable } else { relay::Status::Disable };
        self.relaying.set_status(Some(status));
    }
}

/// Whether to ask the router at home: it has nothing to do with what only this machine can dial.
#[cfg(feature = "upnp")]
fn maps(config: &NetworkConfig) -> bool {
    let is_near =
        |text: &String| text.parse().is_ok_and(|address| is_loopback(&address)) || text.starts_with("/memory");
    config.port_mapping && !config.listen.iter().all(is_near)
}

fn limits() -> relay::Config {
    let config = relay::Config {
        max_reservations: MAX_PLACES,
        max_reservations_per_peer: 1,
        reservation_duration: PLACE_TIME,
        reservation_rate_limiters: Vec::new(),
        max_circuits: MAX_CIRCUITS,
        max_circuits_per_peer: MAX_CIRCUITS_OF_PEER,
        max_circuit_duration: CIRCUIT_TIME,
        max_circuit_bytes: CIRCUIT_BYTES,
        circuit_src_rate_limiters: Vec::new(),
    };
    let [peer, machine] = RATES.map(|(burst, one)| (NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN), one));
    config
        .reservation_rate_per_peer(peer.0, peer.1)
        .reservation_rate_per_ip(machine.0, machine.1)
        .circuit_src_per_peer(peer.0, peer.1)
        .circuit_src_per_ip(machine.0, machine.1)
}
