//! Real swarms over memory, TCP and QUIC on loopback, and one hostile swarm that says what no node would say.

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::Swarm;
use libp2p::identity::Keypair;
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use peerlearn_protocols::codec::{Codec, CodecSet};
use peerlearn_protocols::id::{PeerId, Root, TaskId};
use peerlearn_protocols::membership::Verdict;
use peerlearn_protocols::score::Fault;
use peerlearn_protocols::wire::{
    Address, Announcement, BulkRequest, BulkStart, Refusal, Request, Response, Signed, Sketch, Wire,
};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::sync::mpsc;

use super::behaviour::{Behaviour, BehaviourEvent, bulk_protocol, topic};
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
    let (handle, start) = NetworkHandle::new(config, Keypair::generate_ed25519(), task, sender)?;
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
        sketch: Sketch::default(),
    }
}

#[tokio::test]
async fn announcements_travel_as_far_as_they_are_accepted() {
    for listen in ["/memory/0", "/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"] {
        let (mut ant, mut bat, mut cat) = (peer(listen).await, peer(listen).await, peer(listen).await);
        // Said to nobody: kept until somebody is there.
        ant.handle.publish(announcement(1));
        ant.connect(&mut bat).await;
        let (author, heard, verdict) = bat.announced().await;
        assert_eq!((author, heard.sequence), (ant.id(), 1), "{listen}");
        verdict.judge(Verdict::Accept);
        bat.connect(&mut cat).await;
        // Cat subscribes to bat; a rejected announcement does not reach it, the accepted one after it does.
        cat.handle.publish(announcement(7));
        bat.announced().await.2.judge(Verdict::Reject);
        ant.handle.publish(announcement(2));
        bat.announced().await.2.judge(Verdict::Reject);
        ant.handle.publish(announcement(3));
        bat.announced().await.2.judge(Verdict::Accept);
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
    assert!(matches!(second, Err(RequestError::Cut { .. })), "{second:?}");
    let nobody = ant.handle.request(PeerId([3; 32]), question).await;
    assert_eq!(nobody, Err(RequestError::Unreachable));
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
            "cut" => assert!(matches!(result, Err(RequestError::Cut { .. })), "{result:?}"),
            "gone" => assert_eq!(result, Err(RequestError::Gone)),
            _ => assert_eq!(result, Err(RequestError::Busy)),
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
    let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = udp.local_addr().unwrap().port();
    let error = start(TASK, on(&format!("/ip4/127.0.0.1/udp/{port}/quic-v1"))).await.err().unwrap().to_string();
    assert!(error.contains(&port.to_string()), "{error}");
    let error = start(TASK, on("/unix/nonsense")).await.err().unwrap().to_string();
    assert!(error.contains("/unix/nonsense"), "{error}");
}

#[tokio::test]
async fn a_banned_peer_is_thrown_out_and_kept_out() {
    let (mut ant, mut bat) = (peer("/memory/0").await, peer("/memory/0").await);
    ant.connect(&mut bat).await;
    ant.handle.ban(bat.id());
    let gone = |event| matches!(event, NetworkEvent::Disconnected { .. }).then_some(());
    ant.next(gone).await;
    bat.next(gone).await;
    // Dialling again comes to nothing: either the dial fails, or the fresh connection is closed before it counts.
    let answer = bat.handle.request(ant.id(), Request::Newest { task: TASK, codec: Codec::Int8 }).await;
    assert!(answer.is_err(), "{answer:?}");
    assert_eq!(ant.handle.connections().await, []);
}

type Whisper = Box<dyn FnOnce(&mut Swarm<Behaviour>) + Send>;

/// A swarm with our protocols whose every byte is under the test's control.
struct Hostile {
    id: PeerId,
    libp2p: libp2p::PeerId,
    whisper: mpsc::Sender<Whisper>,
    streams: libp2p_stream::Control,
    events: mpsc::Receiver<SwarmEvent<BehaviourEvent>>,
}

impl Hostile {
    async fn connect(victim: &mut Peer) -> Self {
        let keypair = Keypair::generate_ed25519();
        let config = NetworkConfig { mdns: false, ..NetworkConfig::default() };
        let behaviour = Behaviour::new(&keypair, TASK, &config).unwrap();
        let streams = behaviour.bulk.new_control();
        let transport = transport::build(&keypair, &Counters::default()).unwrap();
        let config = libp2p::swarm::Config::with_tokio_executor();
        let libp2p = keypair.public().to_peer_id();
        let mut swarm = Swarm::new(transport, behaviour, libp2p, config);
        let address = victim.handle.addresses().await.remove(0);
        swarm.dial(address.parse::<libp2p::Multiaddr>().unwrap()).unwrap();
        let (whisper, mut whispers) = mpsc::channel::<Whisper>(16);
        let (sender, events) = mpsc::channel(1024);
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    whisper = whispers.recv() => match whisper {
                        Some(whisper) => whisper(&mut swarm),
                        None => return,
                    },
                    event = swarm.select_next_some() => drop(sender.try_send(event)),
                }
            }
        });
        let mut hostile = Self { id: keypair_peer(&keypair).unwrap(), libp2p, whisper, streams, events };
        victim.next(|event| matches!(event, NetworkEvent::Connected { .. }).then_some(())).await;
        hostile.subscribed().await;
        hostile
    }

    async fn subscribed(&mut self) {
        while let Some(event) = self.events.recv().await {
            if matches!(
                event,
                SwarmEvent::Behaviour(BehaviourEvent::Gossip(libp2p::gossipsub::Event::Subscribed { .. }))
            ) {
                return;
            }
        }
        panic!("the hostile swarm ended");
    }

    async fn gossip(&self, bytes: Vec<u8>) {
        let publish: Whisper = Box::new(move |swarm| {
            swarm.behaviour_mut().gossip.publish(topic(TASK), bytes).unwrap();
        });
        assert!(self.whisper.send(publish).await.is_ok());
    }

    async fn ask(&self, victim: &Peer, bytes: Vec<u8>) {
        let to = to_libp2p(&victim.id()).unwrap();
        let send: Whisper = Box::new(move |swarm| {
            swarm.behaviour_mut().control.send_request(&to, bytes);
        });
        assert!(self.whisper.send(send).await.is_ok());
    }

    async fn stream(&mut self, victim: &Peer) -> libp2p::Stream {
        self.streams.open_stream(to_libp2p(&victim.id()).unwrap(), bulk_protocol().unwrap()).await.unwrap()
    }
}

