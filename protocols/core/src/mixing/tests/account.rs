//! The account of push-sum under loss, delay and doubling.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::push_sum::{Account, Grant, MAX_PARTNERS, MAX_TRIES, MOST, ShareQuestion, UNIT};
use super::peer;
use crate::id::PeerId;

/// A message on its way.
#[derive(Debug, Clone, Copy)]
enum Traffic {
    Ask { from: u8, to: u8, ask: ShareQuestion },
    Grant { from: u8, to: u8, grant: Grant },
}

/// Mass held, and mass granted that the asker has not taken.
fn total(accounts: &BTreeMap<u8, Account>) -> u64 {
    let held: u64 = accounts.values().map(Account::held).sum();
    let mut open = 0;
    for (holder, account) in accounts {
        for (asker, other) in accounts {
            let grant = account.open(&peer(*asker)).filter(|grant| other.taken(&peer(*holder)) != grant.number);
            open += grant.map_or(0, |grant| grant.mass);
        }
    }
    held + open
}

proptest! {
    #[test]
    fn nothing_is_lost_and_nothing_made(
        steps in prop::collection::vec((0u8..4, 0u8..4, 0u8..4, any::<prop::sample::Index>()), 1..400),
    ) {
        let mut accounts: BTreeMap<u8, Account> = (0..4).map(|n| (n, Account::new(UNIT))).collect();
        let mut messages: Vec<Traffic> = Vec::new();
        for (action, one, other, pick) in steps {
            match action {
                // A new question; old messages stay under way.
                0 if one != other => {
                    let ask = accounts.get_mut(&one).unwrap().ask(peer(other));
                    messages.push(Traffic::Ask { from: one, to: other, ask });
                }
                // Some message arrives, in any order; it may arrive again later.
                1 | 2 if !messages.is_empty() => {
                    let at = pick.index(messages.len());
                    let message = if action == 1 { messages.swap_remove(at) } else { messages[at] };
                    match message {
                        Traffic::Ask { from, to, ask } => {
                            let grant = accounts.get_mut(&to).unwrap().grant(peer(from), ask, 2);
                            messages.extend(grant.map(|grant| Traffic::Grant { from: to, to: from, grant }));
                        }
                        Traffic::Grant { from, to, grant } => {
                            accounts.get_mut(&to).unwrap().take(peer(from), grant);
                        }
                    }
                }
                // Some message is lost.
                3 if !messages.is_empty() => drop(messages.swap_remove(pick.index(messages.len()))),
                _ => {}
            }
            prop_assert_eq!(total(&accounts), 4 * UNIT);
        }
    }
}

#[test]
fn a_grant_moves_half_and_a_lost_one_comes_back() {
    let (mut ant, mut bat) = (Account::new(UNIT), Account::new(UNIT));
    let ask = bat.ask(peer(1));
    let lost = ant.grant(peer(2), ask, 2).unwrap();
    assert_eq!((ant.held(), lost.mass), (UNIT / 2, UNIT / 2));
    assert_eq!(ant.open(&peer(2)), Some(lost));
    // The answer is lost; the next question says so.
    let ask = bat.ask(peer(1));
    assert_eq!(ask, ShareQuestion { number: 2, taken: 0 });
    let grant = ant.grant(peer(2), ask, 4).unwrap();
    assert_eq!((ant.held(), grant.mass), (UNIT / 4 * 3, UNIT / 4));
    assert!(!bat.take(peer(1), lost), "an answer to an old question");
    assert!(bat.take(peer(1), grant) && !bat.take(peer(1), grant), "once");
    assert_eq!(bat.held(), UNIT + UNIT / 4);
    // The next question acknowledges; the mass stays where it is.
    let ask = bat.ask(peer(1));
    assert_eq!(ask.taken, 2);
    ant.grant(peer(2), ask, 3).unwrap();
    assert_eq!(ant.held(), UNIT / 4 * 3 - UNIT / 4);
    assert_eq!(ant.grant(peer(2), ShareQuestion { number: 3, taken: 2 }, 3), None, "a question that was doubled");
}

fn stranger(n: usize) -> PeerId {
    let mut id = [0; 32];
    id[..8].copy_from_slice(&n.to_le_bytes());
    PeerId(id)
}

