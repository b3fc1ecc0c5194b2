//! How a task travels to somebody who has only its hash: asked for on a stream of its own, before there is a node.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::swarm::{Config, NetworkBehaviour, SwarmEvent};
use libp2p::{Multiaddr, StreamProtocol, Swarm, relay};
use peerlearn_protocols::id::{PeerId, TaskId};
use tokio::sync::Semaphore;

use super::bulk::limited;
use super::counting::Counters;
use super::identity::{Identity, to_libp2p};
use super::{NetworkError, TransportFailure, frames, transport};

/// Most bytes of a task.
const MOST: usize = 1 << 20;
/// Askers answered at a time.
const MAX_ASKERS: usize = 8;
/// What somebody asks for who does not know what is learnt: whatever it is.
const ANY: [u8; 32] = [0; 32];
/// What answers somebody who asks for another task.
const NOT_HERE: &[u8] = b"";

fn protocol() -> StreamProtocol {
    StreamProtocol::new("/peerlearn/task/1")
}

/// Answers those who ask for the task of this node, for ever; those who ask for any only where the task is `open`.
pub(super) async fn serve(mut control: libp2p_stream::Control, task: TaskId, document: Arc<Vec<u8>>, open: bool) {
    let Ok(mut streams) = control.accept(protocol()) else {
        return tracing::error!("tasks are already handed out elsewhere");
    };
    let askers = Arc::new(Semaphore::new(MAX_ASKERS));
    while let Some((_, mut stream)) = streams.next().await {
        let Ok(permit) = Arc::clone(&askers).try_acquire_owned() else { continue };
        let document = Arc::clone(&document);
        tokio::spawn(async move {
            let wanted = limited(frames::read(&mut stream, 32)).await;
            let here = wanted.is_ok_and(|wanted| wanted == task.0 || open && wanted == ANY);
            let answer = if here { document.as_slice() } else { NOT_HERE };
            // Whoever went away meanwhile asks again.
            let _ = limited(frames::write(&mut stream, answer)).await;
            drop(permit);
        });
    }
}

/// Asks a peer for a task, dialling its addresses one after the other; for any task, where none is named. The bytes are as they
/// came: whoever asks checks their hash.
///
/// # Errors
/// Nobody answers in time, or the peer does not have the task.
pub async fn fetch_task(
    peer: Option<PeerId>,
    addresses: &[String],
    task: Option<TaskId>,
    patience: Duration,
) -> Result<Vec<u8>, TransportFailure> {
    let asking = ask(peer, addresses, task);
    tokio::time::timeout(patience, asking).await.map_err(|_| TransportFailure::Timeout)?
}

/// What it takes to ask.
#[derive(NetworkBehaviour)]
struct Asking {
    relays: relay::client::Behaviour,
    streams: libp2p_stream::Behaviour,
}

async fn ask(peer: Option<PeerId>, addresses: &[String], task: Option<TaskId>) -> Result<Vec<u8>, TransportFailure> {
    let failed = |error: NetworkError| TransportFailure::Cut { reason: error.to_string() };
    // A key for this one question: who asks is told later, if at all.
    let keypair = Identity::generate().keypair().clone();
    let transport = transport::build(&keypair, &Counters::default()).map_err(failed)?;
    // A ticket may come from behind a router.
    let (relayed, relays) = relay::client::new(keypair.public().to_peer_id());
    let transport = transport::with_relays(transport, relayed, &keypair).map_err(failed)?;
    let behaviour = Asking { relays, streams: libp2p_stream::Behaviour::new() };
    let mut control = behaviour.streams.new_control();
    let config = Config::with_tokio_executor().with_idle_connection_timeout(Duration::from_secs(30));
    let mut swarm = Swarm::new(transport, behaviour, keypair.public().to_peer_id(), config);
    let known: Vec<Multiaddr> = addresses.iter().filter_map(|address| address.parse().ok()).collect();
    let target = match peer {
        Some(peer) => {
            let target = to_libp2p(&peer).ok_or(TransportFailure::Unreachable)?;
            let options = DialOpts::peer_id(target).addresses(known).build();
            swarm.dial(options).map_err(|_| TransportFailure::Unreachable)?;
            target
        }
        None => whoever_is_there(&mut swarm, known).await?,
    };
    let question = async {
        let mut stream = control.open_stream(target, protocol()).await.map_err(|error| match error {
            libp2p_stream::OpenStreamError::UnsupportedProtocol(_) => TransportFailure::Unsupported,
            error => TransportFailure::Cut { reason: error.to_string() },
        })?;
        limited(frames::write(&mut stream, &task.map_or(ANY, |task| task.0))).await?;
        limited(frames::read(&mut stream, MOST)).await
    };
    let mut question = std::pin::pin!(question);
    loop {
        tokio::select! {
            answer = &mut question => return match answer? {
                bytes if bytes == NOT_HERE => Err(TransportFailure::Gone),
                bytes => Ok(bytes),
            },
            event = swarm.select_next_some() => if let SwarmEvent::OutgoingConnectionError { .. } = event {
                return Err(TransportFailure::Unreachable);
            },
        }
    }
}

/// Dials addresses until somebody answers, whoever it is.
async fn whoever_is_there(
    swarm: &mut Swarm<Asking>,
    addresses: Vec<Multiaddr>,
) -> Result<libp2p::PeerId, TransportFailure> {
    for address in addresses {
        if swarm.dial(DialOpts::unknown_peer_id().address(address).build()).is_err() {
            continue;
        }
        loop {
            match swarm.select_next_some().await {
                SwarmEvent::ConnectionEstablished { peer_id, .. } => return Ok(peer_id),
                SwarmEvent::OutgoingConnectionError { .. } => break,
                _ => {}
            }
        }
    }
    Err(TransportFailure::Unreachable)
}