#[tokio::test]
async fn gossip_that_lies_is_counted_against_whoever_passed_it_on() {
    let mut ant = peer("/memory/0").await;
    let hostile = Hostile::connect(&mut ant).await;
    let (honest, other) = (Keypair::generate_ed25519(), Keypair::generate_ed25519());
    let good = Signed::from_bytes(&gossip::sign(&honest, &announcement(1)).unwrap()).unwrap();
    let forged = Signed { author: keypair_peer(&other).unwrap(), ..good.clone() };
    let changed = {
        let mut changed = good.clone();
        let last = changed.body.len() - 1;
        changed.body[last] ^= 1;
        changed
    };
    let no_key = Signed { author: PeerId([0xee; 32]), ..good.clone() };
    let sign = |body: Vec<u8>| {
        let signature = honest.sign(&Signed::message_to_sign(&body)).unwrap().try_into().unwrap();
        Signed { author: keypair_peer(&honest).unwrap(), signature, body }.to_bytes().unwrap()
    };
    let other_task = Announcement { task: TaskId([9; 32]), ..announcement(2) };
    let mut not_finite = announcement(3).to_bytes().unwrap();
    let end = not_finite.len();
    not_finite[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    let cases = [
        (b"garbage".to_vec(), Fault::Malformed),
        (vec![0xff; 300], Fault::Malformed),
        (good.to_bytes().unwrap()[..100].to_vec(), Fault::Malformed),
        (vec![b'P'; Signed::LIMIT + 1], Fault::TooLong),
        (forged.to_bytes().unwrap(), Fault::BadSignature),
        (changed.to_bytes().unwrap(), Fault::BadSignature),
        (no_key.to_bytes().unwrap(), Fault::BadSignature),
        (sign(b"signed garbage".to_vec()), Fault::Malformed),
        (sign(not_finite), Fault::Malformed),
        (sign(other_task.to_bytes().unwrap()), Fault::Unexpected),
    ];
    for (bytes, fault) in cases {
        hostile.gossip(bytes).await;
        assert_eq!(ant.fault().await, (hostile.id, fault));
    }
    // What is true is taken from the same mouth, once: the network itself drops what it has seen.
    hostile.gossip(good.to_bytes().unwrap()).await;
    assert_eq!(ant.announced().await.0, good.author);
}

#[tokio::test]
async fn questions_that_are_none_are_counted_and_others_are_served() {
    let mut ant = peer("/memory/0").await;
    let hostile = Hostile::connect(&mut ant).await;
    let good = Request::Newest { task: TASK, codec: Codec::F32 }.to_bytes().unwrap();
    let cases = [
        (Vec::new(), Fault::Malformed),
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), Fault::Malformed),
        (good[..good.len() - 1].to_vec(), Fault::Malformed),
        ([good.as_slice(), &[0]].concat(), Fault::Malformed),
        (announcement(1).to_bytes().unwrap(), Fault::Malformed),
        (vec![0; Request::LIMIT + 1], Fault::TooLong),
        (vec![0xff; 1_000_000], Fault::TooLong),
    ];
    for (bytes, fault) in cases {
        let length = bytes.len();
        hostile.ask(&ant, bytes).await;
        assert_eq!(ant.fault().await, (hostile.id, fault), "{length} bytes");
    }
    let mut bat = peer("/memory/0").await;
    bat.connect(&mut ant).await;
    let asking = bat.handle.request(ant.id(), Request::Newest { task: TASK, codec: Codec::F32 });
    let answering = ant.next(|event| match event {
        NetworkEvent::Asked { reply, .. } => Some(reply),
        _ => None,
    });
    let answer = Response::Refused { reason: Refusal::Busy, retry_after_ms: 1 };
    let (answered, ()) = tokio::join!(asking, async { answering.await.answer(&answer) });
    assert_eq!(answered, Ok(answer));
}

