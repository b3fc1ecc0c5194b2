//! Pulls between two real swarms, with a holder that cuts, hesitates and refuses.

use std::sync::Arc;
use std::time::Duration;

use peerlearn_network::{BulkWriter, Identity, NetworkConfig, NetworkEvent, NetworkHandle, TransportFailure};
use peerlearn_protocols::codec::Codec;
use peerlearn_protocols::exchange::{ModelStore, PullFailure, PullOrder, Pulled};
use peerlearn_protocols::id::{PeerId, TaskId};
use peerlearn_protocols::params::{Layout, TensorSpec};
use peerlearn_protocols::score::Fault;
use peerlearn_protocols::wire::{BulkRequest, BulkStart, CHUNK_BYTES, Publication, blob};
use peerlearn_runtime::clock::Clock;
use peerlearn_runtime::event::EventBus;
use peerlearn_runtime::supervisor::{RestartPolicy, Supervisor};
use tokio::sync::{Semaphore, mpsc};

use crate::peer::{asking, serving};

const TASK: TaskId = TaskId([1; 32]);

/// Three chunks and a half in f32.
fn layout() -> Layout {
    Layout::new(vec![TensorSpec { name: "w".into(), shape: vec![230_000] }]).unwrap()
}

fn model() -> Vec<u8> {
    let params: Vec<f32> = (0..230_000).map(|n| n as f32 / 1000.0).collect();
    blob::encode(Codec::F32, &layout(), &params).unwrap()
}

fn publication() -> Publication {
    Publication::new(Arc::new(model()), Codec::F32, 9, 3, 5)
}

struct Side {
    network: NetworkHandle,
    store: ModelStore,
    inbound: Arc<Semaphore>,
    events: mpsc::Receiver<NetworkEvent>,
    _supervisor: Supervisor,
}

/// A side that holds nothing and sends so many models at a time.
async fn side(max_inbound: usize) -> Side {
    let (sender, events) = mpsc::channel(64);
    let config = NetworkConfig { listen: vec!["/memory/0".to_owned()], mdns: false, ..NetworkConfig::default() };
    let (network, start) = NetworkHandle::new(config, Identity::generate(), TASK, sender).unwrap();
    let bus = EventBus::new(network.local(), Clock::start());
    let starts = vec![("network", start)];
    let supervisor = Supervisor::spawn(starts, RestartPolicy::default(), Clock::start(), bus).await.unwrap();
    let (store, inbound) = (ModelStore::new(TASK, 1), Arc::new(Semaphore::new(max_inbound)));
    Side { network, store, inbound, events, _supervisor: supervisor }
}

impl Side {
    /// One that holds the model in every codec.
    async fn holder(max_inbound: usize) -> Self {
        let mut side = side(max_inbound).await;
        side.store.publish(publication());
        for codec in Codec::ALL.into_iter().filter(|codec| *codec != Codec::F32) {
            side.store.add(publication().recoded(codec, false, &layout()).unwrap());
        }
        side
    }

    fn dial(&self, other: &NetworkHandle, addresses: Vec<String>) -> PeerId {
        self.network.dial(Some(other.local()), addresses);
        other.local()
    }

    async fn connect(&self, other: &Self) -> PeerId {
        self.dial(&other.network, other.network.addresses().await)
    }

    async fn pull(&self, peer: PeerId, codec: Codec, least_age: u64) -> Result<Pulled, PullFailure> {
        let layout = layout();
        let order = PullOrder {
            task: TASK,
            codec,
            bytes: blob::encoded_len(codec, &layout),
            least_age,
            resumes: 3,
            compressed: false,
            checked: true,
            share: None,
            session: None,
        };
        asking::run(&self.network, &Semaphore::new(1), peer, Vec::new(), order, &layout).await
    }

