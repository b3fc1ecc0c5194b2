//! Holds back protocols on connections of peers that have not been let in.
//!
//! The behaviour inside knows the peer from the first moment; its handlers are kept from working. What they would send stays where it
//! is, streams that the peer opens wait without a byte of them being read, a few of them. Both sides may open their valves at different
//! times: nothing is lost by that, as nothing was denied. Whoever is not let in is hung up on, and what waits goes with the
//! connection.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::task::{Context, Poll};

use libp2p::PeerId;
use libp2p::core::transport::PortUse;
use libp2p::core::{Endpoint, Multiaddr};
use libp2p::swarm::handler::{
    ConnectionEvent, ConnectionHandlerEvent, FullyNegotiatedInbound, InboundUpgradeSend, SubstreamProtocol,
};
use libp2p::swarm::{
    ConnectionDenied, ConnectionHandler, ConnectionId, FromSwarm, NetworkBehaviour, NotifyHandler, THandler,
    THandlerInEvent, THandlerOutEvent, ToSwarm,
};

/// Streams of one protocol and connection that wait; more are closed.
const MAX_HELD: usize = 8;

/// A behaviour whose protocols are held back from peers that have not been let in.
pub(super) struct Valve<B> {
    inner: B,
    /// Whether everybody is let in.
    is_open: bool,
    let_in: BTreeSet<PeerId>,
    /// Connections whose handlers are held back.
    held: BTreeMap<ConnectionId, PeerId>,
    /// Handlers to be told that they may work.
    orders: VecDeque<(PeerId, ConnectionId)>,
}

impl<B> Valve<B> {
    /// Open to everybody until it is shut.
    pub fn new(inner: B) -> Self {
        Self { inner, is_open: true, let_in: BTreeSet::new(), held: BTreeMap::new(), orders: VecDeque::new() }
    }

    /// Shut to everybody who is not let in from now on.
    pub fn shut(&mut self) {
        self.is_open = false;
    }

    /// Lets a peer in, until its last connection ends.
    pub fn let_in(&mut self, peer: PeerId) {
        if !self.is_open && self.let_in.insert(peer) {
            let theirs = self.held.extract_if(.., |_, held| *held == peer);
            self.orders.extend(theirs.map(|(connection, peer)| (peer, connection)));
        }
    }

    fn hold<H: ConnectionHandler>(&mut self, id: ConnectionId, peer: PeerId, inner: H) -> Held<H> {
        let works = self.is_open || self.let_in.contains(&peer);
        if !works {
            self.held.insert(id, peer);
        }
        Held { inner, works, waiting: Vec::new() }
    }
}

impl<B> Deref for Valve<B> {
    type Target = B;

    fn deref(&self) -> &B {
        &self.inner
    }
}

impl<B> DerefMut for Valve<B> {
    fn deref_mut(&mut self) -> &mut B {
        &mut self.inner
    }
}

impl<B: NetworkBehaviour> NetworkBehaviour for Valve<B> {
    type ConnectionHandler = Held<THandler<B>>;
    type ToSwarm = B::ToSwarm;

    fn handle_pending_inbound_connection(
        &mut self,
        id: ConnectionId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        self.inner.handle_pending_inbound_connection(id, local, remote)
    }

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        let inner = self.inner.handle_established_inbound_connection(id, peer, local, remote)?;
        Ok(self.hold(id, peer, inner))
    }

    fn handle_pending_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: Option<PeerId>,
        addresses: &[Multiaddr],
        role: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        self.inner.handle_pending_outbound_connection(id, peer, addresses, role)
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        role: Endpoint,
        port: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        let inner = self.inner.handle_established_outbound_connection(id, peer, address, role, port)?;
        Ok(self.hold(id, peer, inner))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match &event {
            FromSwarm::ConnectionClosed(closed) => {
                self.held.remove(&closed.connection_id);
                if closed.remaining_established == 0 {
                    self.let_in.remove(&closed.peer_id);
                }
            }
            // Another behaviour did not want the connection after this one had made a handler for it.
            FromSwarm::DialFailure(failed) => drop(self.held.remove(&failed.connection_id)),
            FromSwarm::ListenFailure(failed) => drop(self.held.remove(&failed.connection_id)),
            _ => {}
        }
        self.inner.on_swarm_event(event);
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, id: ConnectionId, event: THandlerOutEvent<Self>) {
        self.inner.on_connection_handler_event(peer, id, event);
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        if let Some((peer_id, connection)) = self.orders.pop_front() {
            let handler = NotifyHandler::One(connection);
            return Poll::Ready(ToSwarm::NotifyHandler { peer_id, handler, event: Order::Work });
        }
        self.inner.poll(context).map(|event| event.map_in(Order::Inner))
    }
}

/// What a handler is told.
pub(super) enum Order<E> {
    /// The peer was let in.
    Work,
    /// What the behaviour inside says.
    Inner(E),
}

impl<E: fmt::Debug> fmt::Debug for Order<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Work => f.write_str("Work"),
            Self::Inner(inner) => inner.fmt(f),
        }
    }
}

type Inbound<H> = (
    <<H as ConnectionHandler>::InboundProtocol as InboundUpgradeSend>::Output,
    <H as ConnectionHandler>::InboundOpenInfo,
);

/// A handler that does nothing until its peer is let in.
pub(super) struct Held<H: ConnectionHandler> {
    inner: H,
    works: bool,
    /// Streams that the peer opened.
    waiting: Vec<Inbound<H>>,
}

impl<H: ConnectionHandler> ConnectionHandler for Held<H> {
    type FromBehaviour = Order<H::FromBehaviour>;
    type ToBehaviour = H::ToBehaviour;
    type InboundProtocol = H::InboundProtocol;
    type OutboundProtocol = H::OutboundProtocol;
    type InboundOpenInfo = H::InboundOpenInfo;
    type OutboundOpenInfo = H::OutboundOpenInfo;

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol, Self::InboundOpenInfo> {
        self.inner.listen_protocol()
    }

    fn connection_keep_alive(&self) -> bool {
        self.works && self.inner.connection_keep_alive()
    }

    fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, Self::OutboundOpenInfo, Self::ToBehaviour>> {
        // The order to work comes with a poll of its own.
        if self.works { self.inner.poll(context) } else { Poll::Pending }
    }

    fn poll_close(&mut self, context: &mut Context<'_>) -> Poll<Option<Self::ToBehaviour>> {
        self.inner.poll_close(context)
    }

    fn on_behaviour_event(&mut self, order: Self::FromBehaviour) {
        match order {
            Order::Inner(event) => self.inner.on_behaviour_event(event),
            Order::Work => {
                self.works = true;
                for (protocol, info) in std::mem::take(&mut self.waiting) {
                    let stream = FullyNegotiatedInbound { protocol, info };
                    self.inner.on_connection_event(ConnectionEvent::FullyNegotiatedInbound(stream));
                }
            }
        }
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<
            '_,
            Self::InboundProtocol,
            Self::OutboundProtocol,
            Self::InboundOpenInfo,
            Self::OutboundOpenInfo,
        >,
    ) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(stream) if !self.works => {
                if self.waiting.len() < MAX_HELD {
                    self.waiting.push((stream.protocol, stream.info));
                }
            }
            event => self.inner.on_connection_event(event),
        }
    }
}
