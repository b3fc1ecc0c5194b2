use peerlearn_runtime::clock::Clock;
use peerlearn_task::{Charter, Column, ColumnType, Definition, ModelSpec, Output, Schema};

use super::state::LASTING;
use super::*;

const NOW: u64 = 1_800_000_000;
const DAY: u64 = 86_400;

fn key(number: u8) -> Identity {
    Identity::from_secret([number; 32])
}

/// The owner of [`document`].
fn owner() -> Identity {
    key(1)
}

fn document(join: Join) -> Document {
    let columns = [("a".to_owned(), Column::new(ColumnType::Number))].into();
    let schema = Schema::table(columns, Output::classes("y", vec!["no".into(), "yes".into()]));
    let model = ModelSpec { net: "linear".into(), loss: "cross-entropy".into(), layout: None };
    let mut definition = Definition::new("ward", model, schema).unwrap();
    definition.owners = vec![owner().peer()];
    let mut charter = Charter::default();
    charter.access.join = join;
    Document { definition, charter }
}

fn rules(identity: Identity, join: Join) -> Rules {
    Rules { identity, document: document(join) }
}

fn own(name: &str) -> OwnMember {
    OwnMember { name: name.to_owned(), member: None }
}

fn state() -> State {
    State::new(own("ant"), Vec::new())
}

fn invitation(uses: u32, until: u64) -> Invitation {
    let (key, owner) = (key(9), owner());
    let task = document(Join::Invited).definition.id();
    let invite =
        Invite::new(task, key.peer(), uses, until, "Basel", owner.peer(), |message| owner.sign(message)).unwrap();
    Invitation { invite, secret: key.secret() }
}

/// What a peer shows that came by an invitation.
fn invited(peer: &Identity, name: &str, invitation: &Invitation) -> Vec<u8> {
    let key = Identity::from_secret(invitation.secret);
    let member = Member::by_invite(invitation.invite.clone(), peer.peer(), name, |message| key.sign(message)).unwrap();
    Hello { name: name.to_owned(), member: Some(member) }.to_bytes()
}

fn bare(name: &str) -> Vec<u8> {
    Hello { name: name.to_owned(), member: None }.to_bytes()
}

fn refusal(judged: (Admission, Vec<NodeEvent>)) -> String {
    match judged.0 {
        Admission::Refused { reason } => reason,
        other => panic!("{other:?}"),
    }
}

fn papers(judged: &(Admission, Vec<NodeEvent>)) -> Option<Member> {
    match &judged.0 {
        Admission::LetIn { papers, .. } => Member::from_bytes(papers),
        other => panic!("{other:?}"),
    }
}

