//! One hostile swarm that says what no node would say.

use futures::{AsyncReadExt, AsyncWriteExt};
use libp2p::swarm::SwarmEvent;
use peerlearn_protocols::wire::{Signed, Wire};

use super::super::behaviour::{Behaviour, BehaviourEvent, bulk_protocol, topic};
use super::super::identity::{from_libp2p, to_libp2p};
use super::*;

type Whisper = Box<dyn FnOnce(&mut Swarm<Behaviour>) + Send>;

/// A swarm with our protocols whose every byte is under the test's control.
pub(super) struct Hostile {
    pub id: PeerId,
    libp2p: libp2p::PeerId,
    whisper: mpsc::Sender<Whisper>,
    streams: libp2p_stream::Control,
    events: mpsc::Receiver<SwarmEvent<BehaviourEvent>>,
}

impl Hostile {
    async fn connect(victim: &mut Peer) -> Self {
        let mut hostile = Self::dial(victim).await;
        victim.next(|event| matches!(event, NetworkEvent::Connected { .. }).then_some(())).await;
        hostile.subscribed().await;
        hostile
    }

    /// Dials, and says nothing.
    pub async fn dial(victim: &Peer) -> Self {
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
        Self { id: from_libp2p(&keypair.public().to_peer_id()).unwrap(), libp2p, whisper, streams, events }
    }

    /// Whether it was told nothing by gossip and no question of it was answered until its last connection ended.
    pub async fn heard_nothing(&mut self) -> bool {
        use libp2p::request_response::{Event, Message};
        while let Some(event) = self.events.recv().await {
            match event {
                SwarmEvent::Behaviour(
                    BehaviourEvent::Gossip(_)
                    | BehaviourEvent::Control(Event::Message { message: Message::Response { .. }, .. }),
                ) => return false,
                SwarmEvent::ConnectionClosed { num_established: 0, .. } => return true,
                _ => {}
            }
        }
        false
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

    pub async fn ask(&self, victim: &Peer, bytes: Vec<u8>) {
        let to = to_libp2p(&victim.id()).unwrap();
        let send: Whisper = Box::new(move |swarm| {
            swarm.behaviour_mut().control.send_request(&to, bytes);
        });
        assert!(self.whisper.send(send).await.is_ok());
    }

    pub async fn stream(&mut self, victim: &Peer) -> libp2p::Stream {
        self.streams.open_stream(to_libp2p(&victim.id()).unwrap(), bulk_protocol().unwrap()).await.unwrap()
    }
}

#[tokio::test]
async fn gossip_that_lies_is_counted_against_whoever_passed_it_on() {
    let mut ant = peer("/memory/0").await;
    let hostile = Hostile::connect(&mut ant).await;
    let (honest, other) = (Identity::generate(), Identity::generate());
    let good = Signed::from_bytes(&gossip::sign(&honest, &announcement(1)).unwrap()).unwrap();
    let forged = Signed { author: other.peer(), ..good.clone() };
    let changed = {
        let mut changed = good.clone();
        let last = changed.body.len() - 1;
        changed.body[last] ^= 1;
        changed
    };
    let no_key = Signed { author: PeerId([0xee; 32]), ..good.clone() };
    let sign = |body: Vec<u8>| {
        let signature = honest.sign(&Signed::message_to_sign(&body));
        Signed { author: honest.peer(), signature, body }.to_bytes().unwrap()
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
        assert_eq!(asking.await.unwrap(), Err(TransportFailure::Malformed), "{length} bytes");
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
        assert_eq!(opening.await.unwrap(), Err(TransportFailure::Malformed), "{bytes:?}");
    }
}