#[tokio::test]
async fn answers_that_are_none_are_errors() {
    let mut ant = peer("/memory/0").await;
    let mut hostile = Hostile::connect(&mut ant).await;
    let good = Response::Refused { reason: Refusal::Busy, retry_after_ms: 1 }.to_bytes().unwrap();
    for bytes in [b"nonsense".to_vec(), good[..5].to_vec(), vec![0; Response::LIMIT + 1], vec![0xff; 500_000]] {
        let length = bytes.len();
        let (handle, to) = (ant.handle.clone(), hostile.id);
        let asking =
            tokio::spawn(async move { handle.request(to, Request::Hashes { root: Root([0; 32]), first: 0 }).await });
        let channel = loop {
            use libp2p::request_response::{Event, Message};
            let event = hostile.events.recv().await.unwrap();
            if let SwarmEvent::Behaviour(BehaviourEvent::Control(Event::Message {
                message: Message::Request { channel, .. },
                ..
            })) = event
            {
                break channel;
            }
        };
        let respond: Whisper = Box::new(move |swarm| {
            drop(swarm.behaviour_mut().control.send_response(channel, bytes));
        });
        assert!(hostile.whisper.send(respond).await.is_ok());
        assert_eq!(asking.await.unwrap(), Err(RequestError::Malformed), "{length} bytes");
    }
}

#[tokio::test]
async fn streams_that_ask_for_nothing_are_counted_and_closed() {
    let mut ant = peer("/memory/0").await;
    let mut hostile = Hostile::connect(&mut ant).await;
    let good = BulkRequest { root: Root([5; 32]), first: 0, count: 1 }.to_bytes().unwrap();
    let framed = |frame: &[u8]| [&(frame.len() as u32).to_be_bytes(), frame].concat();
    let mut nothing = good.clone();
    let last = nothing.len() - 1;
    nothing[last] = 0;
    let cases = [
        (framed(b"garbage"), Fault::Malformed),
        (framed(&nothing), Fault::Malformed),
        (u32::MAX.to_be_bytes().to_vec(), Fault::TooLong),
        (framed(&[0; 65]), Fault::TooLong),
    ];
    for (bytes, fault) in cases {
        let mut stream = hostile.stream(&ant).await;
        stream.write_all(&bytes).await.unwrap();
        stream.flush().await.unwrap();
        assert_eq!(ant.fault().await, (hostile.id, fault));
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(answer.is_empty(), "the stream ends without an answer");
    }
    assert_ne!(hostile.libp2p, to_libp2p(&ant.id()).unwrap());
}

#[tokio::test]
async fn the_holder_may_answer_a_stream_with_garbage() {
    let mut ant = peer("/memory/0").await;
    let mut hostile = Hostile::connect(&mut ant).await;
    let mut incoming = hostile.streams.accept(bulk_protocol().unwrap()).unwrap();
    let frames: [&[u8]; 3] = [&[0, 0, 0, 3, 1, 2, 3], &[0xff; 8], &[0, 0, 0, 0]];
    for bytes in frames {
        let (handle, to) = (ant.handle.clone(), hostile.id);
        let request = BulkRequest { root: Root([5; 32]), first: 0, count: 1 };
        let opening = tokio::spawn(async move { handle.open_bulk(to, request).await.map(|_| ()) });
        let (_, mut stream) = incoming.next().await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream.close().await.unwrap();
        assert_eq!(opening.await.unwrap(), Err(RequestError::Malformed), "{bytes:?}");
    }
}