fn warning(events: &[NodeEvent]) -> String {
    let found = events.iter().find_map(|event| match event {
        NodeEvent::Warning { message } => Some(message.clone()),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("{events:?}"))
}

#[test]
fn owners_and_invited_are_let_in_and_nobody_else() {
    let (mut state, rules) = (state(), rules(key(2), Join::Invited));
    let judged = state.judge(&rules, owner().peer(), &bare("ant"), NOW);
    assert_eq!(judged, (Admission::LetIn { until: u64::MAX, papers: Vec::new() }, Vec::new()));
    let basel = key(3);
    let hello = invited(&basel, "basel", &invitation(1, NOW));
    let judged = state.judge(&rules, basel.peer(), &hello, NOW);
    assert_eq!(judged, (Admission::LetIn { until: u64::MAX, papers: Vec::new() }, Vec::new()));
    assert_eq!(state.name_of(&basel.peer()), Some("basel"));
    for (hello, words) in [
        (bare("eve"), "no membership"),
        (hello.clone(), "another peer"),
        (b"garbage".to_vec(), "cannot be read"),
        (vec![0; 5000], "cannot be read"),
        (invited(&key(4), "eve", &invitation(1, NOW - 5)), "the invitation Basel ended 5 s ago"),
        (invited(&key(4), "eve", &invitation(1, NOW)), "used up, by basel"),
    ] {
        let reason = refusal(state.judge(&rules, key(4).peer(), &hello, NOW));
        assert!(reason.contains(words), "{reason}");
        assert!(state.refuses(&key(4).peer(), NOW) && !state.refuses(&basel.peer(), NOW));
    }
    assert!(!state.refuses(&key(4).peer(), NOW + DAY), "a refusal is not for ever");
}

#[test]
fn a_second_use_is_said_once_with_both_names_and_the_first_stays() {
    let (mut state, rules) = (state(), rules(key(2), Join::Invited));
    let invitation = invitation(1, NOW + DAY);
    let (basel, eve) = (key(3), key(4));
    state.judge(&rules, basel.peer(), &invited(&basel, "basel", &invitation), NOW);
    let (_, events) = state.judge(&rules, eve.peer(), &invited(&eve, "eve", &invitation), NOW + 1);
    let message = warning(&events);
    assert!(message.contains("Basel") && message.contains("basel (") && message.contains("eve ("), "{message}");
    assert!(state.keep_apart(true, eve.peer(), "used up", NOW + 1));
    let (admission, events) = state.judge(&rules, eve.peer(), &invited(&eve, "eve", &invitation), NOW + 2);
    assert!(matches!(admission, Admission::Refused { .. }) && events.is_empty(), "{events:?}");
    assert!(!state.keep_apart(true, eve.peer(), "used up", NOW + 2), "said already");
    papers(&state.judge(&rules, basel.peer(), &invited(&basel, "basel", &invitation), NOW + 3));
}

#[test]
fn ones_own_use_of_an_invitation_counts() {
    let (rules, once) = (rules(key(3), Join::Invited), invitation(1, NOW + DAY));
    let member = Hello::from_bytes(&invited(&key(3), "basel", &once)).unwrap().member;
    let mut state = State::new(OwnMember { name: "basel".to_owned(), member }, Vec::new());
    let judged = state.judge(&rules, key(4).peer(), &invited(&key(4), "eve", &once), NOW);
    assert!(refusal(judged).contains("used up, by basel ("));
}

#[test]
fn an_invitation_for_two_takes_two() {
    let (mut state, rules, double) = (state(), rules(key(2), Join::Invited), invitation(2, NOW + DAY));
    for (peer, is_in) in [(3, true), (4, true), (5, false), (3, true)] {
        let judged = state.judge(&rules, key(peer).peer(), &invited(&key(peer), &format!("p{peer}"), &double), NOW);
        assert_eq!(matches!(judged.0, Admission::LetIn { .. }), is_in, "{peer}: {judged:?}");
    }
}

#[test]
fn whoever_was_seen_in_time_stays_after_the_end_of_its_invitation() {
    let (mut state, rules) = (state(), rules(key(2), Join::Invited));
    let basel = key(3);
    let hello = invited(&basel, "basel", &invitation(1, NOW + DAY));
    papers(&state.judge(&rules, basel.peer(), &hello, NOW));
    papers(&state.judge(&rules, basel.peer(), &hello, NOW + 30 * DAY));
    // Also after a restart, and not for somebody whom only others saw.
    let kept = state.seen.values().cloned().collect();
    papers(&State::new(own("ant"), kept).judge(&rules, basel.peer(), &hello, NOW + 30 * DAY));
    let reason = refusal(tests::state().judge(&rules, basel.peer(), &hello, NOW + 30 * DAY));
    assert!(reason.contains("ended 29 days ago"), "{reason}");
}

#[test]
fn an_owner_gives_lasting_papers_and_they_count_as_a_use() {
    let (mut at_owner, own_rules) = (state(), rules(owner(), Join::Invited));
    let (basel, eve, invitation) = (key(3), key(4), invitation(1, NOW + DAY));
    let given = papers(&at_owner.judge(&own_rules, basel.peer(), &invited(&basel, "basel", &invitation), NOW)).unwrap();
    assert_eq!((given.until, given.invite()), (NOW + LASTING, Some(key(9).peer())));
    let shown = Hello { name: "basel".into(), member: Some(given) }.to_bytes();
    // Nothing new is signed while the old one lasts.
    assert_eq!(papers(&at_owner.judge(&own_rules, basel.peer(), &shown, NOW + DAY)), None);
    let renewed = papers(&at_owner.judge(&own_rules, basel.peer(), &shown, NOW + LASTING / 2 + DAY)).unwrap();
    assert_eq!(renewed.until, NOW + LASTING / 2 + DAY + LASTING);
    // Elsewhere they are believed until their end, and the invitation is used up by them.
    let (mut state, rules) = (state(), rules(key(2), Join::Invited));
    let judged = state.judge(&rules, basel.peer(), &shown, NOW + 30 * DAY);
    assert_eq!(judged.0, Admission::LetIn { until: NOW + LASTING, papers: Vec::new() });
    assert!(refusal(state.judge(&rules, eve.peer(), &invited(&eve, "eve", &invitation), NOW)).contains("used up"));
    assert!(refusal(state.judge(&rules, basel.peer(), &shown, NOW + LASTING + 9)).contains("membership ended 9 s ago"));
    // Whom an owner vouches for comes before whom only its own hurry has brought here first.
    let mut state = tests::state();
    papers(&state.judge(&rules, eve.peer(), &invited(&eve, "eve", &invitation), NOW));
    papers(&state.judge(&rules, basel.peer(), &shown, NOW + 1));
    assert!(refusal(state.judge(&rules, eve.peer(), &invited(&eve, "eve", &invitation), NOW + 2)).contains("by basel"));
}

#[test]
fn another_key_under_a_known_name_is_said_loudly() {
    let (mut state, rules) = (state(), rules(owner(), Join::Approved));
    papers(&state.judge(&rules, key(3).peer(), &invited(&key(3), "Basel", &invitation(5, NOW)), NOW));
    let (_, events) = state.judge(&rules, key(4).peer(), &invited(&key(4), "basel", &invitation(5, NOW)), NOW);
    let message = warning(&events);
    assert!(message.contains("ANOTHER KEY") && message.contains(&key(3).peer().short()), "{message}");
    let (_, events) = state.judge(&rules, key(4).peer(), &invited(&key(4), "basel", &invitation(5, NOW)), NOW);
    assert_eq!(events, [], "said once");
    let (_, events) = state.judge(&rules, key(5).peer(), &bare("BASEL"), NOW);
    assert!(warning(&events).contains(&key(5).peer().short()));
}

fn access(identity: Identity, join: Join) -> Access {
    let events = EventBus::new(identity.peer(), Clock::start());
    Access::new(identity, document(join), own("ant"), Vec::new(), events)
}

#[test]
fn whoever_knocks_waits_until_an_owner_allows_it() {
    let (owners, other) = (access(owner(), Join::Approved), access(key(2), Join::Approved));
    let bern = access(key(3), Join::Approved);
    assert!(!bern.is_member());
    let Admission::Refused { reason } = other.judge(key(3).peer(), &bare("bern")) else { panic!("let in") };
    assert!(reason.contains("only an owner") && reason.contains(&owner().peer().short()), "{reason}");
    for _ in 0..2 {
        let Admission::Waits { reason } = owners.judge(key(3).peer(), &bare("bern")) else { panic!("not waiting") };
        assert!(reason.contains("members allow"), "{reason}");
    }
    owners.judge(key(4).peer(), &bare("bern"));
    assert_eq!(owners.members(&[]).pending.len(), 2);
    assert!(owners.allow("bern").unwrap_err().contains("say which"));
    assert!(owners.allow("nobody").unwrap_err().contains("nobody"));
    assert!(other.allow("bern").unwrap_err().contains("only an owner"));
    assert_eq!(owners.allow(&key(3).peer().short()).unwrap(), format!("bern ({})", key(3).peer().short()));
    assert!(owners.allow("bern").unwrap_err().contains("is the name of"), "a name that is taken is not enough");
    let Admission::LetIn { papers, .. } = owners.judge(key(3).peer(), &bare("bern")) else { panic!("not let in") };
    bern.let_in(owner().peer(), &papers);
    assert!(bern.is_member());
    assert!(matches!(other.judge(key(3).peer(), &bern.hello()), Admission::LetIn { .. }));
    // Papers of others, and those for others, are not kept.
    let cat = access(key(5), Join::Approved);
    cat.let_in(owner().peer(), &papers);
    cat.let_in(owner().peer(), b"garbage");
    assert!(!cat.is_member());
    let members = owners.members(&[key(3).peer()]);
    assert_eq!(
        members.members.iter().map(|seen| (seen.name.as_str(), seen.connected)).collect::<Vec<_>>(),
        [("bern", true)]
    );
}

#[test]
fn no_more_wait_than_can_be_looked_at() {
    let (mut state, rules) = (state(), rules(owner(), Join::Approved));
    let peer = |number: u32| PeerId(*peerlearn_protocols::id::Hash::of(&number.to_le_bytes()).as_bytes());
    for number in 0..64 {
        assert!(matches!(state.judge(&rules, peer(number), &bare("x"), NOW).0, Admission::Waits { .. }));
    }
    assert!(refusal(state.judge(&rules, peer(64), &bare("x"), NOW)).contains("too many"));
    (65..500).for_each(|number| drop(state.judge(&rules, peer(number), &bare("x"), NOW)));
    assert_eq!((state.pending.len(), state.refused.len()), (64, 64));
    // Those that have gone make room.
    assert!(matches!(state.judge(&rules, peer(64), &bare("x"), NOW + 120).0, Admission::Waits { .. }));
    assert_eq!(state.pending.len(), 1);
}

#[test]
fn who_may_invite_and_what_an_invitation_makes() {
    let owners = access(owner(), Join::Invited);
    assert!(access(owner(), Join::Open).invite(1, 60, "").unwrap_err().contains("ticket is enough"));
    assert!(access(owner(), Join::Open).gate().is_none());
    let refused = access(key(2), Join::Invited).invite(1, 60, "").unwrap_err();
    assert!(refused.contains("only an owner") && refused.contains("peerlearn new"), "{refused}");
    assert!(owners.invite(0, 60, "").is_err() && owners.invite(1, 60, "\u{1b}[2J").is_err());
    let invitation = owners.invite(1, 60, "Basel").unwrap();
    let basel = access(key(3), Join::Invited);
    let wrong = Invitation { secret: [7; 32], ..invitation.clone() };
    assert!(basel.redeem(&wrong).is_err());
    let ended = tests::invitation(1, NOW - 400 * DAY * 20);
    assert!(basel.redeem(&ended).unwrap_err().contains("ended"));
    basel.redeem(&invitation).unwrap();
    assert!(basel.is_member());
    assert!(
        matches!(owners.judge(key(3).peer(), &basel.hello()), Admission::LetIn { papers, .. } if !papers.is_empty())
    );
    // A member needs no other invitation.
    basel.redeem(&wrong).unwrap();
    // Whoever is told that it is not let in is told what to do.
    let mut events = basel.inner.events.subscribe();
    basel.not_admitted(owner().peer(), Refuser::There, "it is used up".to_owned());
    let Ok(NodeEvent::NotLetIn { reason, .. }) = events.try_recv().map(|stamped| stamped.event) else {
        panic!("not told")
    };
    assert!(reason.contains("used up") && reason.contains("peerlearn invite"), "{reason}");
}
