//! Pulls between two real swarms, with a holder that cuts, hesitates and refuses.

use std::sync::Arc;
use std::time::Duration;

use libp2p::identity::Keypair;
use peerlearn_protocols::codec::Codec;
use peerlearn_protocols::exchange::pairing::Half;
use peerlearn_protocols::exchange::{Pairing, Publication, PullError, Purse};
use peerlearn_protocols::id::{PeerId, TaskId};
use peerlearn_protocols::mixing::push_sum::UNIT;
use peerlearn_protocols::params::{Layout, TensorSpec};
use peerlearn_protocols::wire::{BulkRequest, BulkStart, CHUNK_BYTES, Manifest, Refusal, Request, Response, blob};
use tokio::sync::{Semaphore, mpsc};

use super::*;
use crate::clock::Clock;
use crate::event::EventBus;
use crate::network::{BulkWriter, NetworkConfig, NetworkEvent, NetworkHandle};
use crate::supervisor::{RestartPolicy, Supervisor};

const TASK: TaskId = TaskId([1; 32]);
const LONG: Duration = Duration::from_secs(60);

/// Three chunks and a half in f32.
fn layout() -> Layout {
    Layout::new(vec![TensorSpec { name: "w".into(), shape: vec![230_000] }]).unwrap()
}

fn model() -> Vec<u8> {
    let params: Vec<f32> = (0..230_000).map(|n| n as f32 / 1000.0).collect();
    blob::encode(Codec::F32, &layout(), &params).unwrap()
}

struct Side {
    network: NetworkHandle,
    exchange: ExchangeHandle,
    events: mpsc::Receiver<NetworkEvent>,
    permits: Arc<Semaphore>,
    _supervisor: Supervisor,
}

async fn side(max_inbound: usize) -> Side {
    side_with(max_inbound, None).await
}

async fn side_with(max_inbound: usize, purse: Option<Purse>) -> Side {
    side_that(max_inbound, purse, |_| None).await
}

/// A side that meets others two by two.
async fn meeting_side() -> Side {
    side_that(4, None, |own| Some(Pairing::new(own, 1))).await
}

async fn side_that(max_inbound: usize, purse: Option<Purse>, pairing: impl Fn(PeerId) -> Option<Pairing>) -> Side {
    let (sender, events) = mpsc::channel(64);
    let config = NetworkConfig { listen: vec!["/memory/0".to_owned()], mdns: false, ..NetworkConfig::default() };
    let (network, network_room) = NetworkHandle::new(config, Keypair::generate_ed25519(), TASK, sender).unwrap();
    let settings = ExchangeSettings { max_inbound, ..ExchangeSettings::default() };
    let (exchange, exchange_room) =
        ExchangeHandle::new(TASK, layout(), &settings, 4, purse, pairing(network.local()), network.clone());
    let rooms = vec![("network", network_room), ("exchange", exchange_room)];
    let bus = EventBus::new(network.local(), Clock::start());
    let supervisor = Supervisor::spawn(rooms, RestartPolicy::default(), Clock::start(), bus).await.unwrap();
    Side { network, exchange, events, permits: Arc::new(Semaphore::new(64)), _supervisor: supervisor }
}

impl Side {
    fn publish(&self, blob: Vec<u8>) {
        self.exchange.publish(vec![Publication::new(Arc::new(blob), Codec::F32, 9, 3, 5)]);
    }

    async fn dial(&self, other: &Side) -> PeerId {
        self.network.dial(Some(other.network.local()), other.network.addresses().await);
        other.network.local()
    }

