//! Real swarms over memory, TCP and QUIC on loopback.

mod admission;
mod hostile;
mod nat;
mod paths;
mod summaries;

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use libp2p::Swarm;
use libp2p::identity::Keypair;
use libp2p::swarm::NetworkBehaviour;
use peerlearn_protocols::codec::{Codec, CodecSet};
use peerlearn_protocols::id::{PeerId, Root, TaskId};
use peerlearn_protocols::membership::Acceptance;
use peerlearn_protocols::score::Fault;
use peerlearn_protocols::wire::{
    Address, Announcement, BulkRequest, BulkStart, ModelSummary, Refusal, Request, Response,
};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::sync::mpsc;

use super::counting::Counters;
use super::*;

const TASK: TaskId = TaskId([1; 32]);

/// Stands above the network as the supervisor does.
struct Parent;

impl Actor for Parent {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<()>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}

struct Peer {
    handle: NetworkHandle,
    events: mpsc::Receiver<NetworkEvent>,
}

fn on(listen: &str) -> NetworkConfig {
    NetworkConfig { listen: vec![listen.to_owned()], mdns: false, ..NetworkConfig::default() }
}

async fn start(task: TaskId, config: NetworkConfig) -> Result<Peer, NetworkError> {
    let (sender, events) = mpsc::channel(64);
    let (handle, start) = NetworkHandle::new(config, Identity::generate(), task, sender)?;
    let (parent, _) = Actor::spawn(None, Parent, ()).await.unwrap();
    match start(parent.get_cell()).await {
        Ok(_) => Ok(Peer { handle, events }),
        Err(ractor::SpawnErr::StartupFailed(error)) => Err(*error.downcast::<NetworkError>().unwrap()),
        Err(error) => panic!("{error}"),
    }
}

async fn peer(listen: &str) -> Peer {
    start(TASK, on(listen)).await.unwrap()
}

impl Peer {
    fn id(&self) -> PeerId {
        self.handle.local()
    }

    /// The next event that `pick` takes; others are passed over.
    async fn next<T>(&mut self, mut pick: impl FnMut(NetworkEvent) -> Option<T>) -> T {
        loop {
            let event = self.events.recv().await.expect("the network is up");
            if let Some(picked) = pick(event) {
                return picked;
            }
        }
    }

    async fn connect(&mut self, other: &mut Peer) {
        self.handle.dial(Some(other.id()), other.handle.addresses().await);
        let ids = (self.id(), other.id());
        for (one, two) in [(self, ids.1), (other, ids.0)] {
            one.next(|event| matches!(event, NetworkEvent::Connected { peer, .. } if peer == two).then_some(())).await;
        }
    }

    async fn fault(&mut self) -> (PeerId, Fault) {
        self.next(|event| match event {
            NetworkEvent::Misbehaved { peer, fault } => Some((peer, fault)),
            NetworkEvent::Announced { announcement, .. } => panic!("taken: {announcement:?}"),
            NetworkEvent::Asked { request, .. } => panic!("taken: {request:?}"),
            NetworkEvent::BulkAsked { request, .. } => panic!("taken: {request:?}"),
            _ => None,
        })
        .await
    }

    async fn announced(&mut self) -> (PeerId, Announcement, VerdictToken) {
        self.next(|event| match event {
            NetworkEvent::Announced { author, announcement, verdict } => Some((author, *announcement, verdict)),
            _ => None,
        })
        .await
    }
}

fn announcement(sequence: u64) -> Announcement {
    Announcement {
        task: TASK,
        sequence,
        addresses: vec![Address("/memory/1".into())],
        round: 0,
        samples: 1,
        offer: None,
        codecs: CodecSet::all(),
        sketch: ModelSummary::default(),
    }
}

