use futures::FutureExt;
use libp2p::core::transport::ListenerId;
use libp2p::swarm::behaviour::{
    ConnectionClosed, ConnectionEstablished, ExpiredListenAddr, ExternalAddrConfirmed, ExternalAddrExpired,
    ListenerClosed, NewListenAddr,
};

use super::*;

const SEEN: &str = "/ip4/203.0.113.9/udp/4001/quic-v1";
const OWN: &str = "/ip4/192.168.1.7/udp/4001/quic-v1";

fn address(text: &str) -> Multiaddr {
    text.parse().unwrap()
}

fn crossing(mode: RelayMode) -> Crossing {
    Crossing::new(PeerId::random(), mode)
}

impl Crossing {
    /// What it does now; what it confirms or takes back comes back to it, as from the swarm.
    fn acts(&mut self) -> Vec<Action> {
        let mut acts = Vec::new();
        while let Some(Poll::Ready(act)) =
            std::future::poll_fn(|context| Poll::Ready(self.poll(context))).now_or_never()
        {
            match &act {
                ToSwarm::ExternalAddrConfirmed(address) => self.hears_of(address),
                ToSwarm::ExternalAddrExpired(address) => {
                    self.on_swarm_event(FromSwarm::ExternalAddrExpired(ExternalAddrExpired { addr: address }))
                }
                _ => {}
            }
            acts.push(act);
        }
        acts
    }

    fn hears_of(&mut self, confirmed: &Multiaddr) {
        self.on_swarm_event(FromSwarm::ExternalAddrConfirmed(ExternalAddrConfirmed { addr: confirmed }));
    }

    fn listens(&mut self, on: &str) {
        let new = NewListenAddr { listener_id: ListenerId::next(), addr: &address(on) };
        self.on_swarm_event(FromSwarm::NewListenAddr(new));
    }

    fn connects(&mut self, id: usize, peer_id: PeerId, endpoint: &ConnectedPoint) {
        self.on_swarm_event(FromSwarm::ConnectionEstablished(ConnectionEstablished {
            peer_id,
            connection_id: ConnectionId::new_unchecked(id),
            endpoint,
            failed_addresses: &[],
            other_established: 0,
        }));
    }

    fn closes(&mut self, id: usize, peer_id: PeerId, endpoint: &ConnectedPoint) {
        self.on_swarm_event(FromSwarm::ConnectionClosed(ConnectionClosed {
            peer_id,
            connection_id: ConnectionId::new_unchecked(id),
            endpoint,
            cause: None,
            remaining_established: 0,
        }));
    }
}

fn dialled(to: &str) -> ConnectedPoint {
    ConnectedPoint::Dialer { address: address(to), role_override: Endpoint::Dialer, port_use: PortUse::Reuse }
}

fn came_from(from: &str, at: &str) -> ConnectedPoint {
    ConnectedPoint::Listener { local_addr: address(at), send_back_addr: address(from) }
}

fn serves(acts: &[Action]) -> Option<bool> {
    acts.iter()
        .rev()
        .find_map(|act| if let ToSwarm::GenerateEvent(Event::Serve(serves)) = act { Some(*serves) } else { None })
}

fn asks(acts: &[Action]) -> Vec<(ListenerId, Multiaddr)> {
    let asked = |act: &Action| match act {
        ToSwarm::ListenOn { opts } => Some((opts.listener_id(), opts.address().clone())),
        _ => None,
    };
    acts.iter().filter_map(asked).collect()
}

