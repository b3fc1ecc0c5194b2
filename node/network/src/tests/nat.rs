//! Peers that cannot dial each other meet through a third, and what that third lends them is bounded.

use super::*;
use crate::nat::{MAX_CIRCUITS_OF_PEER, MAX_PLACES, RelayMode};

/// A peer that is reached, and says so.
async fn relay(listen: &str) -> Peer {
    start(TASK, NetworkConfig { relay: RelayMode::On, ..on(listen) }).await.unwrap()
}

/// A peer that listens nowhere.
async fn private() -> Peer {
    start(TASK, NetworkConfig { listen: Vec::new(), mdns: false, ..NetworkConfig::default() }).await.unwrap()
}

impl Peer {
    /// Waits until it is reached through relays, so many.
    async fn placed(&mut self, relays: usize) -> Vec<String> {
        self.next(|event| match event {
            NetworkEvent::Listening { addresses } => {
                let ways = addresses.iter().filter(|address| address.ends_with("/p2p-circuit")).count();
                (ways == relays).then_some(addresses)
            }
            _ => None,
        })
        .await
    }
}

#[tokio::test]
async fn two_that_cannot_be_dialled_meet_through_a_third_and_learn_from_each_other() {
    for listen in ["/memory/0"].into_iter().chain(NetworkConfig::any_port("127.0.0.1").iter().map(String::as_str)) {
        let (mut middle, mut ant, mut bat) = (relay(listen).await, private().await, private().await);
        ant.connect(&mut middle).await;
        bat.connect(&mut middle).await;
        let ways = bat.placed(1).await;
        assert!(ways.iter().all(|way| way.contains("/p2p-circuit")), "{listen}: {ways:?}");
        // As announcements say it: without the name of the peer.
        ant.handle.dial(Some(bat.id()), ways);
        let ids = (ant.id(), bat.id());
        ant.next(|event| matches!(event, NetworkEvent::Connected { peer, .. } if peer == ids.1).then_some(())).await;
        bat.next(|event| matches!(event, NetworkEvent::Connected { peer, .. } if peer == ids.0).then_some(())).await;
        ask(&ant, &mut bat).await;
        pull(&ant, &mut bat).await;
    }
}

async fn ask(ant: &Peer, bat: &mut Peer) {
    let question = Request::Newest { task: TASK, codec: Codec::Int8 };
    let answer = Response::Refused { reason: Refusal::NothingYet, retry_after_ms: 5 };
    let (handle, to) = (ant.handle.clone(), bat.id());
    let asking = tokio::spawn(async move { handle.request(to, question).await });
    let reply = bat.next(|event| if let NetworkEvent::Asked { reply, .. } = event { Some(reply) } else { None }).await;
    reply.answer(&answer);
    assert_eq!(asking.await.unwrap(), Ok(answer));
}

/// A few MiB, far beyond what libp2p's own limits let through.
async fn pull(ant: &Peer, bat: &mut Peer) {
    let bytes: Vec<u8> = (0..5_000_001u32).map(|n| (n / 7) as u8).collect();
    let request = BulkRequest { root: Root([5; 32]), first: 0, count: 3 };
    let (handle, to, length) = (ant.handle.clone(), bat.id(), bytes.len());
    let pulling = tokio::spawn(async move {
        let mut reader = handle.open_bulk(to, request).await?;
        let mut chunk = vec![0; length];
        reader.read(&mut chunk).await.map(|()| chunk)
    });
    let asked = |event| if let NetworkEvent::BulkAsked { writer, .. } = event { Some(writer) } else { None };
    let mut writer = bat.next(asked).await;
    writer.start(BulkStart::Sending).await.unwrap();
    writer.write(&bytes).await.unwrap();
    writer.finish().await.unwrap();
    assert!(pulling.await.unwrap().unwrap() == bytes);
}

#[tokio::test]
async fn a_relay_that_goes_is_replaced_and_its_addresses_are_withdrawn() {
    let (mut one, mut two, mut three) = (relay("/memory/0").await, relay("/memory/0").await, relay("/memory/0").await);
    let mut ant = private().await;
    ant.connect(&mut one).await;
    ant.connect(&mut two).await;
    let held = ant.placed(2).await;
    ant.connect(&mut three).await;
    let name = |peer: &Peer| libp2p_text(&peer.id());
    assert!(held.iter().all(|way| !way.contains(&name(&three))), "two are enough");
    one.handle.disconnect(ant.id());
    let now = loop {
        let now = ant.placed(2).await;
        if now.iter().any(|way| way.contains(&name(&three))) {
            break now;
        }
    };
    assert!(now.iter().all(|way| !way.contains(&name(&one))), "{now:?}");
}

#[tokio::test]
async fn whoever_is_not_known_to_be_reached_serves_nobody() {
    for mode in [RelayMode::Auto, RelayMode::Off] {
        let mut middle = start(TASK, NetworkConfig { relay: mode, ..on("/ip4/127.0.0.1/tcp/0") }).await.unwrap();
        let mut ant = private().await;
        ant.connect(&mut middle).await;
        ask(&ant, &mut middle).await;
        assert_eq!(ant.handle.addresses().await, Vec::<String>::new(), "{mode}");
    }
}

#[tokio::test]
async fn places_at_a_relay_are_bounded() {
    let (mut middle, mut held) = (relay("/memory/0").await, Vec::new());
    for place in 0..MAX_PLACES + 3 {
        let mut ant = private().await;
        ant.connect(&mut middle).await;
        if place < MAX_PLACES {
            ant.placed(1).await;
        } else {
            ant.next(|event| matches!(event, NetworkEvent::Listening { .. }).then_some(())).await;
            ask(&ant, &mut middle).await;
            assert_eq!(ant.handle.addresses().await, Vec::<String>::new(), "{place}");
        }
        held.push(ant);
    }
}

#[tokio::test]
async fn connections_that_one_peer_has_carried_are_bounded() {
    let (mut middle, mut ant) = (relay("/memory/0").await, private().await);
    ant.connect(&mut middle).await;
    let mut others = Vec::new();
    for _ in 0..MAX_CIRCUITS_OF_PEER + 4 {
        let mut bat = private().await;
        bat.connect(&mut middle).await;
        ant.handle.dial(Some(bat.id()), bat.placed(1).await);
        others.push(bat);
    }
    let (mut carried, mut failed) = (0, 0);
    while carried + failed < others.len() {
        match ant.events.recv().await.unwrap() {
            NetworkEvent::Connected { .. } => carried += 1,
            NetworkEvent::DialFailed { .. } => failed += 1,
            _ => {}
        }
    }
    // libp2p counts those that are up before it takes one more.
    assert!(carried <= MAX_CIRCUITS_OF_PEER + 1 && failed > 0, "{carried} carried, {failed} failed");
}
