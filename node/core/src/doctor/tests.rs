//! Contacts that cannot be reached, in words and in a node; what a node tells of its peers.

use std::time::Duration;

use peerlearn_data::Partition;
use peerlearn_network::{Connectivity, FailedDial};
use peerlearn_protocols::membership::Contact;
use peerlearn_protocols::time::Time;
use peerlearn_protocols::wire::Address;

use super::*;
use crate::{Node, NodeConfig, NodeEvent};

const GONE: &str = "/ip4/10.0.0.1/tcp/4001";

fn contact(peer: Option<PeerId>, address: &str) -> Contact {
    Contact { peer, addresses: vec![Address(address.to_owned())] }
}

fn failed(peer: Option<PeerId>, address: &str) -> FailedDial {
    let (addresses, reason) = (vec![address.to_owned()], "refused".to_owned());
    FailedDial { peer, addresses, reason, times: 3, ago_ms: 0 }
}

#[test]
fn a_contact_is_found_among_failed_dials_by_peer_by_address_and_by_what_its_name_means() {
    let ant = PeerId([1; 32]);
    let name = "/dns4/peers/tcp/4001";
    let own = [contact(Some(ant), "/ip4/10.0.0.9/tcp/1"), contact(None, GONE), contact(None, name)];
    let contacts: Vec<OwnContact> = own.iter().cloned().map(OwnContact::new).collect();
    let mut how = Connectivity { failed: vec![failed(Some(ant), "/ip4/10.0.0.9/tcp/1")], ..Connectivity::default() };
    let next = [(own[1].clone(), Time::ZERO + Duration::from_secs(7))];
    let count = |how: &Connectivity| {
        let all = report_contacts(&contacts, how, &next, Time::ZERO);
        all.iter().map(|contact| contact.reason.is_some()).collect::<Vec<bool>>()
    };
    assert_eq!(count(&how), [true, false, false]);
    how.failed.push(failed(None, GONE));
    assert_eq!(count(&how), [true, true, false]);
    how.names.insert(name.to_owned(), vec!["/ip4/10.0.0.3/tcp/4001".to_owned()]);
    how.failed.push(failed(None, "/ip4/10.0.0.3/tcp/4001"));
    assert_eq!(count(&how), [true, true, true]);
    let said = problems(&report_contacts(&contacts, &how, &next, Time::ZERO));
    assert!(said[0].contains(&ant.short()) && said[0].contains("refused"), "{said:?}");
    assert!(said[1].contains(GONE) && said[1].contains("tried 3 times, next in 7 s"), "{said:?}");
    assert!(said[2].contains(name), "{said:?}");
}

#[test]
fn contacts_and_problems_are_bounded() {
    let mut contacts = Vec::new();
    let how: Vec<FailedDial> = (1..300).map(|n| failed(None, &format!("/ip4/10.0.0.1/tcp/{n}"))).collect();
    let how = Connectivity { failed: how, ..Connectivity::default() };
    (1..300).for_each(|n| OwnContact::new(contact(None, &format!("/ip4/10.0.0.1/tcp/{n}"))).add_to(&mut contacts));
    OwnContact::new(contact(None, "/ip4/10.0.0.1/tcp/299")).add_to(&mut contacts);
    assert_eq!(contacts.len(), 128);
    assert_eq!(problems(&report_contacts(&contacts, &how, &[], Time::ZERO)).len(), 8);
}

fn config(listen: &str, part: usize, contacts: Vec<String>) -> NodeConfig {
    let mut config = NodeConfig::default();
    config.network.listen = vec![listen.to_owned()];
    config.network.contacts = contacts;
    config.network.mdns = false;
    config.round.min_interval = Duration::ZERO;
    config.round.join_wait = Duration::from_millis(10);
    config.training.steps = 5;
    config.data.partition = Some(Partition::Dirichlet(0.5));
    config.data.part = Some(part);
    config
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_contact_is_a_problem_until_it_is_connected_and_its_path_is_told() {
    // A port of the process that nobody listens on yet.
    let port = u64::from_le_bytes(rand::random::<[u8; 8]>()) | 1;
    let (address, unknown) = (format!("/memory/{port}"), "/dns4/no-such-name.invalid/tcp/4001".to_owned());
    let bat = Node::builder(config("/memory/0", 1, vec![address.clone(), unknown.clone()])).spawn().await.unwrap();
    let mut events = bat.subscribe();
    let is_said = |problems: &[String], of: &str| {
        problems.iter().any(|problem| problem.contains(of) && problem.contains("cannot be reached"))
    };
    loop {
        let problems = bat.status().await.problems;
        if is_said(&problems, &address) && is_said(&problems, &unknown) {
            break;
        }
        // Every round is an event, so this does not spin.
        let _ = events.recv().await;
    }
    let ant = Node::builder(config(&address, 0, Vec::new())).spawn().await.unwrap();
    loop {
        match events.recv().await.map(|stamped| stamped.event) {
            Ok(NodeEvent::RoundClosed { mixed: 1.., .. }) => break,
            Ok(_) | Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
    let report = bat.report().await;
    assert!(!is_said(&report.status.problems, &address), "{:?}", report.status.problems);
    let reached: Vec<bool> = report.contacts.iter().map(|contact| contact.reached).collect();
    assert_eq!(reached, [true, false], "{:?}", report.contacts);
    let told = report.peers.iter().find(|peer| peer.peer == ant.peer()).unwrap();
    let path = told.path.as_ref().unwrap();
    assert!(path.dialled && path.compatible && path.relay.is_none(), "{path:?}");
    assert!(told.bytes_in > Some(0) && told.bytes_out > Some(0) && told.model_ms.is_some(), "{told:?}");
    assert!(path.program.as_ref().is_some_and(|program| program.starts_with("peerlearn/")), "{path:?}");
    assert_eq!(report.rounds.all_refused, 0);
    let (received, _) = bat.report().await.connectivity.bytes[&ant.peer()];
    assert!(received <= bat.status().await.bytes_in);
    assert!(report.process.id > 0);
    bat.stop().await;
    ant.stop().await;
}
