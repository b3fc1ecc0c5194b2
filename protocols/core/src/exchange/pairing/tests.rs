use super::*;

const CODEC: Codec = Codec::F32;

fn peer(number: u8) -> PeerId {
    PeerId([number; 32])
}

fn publication(byte: u8) -> Publication {
    Publication::new(Arc::new(vec![byte; 100]), CODEC, 9, 1, 1)
}

fn pairing(number: u8) -> Pairing {
    let mut pairing = Pairing::new(peer(number), 1);
    pairing.publish(publication(number));
    pairing
}

fn bytes(byte: u8) -> Arc<Vec<u8>> {
    Arc::new(vec![byte; 100])
}

fn half(pairing: &mut Pairing) -> (u8, u8) {
    let halves = pairing.take(false);
    assert_eq!(halves.len(), 1);
    (halves[0].ours[0], halves[0].theirs[0])
}

#[test]
fn both_get_halves_of_the_same_two_models_also_if_the_answer_is_lost_once() {
    let (mut ant, mut bat) = (pairing(1), pairing(2));
    let lead = ant.lead(peer(2)).unwrap();
    let ours = bat.invited(peer(1), lead.number, CODEC).unwrap();
    assert_eq!(ours.blob[0], 2);
    assert_eq!(bat.settle(peer(1), lead.number), Settling::Wait);
    bat.arrived(peer(1), lead.number, bytes(1), 9);
    assert_eq!(bat.settle(peer(1), lead.number), Settling::Settled);
    // The guest gives nothing up any more; the leader asks again.
    bat.abandoned(peer(1), lead.number);
    assert_eq!(bat.settle(peer(1), lead.number), Settling::Settled);
    ant.led(lead.number, Half { peer: peer(2), ours: lead.ours.blob, theirs: ours.blob, age: 9 });
    assert_eq!((half(&mut ant), half(&mut bat)), ((1, 2), (2, 1)));
    assert!(ant.take(false).is_empty() && bat.take(false).is_empty(), "once");
}

#[test]
fn one_meeting_at_a_time_and_one_for_each_publication() {
    let (mut ant, mut bat) = (pairing(1), pairing(2));
    let lead = ant.lead(peer(2)).unwrap();
    assert_eq!(ant.lead(peer(3)).unwrap_err(), NoLead::Busy);
    assert_eq!(ant.invited(peer(3), 1, CODEC).unwrap_err(), Refusal::Busy);
    bat.invited(peer(1), lead.number, CODEC).unwrap();
    assert_eq!(bat.invited(peer(3), 1, CODEC).unwrap_err(), Refusal::Busy);
    assert_eq!(bat.lead(peer(3)).unwrap_err(), NoLead::Spent);
    bat.arrived(peer(1), lead.number, bytes(1), 9);
    bat.settle(peer(1), lead.number);
    assert_eq!(bat.lead(peer(3)).unwrap_err(), NoLead::Spent);
    bat.publish(publication(5));
    assert!(bat.lead(peer(3)).is_ok());
}

#[test]
fn whoever_gives_up_before_settling_has_not_moved_and_may_meet_others() {
    let (mut ant, mut bat) = (pairing(1), pairing(2));
    let lead = ant.lead(peer(2)).unwrap();
    bat.invited(peer(1), lead.number, CODEC).unwrap();
    bat.abandoned(peer(1), lead.number);
    assert_eq!(bat.settle(peer(1), lead.number), Settling::Gone);
    ant.lead_failed(lead.number);
    assert!(ant.take(false).is_empty() && bat.take(false).is_empty());
    // A later question of the same leader replaces one that it gave up silently.
    let lead = ant.lead(peer(2)).unwrap();
    bat.invited(peer(1), lead.number, CODEC).unwrap();
    assert!(bat.invited(peer(1), lead.number + 1, CODEC).is_ok());
    assert_eq!(bat.settle(peer(1), lead.number), Settling::Gone);
    assert_eq!(bat.invited(peer(3), 1, Codec::Int8).unwrap_err(), Refusal::Busy);
}

#[test]
fn of_two_that_ask_each_other_one_yields() {
    let (mut ant, mut bat) = (pairing(1), pairing(2));
    let (from_ant, from_bat) = (ant.lead(peer(2)).unwrap(), bat.lead(peer(1)).unwrap());
    assert_eq!(bat.invited(peer(1), from_ant.number, CODEC).unwrap_err(), Refusal::Busy);
    let ours = ant.invited(peer(2), from_bat.number, CODEC).unwrap();
    ant.lead_failed(from_ant.number);
    ant.arrived(peer(2), from_bat.number, bytes(2), 9);
    assert_eq!(ant.settle(peer(2), from_bat.number), Settling::Settled);
    bat.led(from_bat.number, Half { peer: peer(1), ours: from_bat.ours.blob, theirs: ours.blob, age: 9 });
    assert_eq!((half(&mut ant), half(&mut bat)), ((1, 2), (2, 1)));
}

#[test]
fn after_the_last_round_nobody_is_met_and_what_is_settled_is_taken() {
    let mut bat = pairing(2);
    bat.invited(peer(1), 1, CODEC).unwrap();
    assert!(bat.open(&BulkRequest { root: publication(2).offer.root, first: 0, count: 1 }).is_some());
    assert!(bat.take(true).is_empty());
    assert_eq!(bat.settle(peer(1), 1), Settling::Gone);
    bat.publish(publication(3));
    assert_eq!(bat.invited(peer(1), 2, CODEC).unwrap_err(), Refusal::NoMeeting);
    assert!(bat.lead(peer(1)).is_err());
}
