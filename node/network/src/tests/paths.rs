//! What a network tells of its connections.

use std::net::{Ipv4Addr, TcpListener};

use super::*;

/// Asks until `wanted` holds. Pings and identify come a moment after the connection.
async fn until(peer: &Peer, wanted: impl Fn(&Connectivity) -> bool) -> Connectivity {
    loop {
        let how = peer.handle.connectivity().await;
        if wanted(&how) {
            return how;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn paths_tell_address_carrier_who_dialled_time_and_bytes() {
    for listen in NetworkConfig::any_port("127.0.0.1") {
        let (mut ant, mut bat) = (peer(&listen).await, peer(&listen).await);
        ant.connect(&mut bat).await;
        let is_measured = |how: &Connectivity| {
            how.paths.values().all(|path| path.round_trip_ms.is_some() && path.program.is_some())
                && how.paths.len() == 1
        };
        let (of_ant, of_bat) = (until(&ant, is_measured).await, until(&bat, is_measured).await);
        let (path, back) = (&of_ant.paths[&bat.id()], &of_bat.paths[&ant.id()]);
        assert!(path.compatible && path.dialled && !back.dialled, "{path:?} {back:?}");
        assert_eq!(path.carrier, Carrier::of(&listen));
        assert!(of_bat.listening.iter().any(|address| path.remote.starts_with(address)), "{path:?} {of_bat:?}");
        let attempts = if path.carrier == Carrier::Quic { of_ant.quic } else { of_ant.tcp };
        assert_eq!((attempts.dialled, attempts.failed), (1, 0));
        let (received, sent) = of_ant.bytes[&bat.id()];
        let (all_received, all_sent) = ant.handle.bytes();
        assert!(received > 0 && sent > 0 && received <= all_received && sent <= all_sent);
        ant.handle.disconnect(bat.id());
        let after = until(&ant, |how| how.paths.is_empty()).await;
        assert!(after.bytes[&bat.id()].0 >= received, "what was counted stays");
    }
}

#[tokio::test]
async fn dials_in_vain_and_names_that_mean_nothing_are_remembered() {
    let mut ant = peer("/ip4/127.0.0.1/tcp/0").await;
    // A port that was free a moment ago.
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let (gone, unknown) = (format!("/ip4/127.0.0.1/tcp/{free}"), "/dns4/no-such-name.invalid/tcp/4001".to_owned());
    ant.handle.dial(None, vec![gone.clone(), unknown.clone()]);
    let how = until(&ant, |how| how.failed.len() == 2).await;
    let reason = |address: &String| {
        let failed = how.failed.iter().find(|failed| failed.addresses.contains(address)).unwrap();
        assert_eq!((failed.peer, failed.times), (None, 1));
        failed.reason.clone()
    };
    assert!(reason(&gone).contains("refused") && !reason(&unknown).is_empty(), "{how:?}");
    // The owner is told too.
    for _ in 0..2 {
        ant.next(|event| matches!(event, NetworkEvent::DialFailed { .. }).then_some(())).await;
    }
    let mut bat = peer(&gone).await;
    ant.handle.dial(None, vec![gone.clone()]);
    bat.next(|event| matches!(event, NetworkEvent::Connected { .. }).then_some(())).await;
    until(&ant, |how| !how.paths.is_empty() && how.failed.iter().all(|failed| !failed.addresses.contains(&gone))).await;
}

#[tokio::test]
async fn bans_are_told_with_what_is_left_of_them() {
    let (mut ant, mut bat) = (peer("/memory/0").await, peer("/memory/0").await);
    ant.connect(&mut bat).await;
    ant.handle.ban(bat.id(), Duration::from_secs(600));
    let how = until(&ant, |how| !how.bans.is_empty()).await;
    assert!((1..=600_000).contains(&how.bans[&bat.id()]), "{how:?}");
}