#[tokio::test]
async fn a_router_that_lets_answers_in_proves_nothing_and_a_stranger_that_comes_in_does() {
    let mut ant = crossing(RelayMode::Auto);
    ant.listens(OWN);
    let contact = address("/ip4/198.51.100.1/tcp/1");
    ant.handle_pending_outbound_connection(ConnectionId::new_unchecked(1), None, &[contact], Endpoint::Dialer).unwrap();
    // Found out by AutoNAT, whose server dials from a machine that this node has dialled.
    ant.hears_of(&address(SEEN));
    ant.connects(2, PeerId::random(), &came_from("/ip4/198.51.100.1/udp/9/quic-v1", OWN));
    assert!(!ant.is_reachable() && serves(&ant.acts()).is_none());
    ant.connects(3, PeerId::random(), &came_from("/ip4/192.168.1.9/udp/9/quic-v1", OWN));
    assert!(!ant.is_reachable(), "the LAN proves nothing");
    ant.connects(4, PeerId::random(), &came_from("/ip4/198.51.100.2/udp/9/quic-v1", OWN));
    assert!(ant.is_reachable());
    assert_eq!(serves(&ant.acts()), Some(true));
}

#[tokio::test]
async fn a_machine_with_an_address_of_its_own_is_reached_once_somebody_came() {
    let mut ant = crossing(RelayMode::Auto);
    ant.listens(SEEN);
    assert!(!ant.is_reachable(), "a firewall may be before it");
    ant.connects(1, PeerId::random(), &came_from("/ip4/198.51.100.2/udp/9/quic-v1", SEEN));
    let acts = ant.acts();
    assert!(acts.iter().any(|act| matches!(act, ToSwarm::ExternalAddrConfirmed(own) if *own == address(SEEN))));
    assert!(ant.is_reachable() && serves(&acts) == Some(true));
}

#[tokio::test]
async fn what_was_confirmed_for_an_address_that_is_gone_is_taken_back() {
    let mut ant = crossing(RelayMode::Auto);
    ant.listens(OWN);
    ant.listens("/ip4/192.168.1.7/tcp/4001");
    ant.hears_of(&address(SEEN));
    ant.hears_of(&address("/ip4/203.0.113.9/tcp/4001"));
    ant.connects(1, PeerId::random(), &came_from("/ip4/198.51.100.2/udp/9/quic-v1", OWN));
    assert_eq!(serves(&ant.acts()), Some(true));
    let gone = ExpiredListenAddr { listener_id: ListenerId::next(), addr: &address(OWN) };
    ant.on_swarm_event(FromSwarm::ExpiredListenAddr(gone));
    let acts = ant.acts();
    let is_moved = |act: &Action| matches!(act, ToSwarm::GenerateEvent(Event::Moved));
    assert!(acts.iter().any(is_moved), "what AutoNAT knows is void");
    let expired: Vec<&Action> = acts.iter().filter(|act| matches!(act, ToSwarm::ExternalAddrExpired(_))).collect();
    assert!(matches!(expired[..], [ToSwarm::ExternalAddrExpired(old)] if *old == address(SEEN)), "{expired:?}");
    assert_eq!(serves(&acts), Some(false));
}

#[tokio::test]
async fn a_router_with_a_new_address_has_no_longer_the_old_one() {
    let mut ant = crossing(RelayMode::Auto);
    ant.listens(OWN);
    ant.hears_of(&address(SEEN));
    ant.hears_of(&address("/ip4/203.0.113.77/udp/4001/quic-v1"));
    ant.acts();
    assert_eq!(ant.confirmed, BTreeSet::from([address("/ip4/203.0.113.77/udp/4001/quic-v1")]));
    (0..100).for_each(|port| ant.hears_of(&address(&format!("/ip4/203.0.113.77/udp/{port}/quic-v1"))));
    ant.acts();
    assert!(ant.confirmed.len() <= MAX_CONFIRMED);
}

#[tokio::test]
async fn a_relay_without_an_address_serves_nobody() {
    let mut ant = crossing(RelayMode::On);
    assert_eq!(serves(&ant.acts()), None);
    ant.listens("/ip4/127.0.0.1/tcp/1");
    assert_eq!(serves(&ant.acts()), Some(true));
}

