//! Pulls and questions: a task each, that comes back with a fact.

use std::sync::Arc;

use peerlearn_network::{BulkReader, NetworkHandle, TransportFailure};
use peerlearn_protocols::exchange::{Pull, PullFailure, PullOrder, Pulled, Step};
use peerlearn_protocols::id::PeerId;
use peerlearn_protocols::params::Layout;
use peerlearn_protocols::peer::{Fact, PullRequest, Question};
use peerlearn_protocols::wire::{Address, CHUNK_BYTES};
use tokio::sync::Semaphore;

use super::actor::{PeerState, tell};

/// Begins a pull. The machine says when to give it up.
pub(super) fn begin_pull(state: &mut PeerState, request: PullRequest) {
    let PullRequest { pull: number, peer, addresses, order, .. } = request;
    let (network, layout) = (state.components.network.clone(), Arc::clone(&state.settings.layout));
    let (outbound, myself) = (Arc::clone(&state.outbound), state.myself.clone());
    let pulling = tokio::spawn(async move {
        let result = run(&network, &outbound, peer, addresses, order, &layout).await;
        tell(&myself, Fact::Pulled { pull: number, result: Box::new(result) });
    });
    state.pulls.insert(number, pulling.abort_handle());
}

/// Asks a question. The network bounds how long it waits.
pub(super) fn ask(state: &mut PeerState, question: Question) {
    let Question { question: number, peer, addresses, request, .. } = question;
    let (network, myself) = (state.components.network.clone(), state.myself.clone());
    tokio::spawn(async move {
        dial(&network, peer, addresses);
        let result = network.request(peer, request).await;
        tell(&myself, Fact::Answered { question: number, result });
    });
}

/// A peer without a connection is dialled first; the network lets the question wait for it.
fn dial(network: &NetworkHandle, peer: PeerId, addresses: Vec<Address>) {
    if !addresses.is_empty() {
        network.dial(Some(peer), addresses.into_iter().map(|address| address.0).collect());
    }
}

/// Pulls when a place is free.
pub(super) async fn run(
    network: &NetworkHandle,
    outbound: &Semaphore,
    peer: PeerId,
    addresses: Vec<Address>,
    order: PullOrder,
    layout: &Layout,
) -> Result<Pulled, PullFailure> {
    // The semaphore is never closed.
    let _permit = outbound.acquire().await.map_err(|_| TransportFailure::Down)?;
    dial(network, peer, addresses);
    pull(network, peer, order).await?.completed(&order, layout)
}

/// Pulls a model: drives [`Pull`] to its end, over questions and streams. Memory: the encoded model and one chunk.
///
/// # Errors
/// Any [`PullFailure`]. There is no time limit: whoever gives up drops the future.
pub async fn pull(network: &NetworkHandle, peer: PeerId, order: PullOrder) -> Result<Pulled, PullFailure> {
    let (mut machine, mut step) = Pull::new(order);
    let mut stream: Option<BulkReader> = None;
    let mut buffer = Vec::new();
    loop {
        step = match step {
            Step::Ask(request) => machine.answered(network.request(peer, request).await?),
            Step::Stream(request) => match network.open_bulk(peer, request).await {
                Ok(reader) => {
                    stream = Some(reader);
                    machine.opened()
                }
                Err(TransportFailure::Cut { .. }) => machine.cut(),
                Err(error) => return Err(error.into()),
            },
            Step::Read(bytes) => {
                let bytes = bytes.min(CHUNK_BYTES);
                buffer.resize(bytes, 0);
                let read = match &mut stream {
                    Some(stream) => stream.read(&mut buffer).await,
                    None => Err(TransportFailure::Down),
                };
                match read {
                    Ok(()) => machine.chunk(&buffer),
                    Err(TransportFailure::Cut { .. }) => machine.cut(),
                    Err(error) => return Err(error.into()),
                }
            }
            Step::Done(pulled) => return Ok(*pulled),
            Step::Failed(error) => return Err(error.into()),
        }
    }
}