    /// Serves what it holds; streams are answered by `bulk` where it wants them.
    async fn serve(mut self, mut bulk: impl AsyncFnMut(BulkRequest, BulkWriter) -> Option<(BulkRequest, BulkWriter)>) {
        while let Some(event) = self.events.recv().await {
            match event {
                NetworkEvent::Asked { request, reply, .. } => reply.answer(&self.store.answer(&request)),
                NetworkEvent::BulkAsked { request, writer, .. } => {
                    let Some((request, writer)) = bulk(request, writer).await else { continue };
                    match self.store.open(&request) {
                        Some((blob, range)) => serving::send(writer, blob, range, &self.inbound),
                        None => serving::refuse(writer),
                    }
                }
                _ => {}
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_arrives_in_the_codec_asked_for() {
    let holder = Side::holder(4).await;
    let mut served = Vec::new();
    for codec in Codec::ALL {
        let puller = side(4).await;
        served.push((codec, puller.connect(&holder).await, puller));
    }
    tokio::spawn(holder.serve(async |request, writer| Some((request, writer))));
    for (codec, peer, puller) in served {
        let pulled = puller.pull(peer, codec, 0).await.unwrap();
        assert_eq!((pulled.offer.age, pulled.offer.round, pulled.offer.samples, pulled.offer.codec), (9, 3, 5, codec));
        let layout = layout();
        assert_eq!(blob::Blob::parse(&pulled.blob, &layout).unwrap().codec(), codec);
        if codec == Codec::F32 {
            assert!(*pulled.blob == model());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_is_resumed_at_the_first_chunk_that_is_missing() {
    let (puller, holder) = (side(4).await, Side::holder(4).await);
    let peer = puller.connect(&holder).await;
    let (asked, mut requests) = mpsc::channel(8);
    tokio::spawn(holder.serve(async move |request, mut writer| {
        asked.send((request.first, request.count)).await.unwrap();
        if request.first > 0 {
            return Some((request, writer));
        }
        // Two chunks and a piece of the third, then nothing: the stream is dropped.
        writer.start(BulkStart::Sending).await.unwrap();
        writer.write(&model()[..2 * CHUNK_BYTES + 1000]).await.unwrap();
        None
    }));
    let pulled = puller.pull(peer, Codec::F32, 0).await.unwrap();
    assert!(*pulled.blob == model());
    assert_eq!(requests.recv().await, Some((0, 4)));
    assert_eq!(requests.recv().await, Some((2, 2)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_that_is_not_what_was_offered_ends_the_pull() {
    let (puller, holder) = (side(4).await, Side::holder(4).await);
    let peer = puller.connect(&holder).await;
    tokio::spawn(holder.serve(async |_, mut writer| {
        let mut damaged = model();
        damaged[CHUNK_BYTES + 5] ^= 1;
        let _ = writer.start(BulkStart::Sending).await;
        let _ = writer.write(&damaged).await;
        None
    }));
    let failure = puller.pull(peer, Codec::F32, 0).await.unwrap_err();
    assert_eq!(failure.fault(), Some(Fault::WrongHash), "{failure}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_of_values_that_are_none_is_no_model_where_it_is_checked() {
    let (puller, mut holder) = (side(4).await, side(4).await);
    let mut bytes = model();
    let end = bytes.len();
    bytes[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    holder.store.publish(Publication::new(Arc::new(bytes), Codec::F32, 9, 3, 5));
    let peer = puller.connect(&holder).await;
    tokio::spawn(holder.serve(async |request, writer| Some((request, writer))));
    assert_eq!(puller.pull(peer, Codec::F32, 0).await.unwrap_err(), PullFailure::NoModel);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_holder_of_nothing_a_full_one_and_a_silent_one_are_not_to_blame_but_for_silence() {
    let (puller, empty) = (side(4).await, side(4).await);
    let nothing = puller.connect(&empty).await;
    tokio::spawn(empty.serve(async |request, writer| Some((request, writer))));
    let failure = puller.pull(nothing, Codec::F32, 0).await.unwrap_err();
    assert_eq!(failure.fault(), None, "{failure}");

    // One that sends one model at a time, and sends one already.
    let full = Side::holder(1).await;
    let (sending, peer) = (Arc::clone(&full.inbound), puller.connect(&full).await);
    tokio::spawn(full.serve(async |request, writer| Some((request, writer))));
    let taken = sending.acquire().await.unwrap();
    let failure = puller.pull(peer, Codec::F32, 0).await.unwrap_err();
    assert_eq!((&failure, failure.fault()), (&PullFailure::Transport(TransportFailure::Busy), None));
    drop(taken);
    assert!(puller.pull(peer, Codec::F32, 0).await.is_ok());
    let stale = puller.pull(peer, Codec::F32, 10).await.unwrap_err();
    assert!(stale.is_stale() && stale.fault().is_none(), "an old offer is refused before it is pulled: {stale}");

    // Whoever is silent is waited for until the machine gives up.
    let silent = side(4).await;
    let quiet = puller.connect(&silent).await;
    let waiting = tokio::time::timeout(Duration::from_millis(50), puller.pull(quiet, Codec::F32, 0)).await;
    assert!(waiting.is_err());
    assert_eq!(PullFailure::Deadline.fault(), Some(Fault::Slow));
    drop(silent);
}
