//! Where this node is reached, and what becomes of connections through routers.

use std::collections::BTreeSet;

use libp2p::swarm::ConnectionId;
#[cfg(feature = "upnp")]
use libp2p::upnp;
use libp2p::{Multiaddr, dcutr, identify, relay};

use super::super::NetworkEvent;
use super::super::address::{bare, is_relayed};
use super::super::identity::from_libp2p;
use super::super::listening::{innermost, is_link_local, is_loopback};
use super::super::nat::{CrossingEvent, NatEvent};
use super::Driver;

impl Driver {
    /// Where this node can be dialled, without its id, most useful first: what was proven, then what was tried once and
    /// what leads through relays, then what the system says.
    pub(super) fn addresses(&self) -> Vec<String> {
        let crossing = &self.swarm.behaviour().nat.crossing;
        let (reached, relayed) = (crossing.is_reachable(), crossing.relayed());
        let external = self.swarm.external_addresses().cloned();
        let external: Vec<Multiaddr> = external.filter(|address| !is_relayed(address)).map(bare).collect();
        // A router may have let in only whom this node had dialled; whoever has room for two addresses is to have
        // another way.
        let mut addresses = if reached { [external, relayed].concat() } else { [relayed, external].concat() };
        let mut own: Vec<Multiaddr> = self.swarm.listeners().filter(|address| !is_relayed(address)).cloned().collect();
        own.sort_by_key(is_loopback);
        addresses.extend(own);
        // Without the name of the interface, which differs at each end, nobody can dial them.
        addresses.retain(|address| !is_link_local(address));
        let mut texts: Vec<String> = addresses.iter().map(Multiaddr::to_string).collect();
        let mut seen = BTreeSet::new();
        texts.retain(|text| seen.insert(text.clone()));
        texts
    }

    /// A peer has said what it is, and from where it sees this node.
    pub(super) fn seen_through(&mut self, connection: ConnectionId, peer: libp2p::PeerId, info: &identify::Info) {
        let crossing = &mut self.swarm.behaviour_mut().nat.crossing;
        crossing.observed(connection, &info.observed_addr);
        crossing.described(peer, info.protocols.contains(&relay::HOP_PROTOCOL_NAME), &info.listen_addrs);
    }

    pub(super) fn on_nat(&mut self, event: NatEvent) {
        match event {
            NatEvent::Crossing(CrossingEvent::Serve(serves)) => {
                self.swarm.behaviour_mut().nat.serve(serves);
                tracing::info!(serves, "relay for peers that others cannot reach");
            }
            NatEvent::Crossing(CrossingEvent::Moved) => self.swarm.behaviour_mut().nat.asking.anew(),
            NatEvent::Crossing(CrossingEvent::Relayed) => {
                let addresses = self.addresses();
                let relays = self.swarm.behaviour().nat.crossing.relays();
                tracing::info!(?relays, "places at relays");
                self.tell(NetworkEvent::Listening { addresses });
            }
            NatEvent::Punching(event) => self.on_punched(event),
            NatEvent::Asking(event) => {
                let (address, server) = (&event.tested_addr, &event.server);
                tracing::debug!(%address, %server, result = ?event.result, "whether this node is reached");
            }
            NatEvent::Answering(event) => {
                let (address, peer) = (&event.tested_addr, &event.client);
                tracing::debug!(%address, %peer, result = ?event.result, "whether a peer is reached");
            }
            NatEvent::Relayed(event) => tracing::debug!(?event, "relayed"),
            NatEvent::Relaying(event) => tracing::debug!(?event, "relay"),
            #[cfg(feature = "upnp")]
            NatEvent::Mapping(event) => self.on_mapped(event),
        }
    }

    fn on_punched(&mut self, event: dcutr::Event) {
        let dcutr::Event { remote_peer_id, result } = event;
        let is_direct = self.swarm.behaviour().nat.crossing.is_direct(&remote_peer_id);
        // Where the other's dial got through, one's own may have failed.
        let failed = result.err().filter(|_| !is_direct).map(|error| innermost(&error));
        if let Some(peer) = from_libp2p(&remote_peer_id) {
            self.tell(NetworkEvent::Punched { peer, failed });
        }
    }

    #[cfg(feature = "upnp")]
    fn on_mapped(&mut self, event: upnp::Event) {
        let crossing = &mut self.swarm.behaviour_mut().nat.crossing;
        match event {
            upnp::Event::NewExternalAddr { external_addr, .. } => {
                tracing::info!(address = %external_addr, "the router passes connections on");
                crossing.mapped(true);
            }
            upnp::Event::ExpiredExternalAddr { external_addr, .. } => {
                tracing::info!(address = %external_addr, "the router passes connections on no longer");
                crossing.mapped(false);
            }
            upnp::Event::GatewayNotFound => tracing::debug!("no router here takes port mappings (UPnP)"),
            upnp::Event::NonRoutableGateway => {
                tracing::info!("the router that takes port mappings (UPnP) has no public address itself");
            }
        }
    }
}
