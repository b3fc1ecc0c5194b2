use super::*;

const CODEC: Codec = Codec::F32;

fn peer(number: u8) -> PeerId {
    PeerId([number; 32])
}

fn publication(byte: u8) -> Publication {
    Publication::new(Arc::new(vec![byte; 100]), CODEC, 9, 1, 1)
}

fn sessions(number: u8) -> Sessions {
    let mut sessions = Sessions::new(peer(number), 1);
    sessions.publish(publication(number));
    sessions
}

fn bytes(byte: u8) -> Arc<Vec<u8>> {
    Arc::new(vec![byte; 100])
}

fn delta(sessions: &mut Sessions) -> (u8, u8) {
    let deltas = sessions.take();
    assert_eq!(deltas.len(), 1);
    (deltas[0].ours[0], deltas[0].theirs[0])
}

#[test]
fn both_get_deltas_of_the_same_two_models_also_if_the_answer_is_lost_once() {
    let (mut ant, mut bat) = (sessions(1), sessions(2));
    let opened = ant.initiate(peer(2)).unwrap();
    let ours = bat.respond(peer(1), opened.number, CODEC).unwrap();
    assert_eq!(ours.blob[0], 2);
    assert_eq!(bat.settle(peer(1), opened.number), Settlement::Wait);
    bat.arrived(peer(1), opened.number, bytes(1), 9);
    assert_eq!(bat.settle(peer(1), opened.number), Settlement::Settled);
    // The responder gives nothing up any more; the initiator asks again.
    bat.abandon(peer(1), opened.number);
    assert_eq!(bat.settle(peer(1), opened.number), Settlement::Settled);
    ant.agreed(
        opened.number,
        PendingDelta { peer: peer(2), ours: opened.ours.blob, theirs: ours.blob, share: SHARE, age: 9 },
    );
    assert_eq!((delta(&mut ant), delta(&mut bat)), ((1, 2), (2, 1)));
    assert!(ant.take().is_empty() && bat.take().is_empty(), "once");
}

#[test]
fn one_session_at_a_time_and_one_for_each_publication() {
    let (mut ant, mut bat) = (sessions(1), sessions(2));
    let opened = ant.initiate(peer(2)).unwrap();
    assert_eq!(ant.initiate(peer(3)).unwrap_err(), NotInitiated::Busy);
    assert_eq!(ant.respond(peer(3), 1, CODEC).unwrap_err(), Refusal::Busy);
    bat.respond(peer(1), opened.number, CODEC).unwrap();
    assert_eq!(bat.respond(peer(3), 1, CODEC).unwrap_err(), Refusal::Busy);
    assert_eq!(bat.initiate(peer(3)).unwrap_err(), NotInitiated::Spent);
    bat.arrived(peer(1), opened.number, bytes(1), 9);
    bat.settle(peer(1), opened.number);
    assert_eq!(bat.initiate(peer(3)).unwrap_err(), NotInitiated::Spent);
    bat.publish(publication(5));
    assert!(bat.initiate(peer(3)).is_ok());
}

#[test]
fn whoever_gives_up_before_settling_has_not_moved_and_may_have_another_session() {
    let (mut ant, mut bat) = (sessions(1), sessions(2));
    let opened = ant.initiate(peer(2)).unwrap();
    bat.respond(peer(1), opened.number, CODEC).unwrap();
    bat.abandon(peer(1), opened.number);
    assert_eq!(bat.settle(peer(1), opened.number), Settlement::Gone);
    ant.initiation_failed(opened.number);
    assert!(ant.take().is_empty() && bat.take().is_empty());
    // A later question of the same initiator replaces one that it gave up silently.
    let opened = ant.initiate(peer(2)).unwrap();
    bat.respond(peer(1), opened.number, CODEC).unwrap();
    assert!(bat.respond(peer(1), opened.number + 1, CODEC).is_ok());
    assert_eq!(bat.settle(peer(1), opened.number), Settlement::Gone);
    assert_eq!(bat.respond(peer(3), 1, Codec::Int8).unwrap_err(), Refusal::Busy);
}

#[test]
fn of_two_that_ask_each_other_one_yields() {
    let (mut ant, mut bat) = (sessions(1), sessions(2));
    let (from_ant, from_bat) = (ant.initiate(peer(2)).unwrap(), bat.initiate(peer(1)).unwrap());
    assert_eq!(bat.respond(peer(1), from_ant.number, CODEC).unwrap_err(), Refusal::Busy);
    let ours = ant.respond(peer(2), from_bat.number, CODEC).unwrap();
    ant.initiation_failed(from_ant.number);
    ant.arrived(peer(2), from_bat.number, bytes(2), 9);
    assert_eq!(ant.settle(peer(2), from_bat.number), Settlement::Settled);
    bat.agreed(
        from_bat.number,
        PendingDelta { peer: peer(1), ours: from_bat.ours.blob, theirs: ours.blob, share: SHARE, age: 9 },
    );
    assert_eq!((delta(&mut ant), delta(&mut bat)), ((1, 2), (2, 1)));
}

#[test]
fn after_the_last_round_no_session_begins() {
    let mut bat = sessions(2);
    bat.respond(peer(1), 1, CODEC).unwrap();
    assert!(bat.open(&BulkRequest { root: publication(2).offer.root, first: 0, count: 1 }).is_some());
    bat.close();
    assert!(bat.take().is_empty());
    assert_eq!(bat.settle(peer(1), 1), Settlement::Gone);
    bat.publish(publication(3));
    assert_eq!(bat.respond(peer(1), 2, CODEC).unwrap_err(), Refusal::NoSession);
    assert!(bat.initiate(peer(1)).is_err());
}
