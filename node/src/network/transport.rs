//! TCP with Noise and Yamux, QUIC, and in-process memory channels; names resolved by DNS where the system has a resolver.

use libp2p::core::muxing::{StreamMuxer, StreamMuxerBox};
use libp2p::core::transport::{Boxed, MemoryTransport, OrTransport};
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::{PeerId, Transport, noise, quic, tcp, yamux};

use super::NetworkError;
use super::counting::{Counters, CountingMuxer};
use super::ids::from_libp2p;
use super::links::{Links, ShapedMuxer};

/// Streams a connection may have: pulls, questions, gossip, ping and identify of one peer need a dozen.
const MAX_STREAMS: usize = 64;

type Connections = Boxed<(PeerId, StreamMuxerBox)>;

/// Everything a node dials and listens with; bad on purpose where there are `links`.
pub(super) fn build(
    keypair: &Keypair,
    counters: &Counters,
    links: Option<&Links>,
) -> Result<Connections, NetworkError> {
    let sound = sound(keypair, counters)?;
    let Some(links) = links.cloned() else { return Ok(sound) };
    let shape = move |(peer, muxer): (PeerId, StreamMuxerBox), _| {
        let known = from_libp2p(&peer).ok_or_else(|| std::io::Error::other("the peer is not ed25519"));
        let shaped = known.and_then(|id| ShapedMuxer::new(muxer, id, links.clone()));
        std::future::ready(shaped.map(|muxer| (peer, StreamMuxerBox::new(muxer))))
    };
    Ok(sound.and_then(shape).boxed())
}

fn sound(keypair: &Keypair, counters: &Counters) -> Result<Connections, NetworkError> {
    let memory = MemoryTransport::default();
    let memory = memory.upgrade(Version::V1Lazy).authenticate(noise(keypair)?).multiplex(yamux());
    let counting = counters.clone();
    let memory = memory.map(move |(peer, muxer), _| (peer, count(muxer, &counting)));
    let sockets = match libp2p::dns::tokio::Transport::system(sockets(keypair, counters)?) {
        Ok(named) => named.boxed(),
        // A container without /etc/resolv.conf, say: addresses with numbers still work.
        Err(error) => {
            tracing::warn!(%error, "no DNS resolver; addresses with host names cannot be dialled");
            sockets(keypair, counters)?
        }
    };
    Ok(OrTransport::new(memory, sockets).map(|either, _| either.into_inner()).boxed())
}

fn sockets(keypair: &Keypair, counters: &Counters) -> Result<Connections, NetworkError> {
    let tcp = tcp::tokio::Transport::new(tcp::Config::default().nodelay(true));
    let tcp = tcp.upgrade(Version::V1Lazy).authenticate(noise(keypair)?).multiplex(yamux());
    let mut config = quic::Config::new(keypair);
    config.max_concurrent_stream_limit = MAX_STREAMS as u32;
    let quic = quic::tokio::Transport::new(config);
    let (first, second) = (counters.clone(), counters.clone());
    let quic = quic.map(move |(peer, muxer), _| (peer, count(muxer, &first)));
    let tcp = tcp.map(move |(peer, muxer), _| (peer, count(muxer, &second)));
    Ok(OrTransport::new(quic, tcp).map(|either, _| either.into_inner()).boxed())
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
