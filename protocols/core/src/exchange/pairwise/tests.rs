//! The conversations; what a session is, is tested in `sessions/tests.rs`.

use super::*;
use crate::wire::Offer;

const TASK: TaskId = TaskId([7; 32]);
const CODEC: Codec = Codec::Int8;

fn peer(number: u8) -> PeerId {
    PeerId([number; 32])
}

fn publication(byte: u8) -> Publication {
    Publication::new(Arc::new(vec![byte; 100]), CODEC, 9, 1, 1)
}

fn mode(number: u8) -> Pairwise {
    let mut mode = Pairwise::new(peer(number), TASK, 1);
    mode.published(&publication(number));
    mode
}

fn millis(millis: u64) -> Time {
    Time::ZERO + Duration::from_millis(millis)
}

fn initiate(mode: &mut Pairwise, with: u8) -> Vec<Action> {
    let order = PullOrder {
        task: TASK,
        codec: CODEC,
        bytes: 100,
        least_age: 0,
        resumes: 3,
        compressed: false,
        checked: false,
        share: None,
        session: None,
    };
    let mut actions = Vec::new();
    let wanted = Wanted { peer: peer(with), order, until: millis(5_000), joining: false };
    mode.exchange(Time::ZERO, wanted, &mut actions);
    actions
}

fn pulled(byte: u8) -> Result<Pulled, PullFailure> {
    Ok(Pulled { offer: publication(byte).offer, grant: None, blob: Arc::new(vec![byte; 100]) })
}

/// What the mode answers, and what it wants done.
fn asked(mode: &mut Pairwise, from: u8, request: Request) -> (Response, Vec<Action>) {
    let stored = Response::Refused { reason: Refusal::NoSession, retry_after_ms: 600_000 };
    let mut actions = Vec::new();
    let response = mode.answer(Time::ZERO, peer(from), &request, stored, &mut actions);
    (response, actions)
}

fn settle(number: u64) -> Request {
    Request::Settle { task: TASK, number }
}

fn session_of(order: &PullOrder) -> (u64, Root) {
    let Some(SessionRole::Initiator { number, ours }) = order.session else { panic!("{order:?}") };
    (number, ours)
}

#[test]
fn both_sides_come_to_opposite_deltas() {
    let (mut ant, mut bat) = (mode(1), mode(2));
    let [Action::Pull { key, order, .. }] = initiate(&mut ant, 2)[..] else { panic!() };
    let (number, root) = session_of(&order);
    let (response, actions) = asked(&mut bat, 1, Request::OpenSession { task: TASK, codec: CODEC, number, root });
    let Response::Session { offer: Offer { root: theirs, .. }, .. } = response else { panic!("{response:?}") };
    assert_eq!(theirs, publication(2).offer.root);
    let [Action::Pull { key: back, order, .. }] = actions[..] else { panic!("{actions:?}") };
    assert_eq!(order.session, Some(SessionRole::Responder { theirs: root }));
    let mut actions = Vec::new();
    ant.pulled(millis(10), key, pulled(2), &mut actions);
    let [Action::Ask { key, ref request, .. }] = actions[..] else { panic!("{actions:?}") };
    assert_eq!(*request, settle(number));
    // The responder still fetches: it is asked again soon.
    let (busy, _) = asked(&mut bat, 1, settle(number));
    assert!(matches!(busy, Response::Refused { reason: Refusal::Busy, .. }));
    let mut actions = Vec::new();
    ant.answered(millis(20), key, Ok(busy), &mut actions);
    assert!(actions.is_empty());
    assert_eq!(ant.wake(), Some(millis(40)));
    bat.pulled(millis(30), back, pulled(1), &mut actions);
    ant.woke(millis(40), &mut actions);
    let [Action::Ask { key, .. }] = actions[..] else { panic!("{actions:?}") };
    let (response, _) = asked(&mut bat, 1, settle(number));
    let mut actions = Vec::new();
    ant.answered(millis(50), key, Ok(response), &mut actions);
    assert_eq!(actions, [Action::Ended { peer: peer(2), arrived: true }]);
    let (one, other) = (ant.due(), bat.due());
    assert_eq!((one[0].ours[0], one[0].theirs[0], one[0].share), (1, 2, 0.5));
    assert_eq!((other[0].ours[0], other[0].theirs[0], other[0].share), (2, 1, 0.5));
}

#[test]
fn whoever_does_not_answer_is_asked_for_a_minute_and_named() {
    let mut ant = mode(1);
    let [Action::Pull { key, .. }] = initiate(&mut ant, 2)[..] else { panic!() };
    let mut actions = Vec::new();
    ant.pulled(Time::ZERO, key, pulled(2), &mut actions);
    let (mut now, mut asked) = (Time::ZERO, 0);
    while let [Action::Ask { key, .. }] = actions[..] {
        asked += 1;
        actions.clear();
        now = now + Duration::from_secs(1);
        ant.answered(now, key, Err(TransportFailure::Timeout), &mut actions);
        // Another session may begin while this one hangs.
        ant.published(&publication(3));
        assert!(asked > 1 || matches!(initiate(&mut ant, 3)[..], [Action::Pull { .. }]));
        now = ant.wake().unwrap();
        ant.woke(now, &mut actions);
    }
    assert!(asked >= 30, "{asked}");
    assert!(now >= Time::ZERO + SETTLE_LIMIT);
    let lost = Action::Failed { peer: peer(2), failure: PullFailure::SessionLost };
    assert_eq!(actions, [lost, Action::Ended { peer: peer(2), arrived: false }]);
    assert!(ant.due().is_empty());
}

#[test]
fn a_responder_whose_initiator_goes_away_gives_up_and_may_begin_another() {
    let mut bat = mode(2);
    let request = Request::OpenSession { task: TASK, codec: CODEC, number: 5, root: publication(1).offer.root };
    let (_, actions) = asked(&mut bat, 1, request);
    let [Action::Pull { key, .. }] = actions[..] else { panic!("{actions:?}") };
    assert_eq!(initiate(&mut bat, 3), [Action::Ended { peer: peer(3), arrived: true }], "its model has a session");
    bat.pulled(Time::ZERO, key, pulled(1), &mut Vec::new());
    let until = bat.wake().unwrap();
    bat.woke(until, &mut Vec::new());
    assert!(matches!(asked(&mut bat, 1, settle(5)).0, Response::Refused { reason: Refusal::Gone, .. }));
    assert!(matches!(initiate(&mut bat, 3)[..], [Action::Pull { .. }]));
}

#[test]
fn refusals_end_the_exchange_and_joining_is_one_sided() {
    let mut ant = mode(1);
    let [Action::Pull { key, order, .. }] = initiate(&mut ant, 2)[..] else { panic!() };
    let [Action::Failed { .. }, Action::Ended { arrived: false, .. }] = initiate(&mut ant, 3)[..] else { panic!() };
    let mut actions = Vec::new();
    let busy = PullFailure::NoSession;
    ant.pulled(Time::ZERO, key, Err(busy.clone()), &mut actions);
    let failed = Action::Failed { peer: peer(2), failure: busy };
    assert_eq!(actions, [failed, Action::Ended { peer: peer(2), arrived: false }]);
    let wanted = Wanted { peer: peer(2), order, until: millis(5), joining: true };
    let mut actions = Vec::new();
    ant.exchange(Time::ZERO, wanted, &mut actions);
    assert!(matches!(actions[..], [Action::PullForRound { .. }]));
}