    /// Does what a node's router does for the exchange; streams are answered by `bulk` where it wants them.
    async fn serve(mut self, mut bulk: impl AsyncFnMut(BulkRequest, BulkWriter) -> Option<(BulkRequest, BulkWriter)>) {
        while let Some(event) = self.events.recv().await {
            let permit = Arc::clone(&self.permits).acquire_owned().await.unwrap();
            match event {
                NetworkEvent::Asked { peer, request, reply } => self.exchange.asked(peer, request, reply, permit),
                NetworkEvent::BulkAsked { request, writer, .. } => {
                    if let Some((request, writer)) = bulk(request, writer).await {
                        self.exchange.bulk_asked(request, writer, permit);
                    }
                }
                _ => {}
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_arrives_in_the_codec_asked_for() {
    let holder = side(4).await;
    holder.publish(model());
    let mut served = Vec::new();
    for codec in Codec::ALL {
        let puller = side(4).await;
        served.push((codec, puller.dial(&holder).await, puller));
    }
    tokio::spawn(holder.serve(async |request, writer| Some((request, writer))));
    for (codec, peer, puller) in served {
        let pulled = puller.exchange.pull(peer, codec, 0, LONG).await.unwrap();
        assert_eq!((pulled.offer.age, pulled.offer.round, pulled.offer.samples, pulled.offer.codec), (9, 3, 5, codec));
        let layout = layout();
        let parsed = blob::Blob::parse(&pulled.blob, &layout).unwrap();
        assert_eq!(parsed.codec(), codec);
        if codec == Codec::F32 {
            assert!(pulled.blob == model());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn beside_a_partial_model_the_whole_one_is_served() {
    let (holder, puller) = (side(4).await, side(4).await);
    let (whole, partial) = (Codec::Int8, Codec::Fragment(4));
    let encoded = |codec| {
        let blob = blob::Blob::parse(&model(), &layout()).unwrap().transcode(codec).unwrap();
        Publication::new(Arc::new(blob), codec, 9, 3, 5)
    };
    let native = encoded(partial);
    let root = native.offer.root;
    holder.exchange.publish(vec![encoded(whole), native]);
    let peer = puller.dial(&holder).await;
    tokio::spawn(holder.serve(async |request, writer| Some((request, writer))));
    for codec in [whole, partial, Codec::F32, Codec::TopK(10), Codec::Fragment(2)] {
        let pulled = puller.exchange.pull(peer, codec, 0, LONG).await.unwrap();
        assert_eq!(pulled.offer.codec, codec);
        assert_eq!(pulled.offer.root == root, codec == partial, "the own fragment is not made anew");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mass_travels_with_a_model_unless_a_mix_is_under_way() {
    let purse = || Some(Purse::new(1, 7));
    let (holder, puller, stranger) = (side_with(4, purse()).await, side_with(4, purse()).await, side(4).await);
    holder.publish(model());
    stranger.publish(model());
    let (rich, poor) = (puller.dial(&holder).await, puller.dial(&stranger).await);
    let held = holder.exchange.clone();
    tokio::spawn(holder.serve(async |request, writer| Some((request, writer))));
    tokio::spawn(stranger.serve(async |request, writer| Some((request, writer))));
    let grant = puller.exchange.pull(rich, Codec::F32, 0, LONG).await.unwrap().grant.unwrap();
    assert_eq!((grant.mass, held.close().await.unwrap()), (UNIT / 2, UNIT / 2));
    assert_eq!(puller.exchange.close().await.unwrap(), UNIT, "not taken yet");
    puller.exchange.settle(&[(rich, grant)]);
    assert_eq!(puller.exchange.close().await.unwrap(), UNIT + UNIT / 2);
    for (peer, refusal) in [(rich, Refusal::Busy), (poor, Refusal::NoMass)] {
        let failure = puller.exchange.pull(peer, Codec::F32, 0, LONG).await.unwrap_err();
        assert!(
            matches!(failure, PullFailure::Pull(PullError::Refused { reason, .. }) if reason == refusal),
            "{failure}"
        );
    }
    held.publish(vec![Publication::new(Arc::new(model()), Codec::F32, 9, 4, 5)]);
    let grant = puller.exchange.pull(rich, Codec::F32, 0, LONG).await.unwrap().grant.unwrap();
    assert_eq!(grant.mass, UNIT / 4);
}

/// Leads until a meeting is settled; before both have published there is nothing to meet with.
async fn meet(leader: &ExchangeHandle, guest: PeerId) -> Half {
    loop {
        let _ = leader.meet(guest, LONG).await;
        if let Some(half) = leader.halves(false).pop() {
            return half;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_that_meet_get_halves_of_the_same_models_even_if_a_question_is_lost() {
    let (ant, mut bat) = (meeting_side().await, meeting_side().await);
    let other: Vec<f32> = (0..230_000).map(|n| 7.0 - n as f32 / 500.0).collect();
    ant.publish(model());
    bat.publish(blob::encode(Codec::F32, &layout(), &other).unwrap());
    let guest = ant.dial(&bat).await;
    let (leader, met, own) = (ant.exchange.clone(), bat.exchange.clone(), ant.network.local());
    tokio::spawn(ant.serve(async |request, writer| Some((request, writer))));
    tokio::spawn(async move {
        let mut lost = false;
        while let Some(event) = bat.events.recv().await {
            let permit = Arc::clone(&bat.permits).acquire_owned().await.unwrap();
            match event {
                // The first question whether it is settled gets no answer.
                NetworkEvent::Asked { request: Request::Settle { .. }, .. } if !lost => lost = true,
                NetworkEvent::Asked { peer, request, reply } => bat.exchange.asked(peer, request, reply, permit),
                NetworkEvent::BulkAsked { request, writer, .. } => bat.exchange.bulk_asked(request, writer, permit),
                _ => {}
            }
        }
    });
    let one = meet(&leader, guest).await;
    let two = met.halves(false).pop().unwrap();
    assert_eq!((one.peer, two.peer), (guest, own));
    assert!(one.ours == two.theirs && one.theirs == two.ours && one.ours != one.theirs);
    // Neither has published since, so there is nothing more to meet about.
    leader.meet(guest, LONG).await.unwrap();
    assert!(leader.halves(false).is_empty() && met.halves(false).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_gives_up_or_meets_nobody_leaves_both_as_they_were() {
    let (ant, bat) = (meeting_side().await, meeting_side().await);
    ant.publish(model());
    let guest = ant.dial(&bat).await;
    let (leader, met) = (ant.exchange.clone(), bat.exchange.clone());
    tokio::spawn(ant.serve(async |request, writer| Some((request, writer))));
    // The last round of the guest is over.
    assert!(met.halves(true).is_empty());
    bat.publish(model());
    tokio::spawn(bat.serve(async |request, writer| Some((request, writer))));
    while leader.meet(guest, LONG).await.is_ok() {
        tokio::task::yield_now().await;
    }
    let failure = leader.meet(guest, LONG).await.unwrap_err();
    assert!(failure.to_string().contains("NoMeeting"), "{failure}");
    assert!(leader.halves(false).is_empty() && met.halves(false).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_is_resumed_at_the_first_chunk_that_is_missing() {
    let (puller, holder) = (side(4).await, side(4).await);
    holder.publish(model());
    let peer = puller.dial(&holder).await;
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
    let pulled = puller.exchange.pull(peer, Codec::F32, 0, LONG).await.unwrap();
    assert!(pulled.blob == model());
    assert_eq!(requests.recv().await, Some((0, 4)));
    assert_eq!(requests.recv().await, Some((2, 2)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_that_is_not_what_was_offered_ends_the_pull() {
    let (puller, holder) = (side(4).await, side(4).await);
    holder.publish(model());
    let peer = puller.dial(&holder).await;
    tokio::spawn(holder.serve(async |_, mut writer| {
        let mut damaged = model();
        damaged[CHUNK_BYTES + 5] ^= 1;
        let _ = writer.start(BulkStart::Sending).await;
        let _ = writer.write(&damaged).await;
        None
    }));
    let failure = puller.exchange.pull(peer, Codec::F32, 0, LONG).await.unwrap_err();
    assert_eq!(failure.fault(), Some(peerlearn_protocols::score::Fault::WrongHash), "{failure}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_holder_of_nothing_a_full_one_and_a_silent_one_are_not_to_blame_but_for_silence() {
    let (puller, empty) = (side(4).await, side(4).await);
    let nothing = puller.dial(&empty).await;
    tokio::spawn(empty.serve(async |request, writer| Some((request, writer))));
    let failure = puller.exchange.pull(nothing, Codec::F32, 0, LONG).await.unwrap_err();
    assert_eq!(failure.fault(), None, "{failure}");

    let full = side(1).await;
    full.publish(model());
    let busy = puller.dial(&full).await;
    let (kept, mut keeping) = mpsc::channel(8);
    tokio::spawn(full.serve(async move |request, mut writer| {
        if keeping.try_recv().is_err() {
            return Some((request, writer));
        }
        let _ = writer.start(BulkStart::Busy).await;
        None
    }));
    kept.send(()).await.unwrap();
    let failure = puller.exchange.pull(busy, Codec::F32, 0, LONG).await.unwrap_err();
    assert_eq!(failure, PullFailure::Request(crate::network::RequestError::Busy));
    assert!(puller.exchange.pull(busy, Codec::F32, 0, LONG).await.is_ok());
    let stale = puller.exchange.pull(busy, Codec::F32, 10, LONG).await.unwrap_err();
    assert_eq!(stale.fault(), None, "an old offer is refused before it is pulled: {stale}");

    let silent = side(4).await;
    let quiet = puller.dial(&silent).await;
    let failure = puller.exchange.pull(quiet, Codec::F32, 0, Duration::from_millis(50)).await.unwrap_err();
    assert_eq!(failure, PullFailure::Deadline);
    drop(silent);
}

#[test]
fn an_offer_that_fits_nothing_is_refused_before_bytes_flow() {
    use peerlearn_protocols::exchange::{Pull, PullOrder, Step};
    let layout = layout();
    let bytes = blob::encoded_len(Codec::Int8, &layout);
    let order = PullOrder {
        task: TASK,
        codec: Codec::Int8,
        bytes,
        least_age: 0,
        resumes: 3,
        packed: false,
        share: None,
        meeting: None,
    };
    let publication = Publication::new(Arc::new(model()), Codec::F32, 1, 1, 1);
    let hashes = Manifest::of(&publication.blob).hashes().to_vec();
    let (mut pull, _) = Pull::new(order);
    let step = pull.answered(Response::Offer { offer: publication.offer, hashes });
    assert!(matches!(step, Step::Failed(error) if PullFailure::Pull(error).fault().is_some()));
}
