//! Sending models, and writing them in other forms.

use std::ops::Range;
use std::sync::Arc;

use peerlearn_network::{BulkWriter, TransportFailure};
use peerlearn_protocols::codec::Codec;
use peerlearn_protocols::peer::Fact;
use peerlearn_protocols::wire::{BulkStart, Publication};
use tokio::sync::Semaphore;

use super::actor::{PeerState, tell};

/// Sends a part of a model in a task of its own, or says that too many are being sent: `inbound` has a permit for each.
pub fn send(writer: BulkWriter, blob: Arc<Vec<u8>>, range: Range<usize>, inbound: &Arc<Semaphore>) {
    match Arc::clone(inbound).try_acquire_owned() {
        Ok(permit) => spawn(async move {
            let _permit = permit;
            write(writer, &blob[range]).await
        }),
        Err(_) => spawn(start(writer, BulkStart::Busy)),
    }
}

/// Says that what was asked for is not held any more.
pub(super) fn refuse(writer: BulkWriter) {
    spawn(start(writer, BulkStart::Gone));
}

/// Writes a publication anew, on a thread for blocking work: it takes time that grows with the model.
pub(super) fn recode(state: &PeerState, of: Publication, codec: Codec, compressed: bool) {
    let (layout, myself) = (Arc::clone(&state.settings.layout), state.myself.clone());
    tokio::task::spawn_blocking(move || {
        let publication = of.recoded(codec, compressed, &layout);
        tell(&myself, Fact::Recoded(publication.map(Box::new)));
    });
}

async fn start(mut writer: BulkWriter, start: BulkStart) -> Result<(), TransportFailure> {
    writer.start(start).await
}

async fn write(mut writer: BulkWriter, bytes: &[u8]) -> Result<(), TransportFailure> {
    writer.start(BulkStart::Sending).await?;
    writer.write(bytes).await?;
    writer.finish().await
}

fn spawn(sending: impl Future<Output = Result<(), TransportFailure>> + Send + 'static) {
    tokio::spawn(async move {
        if let Err(error) = sending.await {
            tracing::debug!(%error, "a pull from here was not completed");
        }
    });
}
