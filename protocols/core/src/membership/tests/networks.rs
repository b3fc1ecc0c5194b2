//! Networks as they are: announcements that aim, partitions, and more peers than connections.

use super::*;

/// An announcement of somebody else's addresses costs these two dials, however often it is repeated and changed.
#[test]
fn announced_addresses_are_dialled_twice_until_they_answer() {
    let mut ant = machine(MembershipConfig::default());
    handle(&mut ant, seconds(0), Input::Connected { peer: peer("liar") });
    handle(&mut ant, seconds(0), Input::Reached { peer: peer("liar"), scope: Scope::Internet });
    let mut dials = Vec::new();
    for tick in 0..1000u64 {
        let now = Time::ZERO + Duration::from_millis(500 * tick);
        let victims: Vec<Address> = (0..10).map(|n| Address(format!("/ip4/9.9.{n}.{}/tcp/80", tick % 200))).collect();
        let Input::Announced { author, via, announcement } =
            said("forged", tick + 1, Some("liar"), "/ip4/10.0.0.1/tcp/80".to_owned())
        else {
            unreachable!()
        };
        let announcement =
            Announcement { addresses: [announcement.addresses.clone(), victims].concat(), ..announcement };
        let mut outputs = handle(&mut ant, now, Input::Announced { author, via, announcement });
        outputs.extend(handle(&mut ant, now, Input::Woke));
        for output in outputs {
            if let Output::Dial { addresses, .. } = output {
                dials.push(addresses);
                handle(&mut ant, now, Input::DialFailed { peer: Some(peer("forged")) });
            }
        }
    }
    assert_eq!(dials.len(), 2, "{dials:?}");
    assert!(dials.iter().all(|dialled| dialled.len() == 2), "{dials:?}");
    assert!(dials.iter().flatten().all(|address| address.0.starts_with("/ip4/9.9.")), "none of a LAN: {dials:?}");
}

/// Two sides of a partition forget each other, have connections enough, and still find together again soon after it ends.
#[test]
fn after_a_partition_of_any_length_both_sides_dial_each_other() {
    for minutes in [2u64, 30, 480] {
        let mut ant = machine(MembershipConfig::default());
        let others: Vec<String> = (0..12).map(|n| format!("peer {n}")).collect();
        for name in &others {
            handle(&mut ant, seconds(1), says(name, 1));
            handle(&mut ant, seconds(1), Input::Connected { peer: peer(name) });
        }
        let (near, far) = others.split_at(6);
        far.iter().for_each(|name| drop(handle(&mut ant, seconds(10), Input::Disconnected { peer: peer(name) })));
        let (mut now, end) = (seconds(10), seconds(10 + 60 * minutes));
        let (mut sequence, mut dialled) = (1, Vec::new());
        let mut live = |ant: &mut Membership, now: Time, dialled: &mut Vec<Time>| {
            sequence += 1;
            let mut outputs: Vec<Output> =
                near.iter().flat_map(|name| handle(ant, now, says(name, sequence))).collect();
            outputs.extend(handle(ant, now, Input::Woke));
            for output in outputs {
                if let Output::Dial { peer, .. } = output {
                    dialled.push(now);
                    handle(ant, now, Input::DialFailed { peer });
                }
            }
        };
        while now < end {
            now = now + Duration::from_millis(500);
            live(&mut ant, now, &mut dialled);
        }
        let waits = dialled.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
        assert!(waits < Duration::from_secs(15), "{waits:?} of {} dials in {minutes} minutes", dialled.len());
        assert!(dialled.len() as u64 <= 30 * minutes + 60, "{} dials in {minutes} minutes", dialled.len());
    }
}

#[test]
fn alone_everybody_known_is_tried_again_within_seconds() {
    let mut ant = machine(MembershipConfig::default());
    handle(&mut ant, seconds(1), says("bat", 1));
    handle(&mut ant, seconds(1), Input::Connected { peer: peer("bat") });
    handle(&mut ant, seconds(2), Input::Disconnected { peer: peer("bat") });
    let mut dialled = vec![seconds(2)];
    for tick in 0..7200u64 {
        let now = seconds(2) + Duration::from_millis(500 * tick);
        let outputs = handle(&mut ant, now, Input::Woke);
        if outputs.iter().any(|output| matches!(output, Output::Dial { .. })) {
            dialled.push(now);
            handle(&mut ant, now, Input::DialFailed { peer: Some(peer("bat")) });
        }
    }
    let longest = dialled.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
    assert!(dialled.len() > 300 && longest <= Duration::from_secs(11), "{longest:?}, {} dials", dialled.len());
}

#[test]
fn connections_stay_near_the_degree_and_draws_stay_fresh() {
    let config = MembershipConfig { degree: 8, ..MembershipConfig::default() };
    let mut ant = machine(config);
    let names: Vec<String> = (0..64).map(|n| format!("peer {n}")).collect();
    let (mut up, mut drawn) = (std::collections::BTreeSet::new(), std::collections::BTreeSet::new());
    let mut made = 0;
    for second in 1..600u64 {
        for name in &names {
            let mut outputs = handle(&mut ant, seconds(second), says(name, second));
            while let Some(output) = outputs.pop() {
                match output {
                    Output::HangUp { peer } if up.remove(&peer) => {
                        outputs.extend(handle(&mut ant, seconds(second), Input::Disconnected { peer }));
                    }
                    Output::Dial { peer: Some(peer), .. } if up.insert(peer) => {
                        made += 1;
                        outputs.extend(handle(&mut ant, seconds(second), Input::Connected { peer }));
                    }
                    _ => {}
                }
            }
        }
        for peer in ant.draw(seconds(second), 3, &[]) {
            drawn.insert(peer);
            if up.insert(peer) {
                made += 1;
                handle(&mut ant, seconds(second), Input::Connected { peer });
            }
        }
        assert!(up.len() <= 13, "{} at {second}", up.len());
    }
    assert_eq!(drawn.len(), 64, "everybody is drawn at some time");
    assert!(made < 400, "{made} connections were made for 1800 draws");
}
