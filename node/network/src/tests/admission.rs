//! Swarms of a task that is not open to everybody.

use std::sync::Mutex;

use peerlearn_protocols::wire::Wire;

use super::hostile::Hostile;
use super::*;

/// Lets in whoever shows a word, and remembers what it is told.
#[derive(Debug)]
struct Word {
    shown: Mutex<String>,
    wanted: &'static str,
    until: u64,
    papers: Mutex<Vec<String>>,
}

impl Gate for Word {
    fn hello(&self) -> Vec<u8> {
        self.shown.lock().unwrap().clone().into_bytes()
    }

    fn judge(&self, _: PeerId, hello: &[u8]) -> Admission {
        match hello {
            b"maybe" => Admission::Waits { reason: "a person decides".to_owned() },
            hello if hello == self.wanted.as_bytes() => {
                Admission::LetIn { until: self.until, papers: b"papers".to_vec() }
            }
            _ => Admission::Refused { reason: "the word is wrong".to_owned() },
        }
    }

    fn let_in(&self, _: PeerId, papers: &[u8]) {
        self.papers.lock().unwrap().push(String::from_utf8(papers.to_vec()).unwrap());
    }

    fn refuses(&self, _: &PeerId) -> bool {
        false
    }
}

fn word(shown: &str, until: u64) -> Arc<Word> {
    let (shown, papers) = (Mutex::new(shown.to_owned()), Mutex::default());
    Arc::new(Word { shown, wanted: "sesame", until, papers })
}

async fn gated(gate: &Arc<Word>) -> Peer {
    let (sender, events) = mpsc::channel(64);
    let environment =
        NetworkEnvironment { gate: Some(Arc::clone(gate) as Arc<dyn Gate>), ..NetworkEnvironment::default() };
    let (identity, config) = (Identity::generate(), on("/memory/0"));
    let (handle, start) = NetworkHandle::in_environment(config, identity, TASK, sender, environment).unwrap();
    let (parent, _) = Actor::spawn(None, Parent, ()).await.unwrap();
    assert!(start(parent.get_cell()).await.is_ok());
    Peer { handle, events }
}

impl Peer {
    async fn kept_apart(&mut self) -> (PeerId, Refuser, String) {
        self.next(|event| match event {
            NetworkEvent::NotAdmitted { peer, refuser, reason } => Some((peer, refuser, reason)),
            NetworkEvent::Connected { peer, .. } => panic!("taken in: {peer}"),
            NetworkEvent::Announced { announcement, .. } => panic!("taken: {announcement:?}"),
            NetworkEvent::Asked { request, .. } => panic!("taken: {request:?}"),
            NetworkEvent::BulkAsked { request, .. } => panic!("taken: {request:?}"),
            _ => None,
        })
        .await
    }
}

#[tokio::test]
async fn those_who_let_each_other_in_talk_as_in_an_open_task() {
    let (gate, other) = (word("sesame", u64::MAX), word("sesame", u64::MAX));
    let (mut ant, mut bat) = (gated(&gate).await, gated(&other).await);
    ant.handle.publish(announcement(1));
    // Asked before anybody was let in: it waits.
    let handle = bat.handle.clone();
    let (to, addresses) = (ant.id(), ant.handle.addresses().await);
    let asking = tokio::spawn(async move {
        handle.dial(Some(to), addresses);
        let answer = handle.request(to, Request::Newest { task: TASK, codec: Codec::F32 }).await;
        (answer, handle.open_bulk(to, BulkRequest { root: Root([5; 32]), first: 0, count: 1 }).await.map(|_| ()))
    });
    let reply = ant.next(|event| if let NetworkEvent::Asked { reply, .. } = event { Some(reply) } else { None }).await;
    let answer = Response::Refused { reason: Refusal::Busy, retry_after_ms: 1 };
    reply.answer(&answer);
    let mut writer =
        ant.next(|event| if let NetworkEvent::BulkAsked { writer, .. } = event { Some(writer) } else { None }).await;
    writer.start(BulkStart::Gone).await.unwrap();
    assert_eq!(asking.await.unwrap(), (Ok(answer), Err(TransportFailure::Gone)));
    assert_eq!(bat.announced().await.0, ant.id());
    assert_eq!((ant.handle.connections().await, bat.handle.connections().await), (vec![bat.id()], vec![ant.id()]));
    for gate in [gate, other] {
        assert_eq!(*gate.papers.lock().unwrap(), ["papers"]);
    }
}