#[test]
fn strangers_cost_bounded_memory_and_no_one_makes_mass() {
    let mut account = Account::new(UNIT);
    let granted = (0..1000)
        .filter(|&n| account.grant(stranger(n), ShareQuestion { number: 1, taken: 0 }, u64::MAX).is_some())
        .count();
    assert_eq!(granted, 0, "no mass to part with");
    (0..1000).for_each(|n| assert_eq!(account.ask(stranger(n)).taken, 0));
    let holder = stranger(0);
    let number = account.ask(holder).number;
    assert!(!account.take(holder, Grant { number, mass: MOST + 1 }));
    assert!(account.take(holder, Grant { number, mass: MOST }), "that of a million peers");
    assert_eq!(account.open(&holder), None, "asked, never granted");
    assert!(!account.take(stranger(5000), Grant { number: 1, mass: 1 }), "never asked");
}

#[test]
fn settled_partners_are_forgotten_and_a_thousand_peers_keep_the_sum() {
    let mut all: Vec<Account> = (0..1000).map(|_| Account::new(UNIT)).collect();
    // Each asks the next 300 in turn: more than an account remembers, and then the first ones again.
    for step in (1..=300).chain(1..=20) {
        for own in 0..all.len() {
            let other = (own + step) % all.len();
            let ask = all[own].ask(stranger(other));
            let grant = all[other].grant(stranger(own), ask, 5).unwrap();
            assert!(all[own].take(stranger(other), grant), "step {step}");
            let kept = all[own].clone();
            for (holder, number) in all[own].unsettled(&kept, 8) {
                assert_eq!(holder, stranger(other));
                all[other].closed(stranger(own), number);
                all[own].settled(holder, number);
            }
        }
    }
    assert!(all.iter().all(|account| account.partners() <= (MAX_PARTNERS, MAX_PARTNERS)));
    assert!(all.iter().all(|account| account.partners().1 <= MAX_PARTNERS));
    assert_eq!(all.iter().map(Account::held).sum::<u64>(), 1000 * UNIT);
}

#[test]
fn what_is_never_settled_comes_back_when_its_place_is_needed() {
    let mut account = Account::new(UNIT);
    for n in 0..MAX_PARTNERS {
        account.grant(stranger(n), ShareQuestion { number: 1, taken: 0 }, 1000).unwrap();
    }
    account.closed(stranger(7), 2);
    assert!(account.open(&stranger(7)).is_some(), "another question");
    account.closed(stranger(7), 1);
    let before = account.held();
    // The place of the settled one is taken first, then that of the oldest, whose grant comes back.
    let first = account.grant(stranger(1000), ShareQuestion { number: 1, taken: 0 }, 1000).unwrap();
    assert_eq!(account.held(), before - first.mass);
    let (before, back) = (account.held(), account.open(&stranger(0)).unwrap().mass);
    let second = account.grant(stranger(1001), ShareQuestion { number: 1, taken: 0 }, 1000).unwrap();
    assert_eq!(account.held(), before + back - second.mass);
    // A holder that never answers is told a few times, and may then be forgotten.
    let ask = account.ask(stranger(0));
    assert!(account.take(stranger(0), Grant { number: ask.number, mass: 1 }));
    assert!(account.unsettled(&Account::new(0), 4).is_empty(), "not on disk yet");
    let kept = account.clone();
    assert_eq!((0..9).filter(|_| !account.unsettled(&kept, 4).is_empty()).count(), usize::from(MAX_TRIES));
}

#[test]
fn a_kept_account_takes_nothing_twice_and_loses_nothing_that_was_not_settled() {
    let (mut ant, mut bat) = (Account::new(UNIT), Account::new(UNIT));
    let ask = bat.ask(peer(1));
    let grant = ant.grant(peer(2), ask, 2).unwrap();
    let kept = bat.clone();
    assert!(bat.take(peer(1), grant));
    // Killed before that was on disk, and started again: the next question brings the mass back to its holder.
    let mut bat = Account::restored(kept, 1 << 32).unwrap();
    let ask = bat.ask(peer(1));
    assert_eq!(ask, ShareQuestion { number: (1 << 32) + 1, taken: 0 });
    let grant = ant.grant(peer(2), ask, 2).unwrap();
    assert!(bat.take(peer(1), grant));
    assert_eq!(ant.held() + bat.held(), 2 * UNIT);
    // Killed after it was: it stays.
    let mut bat = Account::restored(bat.clone(), 2 << 32).unwrap();
    let ask = bat.ask(peer(1));
    assert!(ask.number > 2 << 32 && ask.taken == grant.number);
    let last = ant.grant(peer(2), ask, 2).unwrap();
    assert_eq!(ant.held() + last.mass + bat.held(), 2 * UNIT);
    assert!(Account::restored(Account::new(MOST + 1), 0).is_none());
}