#[tokio::test]
async fn relays_are_asked_where_they_are_and_others_when_they_refuse() {
    let mut ant = crossing(RelayMode::Auto);
    let (relays, ways) = ([1, 2, 3].map(|_| PeerId::random()), [1, 2, 3].map(|n| format!("/ip4/198.51.100.{n}/tcp/1")));
    for (n, relay) in relays.iter().enumerate() {
        ant.connects(n, *relay, &dialled(&format!("{}/p2p/{relay}", ways[n])));
        let elsewhere =
            [address("/ip4/203.0.113.200/tcp/1"), address(&format!("/ip4/198.51.100.{}/udp/1/quic-v1", n + 1))];
        ant.described(*relay, true, &elsewhere);
    }
    let asked = asks(&ant.acts());
    assert_eq!(asked.len(), 2, "one, and one in case it goes");
    let named = |asked: &Multiaddr, n: usize| *asked == address(&format!("{}/p2p/{}/p2p-circuit", ways[n], relays[n]));
    assert!(asked.iter().all(|(_, asked)| (0..3).any(|n| named(asked, n))), "{asked:?}");
    assert_eq!(ant.relayed(), Vec::<Multiaddr>::new(), "nothing is told before it is held");
    for (id, at) in &asked {
        ant.on_swarm_event(FromSwarm::NewListenAddr(NewListenAddr { listener_id: *id, addr: at }));
    }
    let told = ant.relayed();
    assert_eq!(told.len(), 4, "TCP and QUIC of both");
    assert!(told.iter().all(|told| !told.to_string().contains("203.0.113")), "nobody else is named as relay: {told:?}");
    // One goes; the third takes its place.
    let closed = ListenerClosed { listener_id: asked[0].0, reason: Ok(()) };
    ant.on_swarm_event(FromSwarm::ListenerClosed(closed));
    let again = asks(&ant.acts());
    assert!(again.len() == 1 && asked.iter().all(|(_, before)| *before != again[0].1), "{again:?}");
    // All go.
    for (n, relay) in relays.iter().enumerate() {
        ant.closes(n, *relay, &dialled(&ways[n]));
    }
    assert!(ant.relayed().is_empty() && asks(&ant.acts()).is_empty());
}

#[tokio::test]
async fn a_relayed_connection_ends_soon_after_a_direct_one_is_up() {
    let (mut ant, bat, relay) = (crossing(RelayMode::Auto), PeerId::random(), PeerId::random());
    ant.connects(1, bat, &dialled(&format!("/ip4/198.51.100.1/tcp/1/p2p/{relay}/p2p-circuit/p2p/{bat}")));
    assert!(!ant.is_direct(&bat));
    ant.connects(2, bat, &dialled(&format!("{SEEN}/p2p/{bat}")));
    assert!(ant.is_direct(&bat) && ant.acts().is_empty());
    ant.parting.iter_mut().for_each(|(at, ..)| *at -= PARTING);
    ant.due();
    let acts = ant.acts();
    let one = ConnectionId::new_unchecked(1);
    let is_end = |act: &Action| matches!(act, ToSwarm::CloseConnection { connection: CloseConnection::One(id), .. } if *id == one);
    assert!(acts.iter().any(is_end), "{acts:?}");
}

#[tokio::test]
async fn how_a_router_has_changed_the_port_is_passed_on() {
    let mut ant = crossing(RelayMode::Auto);
    ant.listens(OWN);
    ant.connects(1, PeerId::random(), &dialled("/ip4/198.51.100.1/udp/1/quic-v1"));
    let candidates =
        |acts: Vec<Action>| acts.iter().filter(|act| matches!(act, ToSwarm::NewExternalAddrCandidate(_))).count();
    ant.observed(ConnectionId::new_unchecked(1), &address(SEEN));
    assert_eq!(candidates(ant.acts()), 0, "identify says it itself where the port stays");
    ant.observed(ConnectionId::new_unchecked(1), &address("/ip4/203.0.113.9/udp/61000/quic-v1"));
    assert_eq!(candidates(ant.acts()), 1);
    ant.connects(2, PeerId::random(), &came_from("/ip4/198.51.100.1/udp/1/quic-v1", OWN));
    ant.observed(ConnectionId::new_unchecked(2), &address("/ip4/203.0.113.9/udp/61000/quic-v1"));
    assert_eq!(candidates(ant.acts()), 0);
}
