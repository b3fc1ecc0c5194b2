//! TCP with Noise and Yamux, QUIC, in-process memory channels, and any of them through a relay; names resolved by DNS where the
//! system has a resolver.

use std::time::Duration;

use libp2p::core::muxing::{StreamMuxer, StreamMuxerBox};
use libp2p::core::transport::timeout::TransportTimeout;
use libp2p::core::transport::{Boxed, MemoryTransport, OrTransport};
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
#[cfg(feature = "quic")]
use libp2p::quic;
use libp2p::{PeerId, Transport, noise, relay, tcp, yamux};

use super::NetworkError;
use super::counting::{Counters, CountingMuxer};

/// Longest time until a connection is encrypted and multiplexed: who is silent for longer makes room.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Streams a connection may have: pulls, questions, gossip, ping and identify of one peer need a dozen.
const MAX_STREAMS: usize = 64;

pub(super) type Connections = Boxed<(PeerId, StreamMuxerBox)>;

/// Everything a node dials and listens with.
pub(super) fn build(keypair: &Keypair, counters: &Counters) -> Result<Connections, NetworkError> {
    let memory = MemoryTransport::default();
    let memory = memory.upgrade(Version::V1Lazy).authenticate(noise(keypair)?).multiplex(yamux());
    let counting = counters.clone();
    let memory = memory.map(move |(peer, muxer), _| (peer, count(muxer, &counting.of(&peer))));
    let sockets = match libp2p::dns::tokio::Transport::system(sockets(keypair, counters)?) {
        Ok(named) => named.boxed(),
        // A container without /etc/resolv.conf, say: addresses with numbers still work.
        Err(error) => {
            tracing::warn!(%error, "no DNS resolver; addresses with host names cannot be dialled");
            sockets(keypair, counters)?
        }
    };
    let all = OrTransport::new(memory, sockets).map(|either, _| either.into_inner());
    Ok(TransportTimeout::new(all, HANDSHAKE).boxed())
}

/// The same, and connections through relays. Their bytes are counted already, as those of the connection to the relay.
pub(super) fn with_relays(
    direct: Connections,
    relayed: relay::client::Transport,
    keypair: &Keypair,
) -> Result<Connections, NetworkError> {
    let relayed = relayed.upgrade(Version::V1Lazy).authenticate(noise(keypair)?).multiplex(yamux());
    let relayed = relayed.map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)));
    Ok(OrTransport::new(relayed, direct).map(|either, _| either.into_inner()).boxed())
}

fn sockets(keypair: &Keypair, counters: &Counters) -> Result<Connections, NetworkError> {
    let tcp = tcp::tokio::Transport::new(tcp::Config::default().nodelay(true));
    let tcp = tcp.upgrade(Version::V1Lazy).authenticate(noise(keypair)?).multiplex(yamux());
    let counting = counters.clone();
    let tcp = tcp.map(move |(peer, muxer), _| (peer, count(muxer, &counting.of(&peer))));
    #[cfg(feature = "quic")]
    let tcp = OrTransport::new(quic(keypair, counters), tcp).map(|either, _| either.into_inner());
    Ok(tcp.boxed())
}

#[cfg(feature = "quic")]
fn quic(keypair: &Keypair, counters: &Counters) -> Connections {
    let mut config = quic::Config::new(keypair);
    config.max_concurrent_stream_limit = MAX_STREAMS as u32;
    let counting = counters.clone();
    quic::tokio::Transport::new(config).map(move |(peer, muxer), _| (peer, count(muxer, &counting.of(&peer)))).boxed()
}

fn noise(keypair: &Keypair) -> Result<noise::Config, NetworkError> {
    noise::Config::new(keypair).map_err(|error| NetworkError::Setup { part: "noise", reason: error.to_string() })
}

fn yamux() -> yamux::Config {
    let mut config = yamux::Config::default();
    config.set_max_num_streams(MAX_STREAMS);
    config
}

fn count<M>(muxer: M, counters: &Counters) -> StreamMuxerBox
where
    M: StreamMuxer + Send + 'static,
    M::Substream: Send + Unpin + 'static,
    M::Error: Send + Sync + 'static,
{
    StreamMuxerBox::new(CountingMuxer::new(muxer, counters.clone()))
}
