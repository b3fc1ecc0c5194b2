//! A node against a peer that lies on the wire.

use peerlearn_network::{NetworkEvent, NetworkHandle};
use peerlearn_protocols::wire::blob::{self, encoded_len};
use peerlearn_protocols::wire::{
    Address, Announcement, ChunkManifest, ModelSummary, OfferSummary, Publication, Response,
};

use super::*;

/// A Byzantine peer: announces and offers a model, and sends what it was told to send.
async fn lie(victim: &Node, blob: Vec<u8>, offered: Option<ChunkManifest>, codec: Codec) -> (PeerId, NetworkHandle) {
    let (sender, mut events) = mpsc::channel(64);
    let network = NetworkConfig { listen: vec![MEMORY.to_owned()], mdns: false, ..NetworkConfig::default() };
    let (handle, start) = NetworkHandle::new(network, Identity::generate(), victim.task().id(), sender).unwrap();
    let bus = EventBus::new(handle.local(), Clock::start());
    let supervisor =
        Supervisor::spawn(vec![("network", start)], Default::default(), Clock::start(), bus).await.unwrap();
    let manifest = offered.unwrap_or_else(|| ChunkManifest::of(&blob));
    let publication = Publication::new(Arc::new(blob), codec, 1_000_000, 1, 100);
    let offer = peerlearn_protocols::wire::Offer { root: manifest.root(), ..publication.offer };
    let addresses = handle.addresses().await.into_iter().map(Address).collect();
    handle.dial(Some(victim.peer()), victim.addresses().await);
    handle.publish(Announcement {
        task: victim.task().id(),
        sequence: 1,
        addresses,
        round: 1,
        samples: 100,
        offer: Some(OfferSummary { root: offer.root, bytes: offer.bytes, age: offer.age }),
        codecs: peerlearn_protocols::codec::CodecSet::all(),
        sketch: ModelSummary::default(),
    });
    tokio::spawn(async move {
        let _kept = supervisor;
        while let Some(event) = events.recv().await {
            match event {
                NetworkEvent::Asked { reply, .. } => {
                    reply.answer(&Response::Offer { offer, hashes: manifest.hashes().to_vec() });
                }
                NetworkEvent::BulkAsked { mut writer, .. } => {
                    let _ = writer.start(peerlearn_protocols::wire::BulkStart::Sending).await;
                    let _ = writer.write(&publication.blob).await;
                    let _ = writer.finish().await;
                }
                _ => {}
            }
        }
    });
    (handle.local(), handle)
}

#[tokio::test(flavor = "multi_thread")]
async fn models_that_lie_are_scored_refused_and_leave_no_trace() {
    let ant = spawn(config(MEMORY, 0, Vec::new())).await;
    let layout = ant.task().layout().clone();
    let good = blob::encode(Codec::Int8, &layout, &initial_weights(&layout, [9; 32])).unwrap();
    let not_finite = {
        let mut bytes = good.clone();
        bytes[blob::HEADER_BYTES..][..4].copy_from_slice(&f32::NAN.to_le_bytes());
        bytes
    };
    let wrong_shape = {
        let mut bytes = good.clone();
        bytes[8] ^= 1;
        bytes
    };
    let wrong_hash = ChunkManifest::of(&not_finite);
    let longer = vec![0; encoded_len(Codec::Int8, &layout) as usize + 1];
    let cases = [
        (not_finite, None, Codec::Int8, "not finite"),
        (wrong_shape, None, Codec::Int8, "wrong shape"),
        (good.clone(), Some(wrong_hash), Codec::Int8, "wrong hash"),
        (longer, None, Codec::Int8, "wrong shape"),
        (good, None, Codec::F32, "not asked"),
    ];
    for (blob, offered, codec, word) in cases {
        let mut events = ant.subscribe();
        let (byzantine, network) = lie(&ant, blob, offered, codec).await;
        let reason = next(&mut events, |event| match event {
            NodeEvent::Misbehaved { peer, reason, .. } if *peer == byzantine => Some(reason.clone()),
            _ => None,
        })
        .await;
        assert!(reason.contains(word), "{reason}, expected {word}");
        let banned = next(&mut events, |event| match event {
            NodeEvent::Misbehaved { peer, banned: true, .. } if *peer == byzantine => Some(()),
            _ => None,
        });
        banned.await;
        drop(network);
    }
    let status = ant.status().await;
    assert!(status.refused >= 10 && status.peers.iter().all(|peer| peer.mixed == 0), "{:?}", status.peers);
    assert!(status.problems.iter().any(|problem| problem.contains("banned")), "{:?}", status.problems);
    // Whoever is honest is still taken in.
    let bat = spawn(config(MEMORY, 1, first_address(&ant).await)).await;
    mixed_round(&mut bat.subscribe(), 1).await;
    stop_all(&[ant, bat]).await;
}