#[tokio::test]
async fn announcements_travel_as_far_as_they_are_accepted() {
    let sockets = NetworkConfig::any_port("127.0.0.1");
    for listen in ["/memory/0"].into_iter().chain(sockets.iter().map(String::as_str)) {
        let (ant, mut bat, mut cat) = (peer(listen).await, peer(listen).await, peer(listen).await);
        // Said to nobody: kept until somebody is there.
        ant.handle.publish(announcement(1));
        ant.handle.dial(Some(bat.id()), bat.handle.addresses().await);
        let (author, heard, verdict) = bat.announced().await;
        assert_eq!((author, heard.sequence), (ant.id(), 1), "{listen}");
        verdict.judge(Acceptance::Accept);
        bat.connect(&mut cat).await;
        // Cat subscribes to bat; a rejected announcement does not reach it, the accepted one after it does.
        cat.handle.publish(announcement(7));
        bat.announced().await.2.judge(Acceptance::Reject);
        ant.handle.publish(announcement(2));
        bat.announced().await.2.judge(Acceptance::Reject);
        ant.handle.publish(announcement(3));
        bat.announced().await.2.judge(Acceptance::Accept);
        let (author, heard, _) = cat.announced().await;
        assert_eq!((author, heard.sequence), (ant.id(), 3), "{listen}");
        let (bytes_in, bytes_out) = bat.handle.bytes();
        assert!(bytes_in > 500 && bytes_out > 500, "bytes are counted on {listen}");
    }
}

#[tokio::test]
async fn questions_are_answered_and_unanswered_ones_end() {
    let (mut ant, mut bat) = (peer("/memory/0").await, peer("/memory/0").await);
    ant.connect(&mut bat).await;
    let question = Request::Newest { task: TASK, codec: Codec::Int8 };
    let asking = tokio::spawn({
        let (handle, to, question) = (ant.handle.clone(), bat.id(), question.clone());
        async move { [handle.request(to, question.clone()).await, handle.request(to, question).await] }
    });
    let answer = Response::Refused { reason: Refusal::NothingYet, retry_after_ms: 5 };
    let asked = |event| match event {
        NetworkEvent::Asked { peer, request, reply } => Some((peer, request, reply)),
        _ => None,
    };
    let (from, request, reply) = bat.next(asked).await;
    assert_eq!((from, request), (ant.id(), question.clone()));
    reply.answer(&answer);
    drop(bat.next(asked).await);
    let [first, second] = asking.await.unwrap();
    assert_eq!(first, Ok(answer));
    assert!(matches!(second, Err(TransportFailure::Cut { .. })), "{second:?}");
    let nobody = ant.handle.request(PeerId([3; 32]), question).await;
    assert_eq!(nobody, Err(TransportFailure::Unreachable));
}

#[tokio::test]
async fn chunks_arrive_whole_and_a_cut_is_told() {
    let (mut ant, mut bat) = (peer("/ip4/127.0.0.1/tcp/0").await, peer("/ip4/127.0.0.1/tcp/0").await);
    ant.connect(&mut bat).await;
    let bytes: Vec<u8> = (0..700_001u32).map(|n| (n / 3) as u8).collect();
    let request = BulkRequest { root: Root([5; 32]), first: 0, count: 3 };
    for case in ["whole", "cut", "gone", "busy"] {
        let handle = ant.handle.clone();
        let (to, length) = (bat.id(), bytes.len());
        let pulling = tokio::spawn(async move {
            let mut reader = handle.open_bulk(to, request).await?;
            let mut chunk = vec![0; length];
            reader.read(&mut chunk).await.map(|()| chunk)
        });
        let asked = |event| match event {
            NetworkEvent::BulkAsked { peer, request, writer } => Some((peer, request, writer)),
            _ => None,
        };
        let (from, asked, mut writer) = bat.next(asked).await;
        assert_eq!((from, asked), (ant.id(), request));
        match case {
            "gone" => writer.start(BulkStart::Gone).await.unwrap(),
            "busy" => writer.start(BulkStart::Busy).await.unwrap(),
            _ => writer.start(BulkStart::Sending).await.unwrap(),
        }
        match case {
            "whole" => {
                writer.write(&bytes).await.unwrap();
                writer.finish().await.unwrap();
            }
            "cut" => {
                writer.write(&bytes[..100_000]).await.unwrap();
                drop(writer);
            }
            _ => drop(writer),
        }
        let result = pulling.await.unwrap();
        match case {
            "whole" => assert!(result.unwrap() == bytes),
            "cut" => assert!(matches!(result, Err(TransportFailure::Cut { .. })), "{result:?}"),
            "gone" => assert_eq!(result, Err(TransportFailure::Gone)),
            _ => assert_eq!(result, Err(TransportFailure::Busy)),
        }
    }
}

