//! Who takes part: owners, invited ones, those who knock, and those who are kept out.

use std::os::unix::fs::PermissionsExt;

use peerlearn_data::load;
use peerlearn_task::access::{Invite, Member};
use peerlearn_task::{Document, Join};

use super::*;
use crate::access::{redeem, unix_now};
use crate::ticket::Invitation;

fn key(number: u8) -> Identity {
    Identity::from_secret([number; 32])
}

/// The digits, owned by key 1.
fn task(join: Join) -> Document {
    let data = load(&config(TCP, 0, Vec::new()).data, &[0; 32], None).unwrap();
    let mut document = document_of("ward", "mlp:16", &data.preprocessing, None).unwrap();
    document.definition.owners = vec![key(1).peer()];
    document.charter.access.join = join;
    document
}

fn invitation(document: &Document, label: &str, until: u64) -> Invitation {
    let (owner, key) = (key(1), Identity::generate());
    let sign = |message: &[u8]| owner.sign(message);
    let invite = Invite::new(document.definition.id(), key.peer(), 1, until, label, owner.peer(), sign).unwrap();
    Invitation { invite, secret: key.secret() }
}

fn member(document: &Document, peer: u8, name: &str, invitation: &Invitation) -> Member {
    redeem(document, &key(peer), invitation, name).unwrap()
}

fn builder(document: &Document, peer: u8, name: &str, contacts: Vec<String>) -> NodeBuilder {
    let config = config(TCP, usize::from(peer), contacts);
    Node::builder(config).identity(key(peer)).name(name).task(document.clone())
}

/// A ticket to a node: with its id, as people hand it on.
async fn ticket(node: &Node) -> Vec<String> {
    vec![node.ticket().await.to_string()]
}

async fn not_let_in(events: &mut broadcast::Receiver<Stamped>) -> (PeerId, String) {
    next(events, |event| match event {
        NodeEvent::NotLetIn { peer, reason } => Some((*peer, reason.clone())),
        NodeEvent::PeerDiscovered { peer, .. } => panic!("told of {peer}"),
        NodeEvent::RoundClosed { mixed: 1.., .. } => panic!("mixed"),
        _ => None,
    })
    .await
}