#[tokio::test]
async fn a_refused_peer_hears_why_and_nothing_else() {
    for ant_dials in [true, false] {
        let (mut ant, mut eve) = (gated(&word("sesame", u64::MAX)).await, gated(&word("open up", u64::MAX)).await);
        ant.handle.publish(announcement(1));
        let (from, to) = if ant_dials { (&ant, &eve) } else { (&eve, &ant) };
        from.handle.dial(Some(to.id()), to.handle.addresses().await);
        assert_eq!(ant.kept_apart().await, (eve.id(), Refuser::Here, "the word is wrong".to_owned()));
        assert_eq!(eve.kept_apart().await, (ant.id(), Refuser::There, "the word is wrong".to_owned()));
        assert_eq!((ant.handle.connections().await, eve.handle.connections().await), (vec![], vec![]));
    }
}

#[tokio::test]
async fn whoever_waits_asks_again_until_it_is_let_in() {
    let shown = word("maybe", u64::MAX);
    let (mut ant, mut bat) = (gated(&word("sesame", u64::MAX)).await, gated(&shown).await);
    bat.handle.dial(Some(ant.id()), ant.handle.addresses().await);
    assert_eq!(bat.kept_apart().await, (ant.id(), Refuser::Undecided, "a person decides".to_owned()));
    "sesame".clone_into(&mut shown.shown.lock().unwrap());
    for one in [&mut bat, &mut ant] {
        one.next(|event| matches!(event, NetworkEvent::Connected { .. }).then_some(())).await;
    }
}

#[tokio::test]
async fn whose_time_is_over_is_hung_up_on() {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let (mut ant, mut bat) = (gated(&word("sesame", now + 1)).await, gated(&word("sesame", u64::MAX)).await);
    ant.connect(&mut bat).await;
    let (peer, refuser, reason) = ant
        .next(|event| match event {
            NetworkEvent::NotAdmitted { peer, refuser, reason } => Some((peer, refuser, reason)),
            _ => None,
        })
        .await;
    assert_eq!((peer, refuser, reason.as_str()), (bat.id(), Refuser::Here, "its membership has ended"));
    bat.next(|event| matches!(event, NetworkEvent::Disconnected { .. }).then_some(())).await;
}

#[tokio::test]
async fn one_whose_task_is_open_is_refused_with_words_at_both_ends() {
    for ant_dials in [true, false] {
        let (mut ant, mut bat) = (gated(&word("sesame", u64::MAX)).await, peer("/memory/0").await);
        let (from, to) = if ant_dials { (&ant, &bat) } else { (&bat, &ant) };
        from.handle.dial(Some(to.id()), to.handle.addresses().await);
        let (_, refuser, reason) = ant.kept_apart().await;
        assert!(refuser == Refuser::Here && reason.contains("open to everybody"), "{reason}");
        let (from, refuser, reason) = bat
            .next(|event| match event {
                NetworkEvent::NotAdmitted { peer, refuser, reason } => Some((peer, refuser, reason)),
                _ => None,
            })
            .await;
        assert_eq!((from, refuser, reason.as_str()), (ant.id(), Refuser::There, "no membership was shown"));
    }
}

/// One that says nothing of itself, sends what it likes and listens: it hears nothing, and what it sends reaches nobody.
#[tokio::test]
async fn one_that_does_not_say_who_it_is_reaches_nobody_and_hears_nothing() {
    let mut ant = gated(&word("sesame", u64::MAX)).await;
    let mut bat = gated(&word("sesame", u64::MAX)).await;
    ant.connect(&mut bat).await;
    let mut hostile = Hostile::dial(&ant).await;
    hostile.ask(&ant, Request::Newest { task: TASK, codec: Codec::F32 }.to_bytes().unwrap()).await;
    let mut stream = hostile.stream(&ant).await;
    let asked = BulkRequest { root: Root([5; 32]), first: 0, count: 1 }.to_bytes().unwrap();
    let framed = [&(asked.len() as u32).to_be_bytes(), asked.as_slice()].concat();
    futures::AsyncWriteExt::write_all(&mut stream, &framed).await.unwrap();
    futures::AsyncWriteExt::flush(&mut stream).await.unwrap();
    (2..6).for_each(|sequence| ant.handle.publish(announcement(sequence)));
    assert_eq!(bat.announced().await.0, ant.id());
    // It is hung up on after a while, and that is all that anybody sees of it.
    let (peer, refuser, reason) = ant.kept_apart().await;
    assert_eq!((peer, refuser, reason.as_str()), (hostile.id, Refuser::Here, "it has not shown a membership"));
    assert!(hostile.heard_nothing().await);
}