#[tokio::test]
async fn a_peer_of_another_task_is_refused_with_both_named() {
    let mut ant = peer("/memory/0").await;
    let bat = start(TaskId([2; 32]), on("/memory/0")).await.unwrap();
    ant.handle.dial(None, bat.handle.addresses().await);
    let refused = |event| match event {
        NetworkEvent::Refused { peer, reason } => Some((peer, reason)),
        NetworkEvent::Connected { peer, .. } => panic!("taken in: {peer}"),
        _ => None,
    };
    let (peer, reason) = ant.next(refused).await;
    assert_eq!(peer, bat.id());
    let reason = reason.unwrap();
    assert!(reason.contains("01010101") && reason.contains("02020202"), "{reason}");
}

/// A peerlearn program of a later version, and some other libp2p program.
#[derive(NetworkBehaviour)]
struct Described {
    identify: libp2p::identify::Behaviour,
}

#[tokio::test]
async fn other_versions_are_refused_with_both_named_and_other_programs_without_a_word() {
    for (description, words) in [("/peerlearn/9/abc", Some(["version 9", "speaks 1"])), ("ipfs/0.1.0", None)] {
        let keypair = Keypair::generate_ed25519();
        let identify = libp2p::identify::Config::new(description.to_owned(), keypair.public());
        let behaviour = Described { identify: libp2p::identify::Behaviour::new(identify) };
        let transport = transport::build(&keypair, &Counters::default()).unwrap();
        let config = libp2p::swarm::Config::with_tokio_executor();
        let mut swarm = Swarm::new(transport, behaviour, keypair.public().to_peer_id(), config);
        let mut ant = peer("/memory/0").await;
        let address = ant.handle.addresses().await.remove(0);
        swarm.dial(address.parse::<libp2p::Multiaddr>().unwrap()).unwrap();
        let running = tokio::spawn(async move {
            loop {
                swarm.select_next_some().await;
            }
        });
        let refused = |event| match event {
            NetworkEvent::Refused { reason, .. } => Some(reason),
            NetworkEvent::Connected { peer, .. } => panic!("taken in: {peer}"),
            _ => None,
        };
        let reason = ant.next(refused).await;
        match (reason, words) {
            (Some(reason), Some(words)) => assert!(words.iter().all(|word| reason.contains(word)), "{reason}"),
            (None, None) => {}
            (reason, _) => panic!("{description}: {reason:?}"),
        }
        running.abort();
    }
}

#[tokio::test]
async fn a_port_in_use_is_an_error_that_names_it() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let error = start(TASK, on(&format!("/ip4/127.0.0.1/tcp/{port}"))).await.err().unwrap().to_string();
    assert!(error.contains(&port.to_string()) && error.contains("network.listen"), "{error}");
    let error = start(TASK, on("/unix/nonsense")).await.err().unwrap().to_string();
    assert!(error.contains("/unix/nonsense"), "{error}");
}

#[tokio::test]
#[cfg(feature = "quic")]
async fn a_port_in_use_for_quic_is_an_error_that_names_it() {
    let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = udp.local_addr().unwrap().port();
    let error = start(TASK, on(&format!("/ip4/127.0.0.1/udp/{port}/quic-v1"))).await.err().unwrap().to_string();
    assert!(error.contains(&port.to_string()), "{error}");
}

#[tokio::test]
async fn a_banned_peer_is_thrown_out_and_kept_out_until_the_ban_is_over() {
    let (mut ant, mut bat) = (peer("/memory/0").await, peer("/memory/0").await);
    ant.connect(&mut bat).await;
    ant.handle.ban(bat.id(), Duration::from_secs(3600));
    let gone = |event| matches!(event, NetworkEvent::Disconnected { .. }).then_some(());
    ant.next(gone).await;
    bat.next(gone).await;
    // Dialling again comes to nothing: either the dial fails, or the fresh connection is closed before it counts.
    let answer = bat.handle.request(ant.id(), Request::Newest { task: TASK, codec: Codec::Int8 }).await;
    assert!(answer.is_err(), "{answer:?}");
    assert_eq!(ant.handle.connections().await, []);
    // The newest ban counts.
    ant.handle.ban(bat.id(), Duration::ZERO);
    while ant.handle.connections().await.is_empty() {
        ant.handle.dial(Some(bat.id()), bat.handle.addresses().await);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