async fn refused(events: &mut broadcast::Receiver<Stamped>) -> (PeerId, String) {
    next(events, |event| match event {
        NodeEvent::PeerRefused { peer, reason } => Some((*peer, reason.clone())),
        _ => None,
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invited_peer_mixes_and_one_without_invitation_learns_nothing() {
    let document = task(Join::Invited);
    let ant = builder(&document, 1, "ant", Vec::new()).spawn().await.unwrap();
    let mut ants = ant.subscribe();
    let invitation = ant.access().invite(1, 3600, "Basel").unwrap();
    let papers = member(&document, 2, "basel", &invitation);
    let bat = builder(&document, 2, "x", ticket(&ant).await).member(papers).spawn().await.unwrap();
    let mut bats = bat.subscribe();
    mixed_round(&mut bats, 1).await;
    mixed_round(&mut ants, 1).await;
    let named = |status: Status| status.peers.into_iter().map(|peer| peer.name.unwrap_or_default()).collect::<Vec<_>>();
    assert_eq!(named(ant.status().await), ["basel"], "the name in the membership");
    assert_eq!(named(bat.status().await), ["ant"]);
    assert_eq!(bat.access().label(&ant.peer()), format!("ant ({})", ant.peer().short()));

    // The same task, a ticket of each made by hand, and no membership.
    let contacts = [ticket(&ant).await, ticket(&bat).await].concat();
    let eve = builder(&document, 3, "eve", contacts.clone()).spawn().await.unwrap();
    let mut eves = eve.subscribe();
    let (one, reason) = not_let_in(&mut eves).await;
    assert!(reason.contains("no membership was shown") && reason.contains("peerlearn invite"), "{reason}");
    let (other, _) = not_let_in(&mut eves).await;
    assert_eq!(std::collections::BTreeSet::from([one, other]), [ant.peer(), bat.peer()].into());
    for events in [&mut ants, &mut bats] {
        let (peer, reason) = refused(events).await;
        assert_eq!((peer, reason.as_str()), (eve.peer(), "no membership was shown"));
    }
    // One who takes the task for open shows nothing, is hung up on, and mixes nothing; it is said at both ends.
    let mut open = document.clone();
    open.charter.access.join = Join::Open;
    let mut config = config(TCP, 4, contacts);
    config.round.rounds = 20;
    let fox = Node::builder(config).identity(key(4)).task(open).spawn().await.unwrap();
    let mut foxes = fox.subscribe();
    assert_eq!(refused(&mut ants).await.0, fox.peer());
    let said = |event: &NodeEvent| match event {
        NodeEvent::NotLetIn { reason, .. } => Some(reason.clone()),
        _ => None,
    };
    let reason = next(&mut foxes, said).await;
    assert!(reason.contains("members only"), "{reason}");
    finished(&fox).await;
    assert!(fox.status().await.peers.iter().all(|peer| peer.mixed == 0));
    let status = eve.status().await;
    assert_eq!(status.peers, [], "nobody is known");
    assert!(status.problems.iter().any(|text| text.starts_with("not let in")), "{:?}", status.problems);
    for node in [&ant, &bat] {
        let status = node.status().await;
        assert_eq!(status.peers.len(), 1, "{:?}", status.peers);
        assert!(status.problems.iter().any(|text| text.contains("no membership")), "{:?}", status.problems);
    }
    let members = ant.members().await;
    assert!(
        members.owner && members.members[0].connected && members.members[0].why == "invitation Basel",
        "{members:?}"
    );
    let name = |peer: PeerId| members.refused.iter().find(|seen| seen.peer == peer).map(|seen| seen.name.clone());
    assert_eq!(name(eve.peer()).as_deref(), Some("eve"), "{members:?}");
    stop_all(&[ant, bat, eve, fox]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_one_off_invitation_takes_one_and_an_ended_one_nobody() {
    let document = task(Join::Invited);
    let ant = builder(&document, 1, "ant", Vec::new()).spawn().await.unwrap();
    let (mut ants, once) = (ant.subscribe(), invitation(&document, "Basel", unix_now() + 3600));
    let bat = builder(&document, 2, "bat", ticket(&ant).await)
        .member(member(&document, 2, "bat", &once))
        .spawn()
        .await
        .unwrap();
    let mut bats = bat.subscribe();
    mixed_round(&mut bats, 1).await;
    let second = member(&document, 3, "cat", &once);
    let contacts = [ticket(&ant).await, ticket(&bat).await].concat();
    let cat = builder(&document, 3, "cat", contacts).member(second).spawn().await.unwrap();
    let (_, reason) = not_let_in(&mut cat.subscribe()).await;
    assert!(reason.contains("the invitation Basel was for one peer and is used up, by bat ("), "{reason}");
    for events in [&mut ants, &mut bats] {
        assert_eq!(refused(events).await.0, cat.peer());
    }
    let problems = ant.status().await.problems;
    assert!(
        problems.iter().any(|text| text.contains("used by bat (") && text.contains("now by cat (")),
        "{problems:?}"
    );

    let ended = invitation(&document, "Bern", unix_now() - 5);
    assert!(redeem(&document, &key(4), &ended, "dog").unwrap_err().contains("ended"));
    let secret = Identity::from_secret(ended.secret);
    let late = Member::by_invite(ended.invite, key(4).peer(), "dog", |message| secret.sign(message)).unwrap();
    let dog = builder(&document, 4, "dog", ticket(&ant).await).member(late).spawn().await.unwrap();
    let (_, reason) = not_let_in(&mut dog.subscribe()).await;
    assert!(reason.contains("the invitation Bern ended"), "{reason}");
    for node in [&cat, &dog] {
        assert_eq!(node.status().await.peers, []);
    }
    assert_eq!(ant.status().await.peers.len(), 1);
    stop_all(&[ant, bat, cat, dog]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_lets_an_invited_one_in_while_the_owner_is_away() {
    let document = task(Join::Invited);
    let ant = builder(&document, 1, "ant", Vec::new()).spawn().await.unwrap();
    let [for_bat, for_cat] = ["bat", "cat"].map(|label| ant.access().invite(1, 3600, label).unwrap());
    let papers = member(&document, 2, "bat", &for_bat);
    let directory = tempfile::tempdir().unwrap();
    let start = |contacts| builder(&document, 2, "bat", contacts).home(Home::open(directory.path()).unwrap());
    let bat = start(ticket(&ant).await).member(papers).spawn().await.unwrap();
    mixed_round(&mut bat.subscribe(), 1).await;
    // The owner has given it a membership that no longer hangs on the invitation.
    while ant.access().kept().2.iter().all(|seen| seen.papers.is_none()) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    stop_all(&[ant, bat]).await;
    let file = std::fs::metadata(directory.path().join("member.json")).unwrap();
    assert_eq!(file.permissions().mode() & 0o777, 0o600);
    // It goes on by what it has kept.
    let bat = start(Vec::new()).spawn().await.unwrap();
    assert!(bat.access().is_member());
    let contacts = ticket(&bat).await;
    let cat =
        builder(&document, 3, "cat", contacts).member(member(&document, 3, "cat", &for_cat)).spawn().await.unwrap();
    mixed_round(&mut cat.subscribe(), 1).await;
    mixed_round(&mut bat.subscribe(), 1).await;
    assert_eq!(bat.access().name_of(&cat.peer()).as_deref(), Some("cat"));
    stop_all(&[bat, cat]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_knocks_is_let_in_by_the_owner_and_stays_a_member() {
    let document = task(Join::Approved);
    let ant = builder(&document, 1, "ant", Vec::new()).spawn().await.unwrap();
    let mut ants = ant.subscribe();
    let directory = tempfile::tempdir().unwrap();
    let start = |contacts| builder(&document, 2, "bern", contacts).home(Home::open(directory.path()).unwrap());
    let bat = start(ticket(&ant).await).spawn().await.unwrap();
    let mut bats = bat.subscribe();
    let knocks = |event: &NodeEvent| match event {
        NodeEvent::Knocking { peer, name } => Some((*peer, name.clone())),
        _ => None,
    };
    assert_eq!(next(&mut ants, knocks).await, (bat.peer(), "bern".to_owned()));
    let (_, reason) = not_let_in(&mut bats).await;
    assert!(reason.contains("asks again") && reason.contains("members allow"), "{reason}");
    let pending = ant.members().await.pending;
    assert_eq!(pending.iter().map(|seen| seen.name.as_str()).collect::<Vec<_>>(), ["bern"]);
    assert!(ant.status().await.peers.is_empty() && bat.status().await.peers.is_empty());
    assert_eq!(ant.access().allow("bern").unwrap(), format!("bern ({})", bat.peer().short()));
    mixed_round(&mut bats, 1).await;
    assert!(bat.access().is_member() && ant.members().await.pending.is_empty());
    // Another member, which has never heard of it, believes the owner's word; and so it does after a restart.
    let papers = ant.access().invite(1, 3600, "cat").unwrap();
    let papers = member(&document, 3, "cat", &papers);
    let cat = builder(&document, 3, "cat", ticket(&ant).await).member(papers).spawn().await.unwrap();
    mixed_round(&mut cat.subscribe(), 1).await;
    stop_all(&[ant, bat]).await;
    let bat = start(ticket(&cat).await).spawn().await.unwrap();
    mixed_round(&mut bat.subscribe(), 1).await;
    stop_all(&[bat, cat]).await;
}
