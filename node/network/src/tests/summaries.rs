//! Two peers bring what they know that peers told to one.
use std::sync::Arc;

use super::super::summaries::tests::Shelf;
use super::*;

async fn peer_with(book: Option<Arc<Shelf>>) -> Peer {
    let summaries = book.map(|book| book as Arc<dyn SummaryBook>);
    let environment = NetworkEnvironment { summaries, ..NetworkEnvironment::default() };
    let (sender, events) = mpsc::channel(64);
    let network = NetworkHandle::in_environment(on("/memory/0"), Identity::generate(), TASK, sender, environment);
    let (handle, start) = network.unwrap();
    let (parent, _) = Actor::spawn(None, Parent, ()).await.unwrap();
    start(parent.get_cell()).await.unwrap();
    Peer { handle, events }
}

#[tokio::test]
async fn both_end_with_the_union_whoever_asks() {
    let (ants, bats) = (Shelf::of(&["ant!", "both!"]), Shelf::of(&["both!", "bat!"]));
    let (mut ant, mut bat) = (peer_with(Some(ants.clone())).await, peer_with(Some(bats.clone())).await);
    ant.connect(&mut bat).await;
    assert_eq!(ant.handle.exchange_summaries(bat.id()).await, Ok(1));
    assert_eq!(ants.all(), ["ant!", "bat!", "both!"]);
    // The last frame is taken after the asker is done.
    while bats.all() != ants.all() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(bat.handle.exchange_summaries(ant.id()).await, Ok(0));
}

#[tokio::test]
async fn who_keeps_none_is_not_asked_and_what_is_none_is_a_fault_of_who_passed_it_on() {
    let mut ant = peer_with(Some(Shelf::of(&["ant!"]))).await;
    let mut none = peer_with(None).await;
    ant.connect(&mut none).await;
    assert_eq!(ant.handle.exchange_summaries(none.id()).await, Err(TransportFailure::Unsupported));
    assert_eq!(none.handle.exchange_summaries(ant.id()).await, Err(TransportFailure::Unsupported));
    let forged = Shelf::of(&["forged!"]);
    forged.0.lock().unwrap().values_mut().for_each(|bytes| *bytes = b"forged".to_vec());
    let mut liar = peer_with(Some(forged)).await;
    liar.connect(&mut ant).await;
    assert_eq!(ant.handle.exchange_summaries(liar.id()).await, Err(TransportFailure::Malformed));
    assert_eq!(liar.handle.exchange_summaries(ant.id()).await, Ok(1), "what it asked for it gets");
    let blamed = ant.next(|event| match event {
        NetworkEvent::Misbehaved { peer, fault } => Some((peer, fault)),
        _ => None,
    });
    assert_eq!(blamed.await, (liar.id(), Fault::BadSignature));
}
