//! The account of push-sum under loss, delay and doubling.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::push_sum::{Account, Ask, Grant, MAX_PARTNERS, MOST, UNIT};
use super::peer;
use crate::id::PeerId;

/// A message on its way.
#[derive(Debug, Clone, Copy)]
enum Letter {
    Ask { from: u8, to: u8, ask: Ask },
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
        let mut letters: Vec<Letter> = Vec::new();
        for (action, one, other, pick) in steps {
            match action {
                // A new question; old letters stay under way.
                0 if one != other => {
                    let ask = accounts.get_mut(&one).unwrap().ask(peer(other)).unwrap();
                    letters.push(Letter::Ask { from: one, to: other, ask });
                }
                // Some letter arrives, in any order; it may arrive again later.
                1 | 2 if !letters.is_empty() => {
                    let at = pick.index(letters.len());
                    let letter = if action == 1 { letters.swap_remove(at) } else { letters[at] };
                    match letter {
                        Letter::Ask { from, to, ask } => {
                            let grant = accounts.get_mut(&to).unwrap().grant(peer(from), ask, 2);
                            letters.extend(grant.map(|grant| Letter::Grant { from: to, to: from, grant }));
                        }
                        Letter::Grant { from, to, grant } => {
                            accounts.get_mut(&to).unwrap().take(peer(from), grant);
                        }
                    }
                }
                // Some letter is lost.
                3 if !letters.is_empty() => drop(letters.swap_remove(pick.index(letters.len()))),
                _ => {}
            }
            prop_assert_eq!(total(&accounts), 4 * UNIT);
        }
    }
}

#[test]
fn a_grant_moves_half_and_a_lost_one_comes_back() {
    let (mut ant, mut bat) = (Account::new(UNIT), Account::new(UNIT));
    let ask = bat.ask(peer(1)).unwrap();
    let lost = ant.grant(peer(2), ask, 2).unwrap();
    assert_eq!((ant.held(), lost.mass), (UNIT / 2, UNIT / 2));
    assert_eq!(ant.open(&peer(2)), Some(lost));
    // The answer is lost; the next question says so.
    let ask = bat.ask(peer(1)).unwrap();
    assert_eq!(ask, Ask { number: 2, taken: 0 });
    let grant = ant.grant(peer(2), ask, 4).unwrap();
    assert_eq!((ant.held(), grant.mass), (UNIT / 4 * 3, UNIT / 4));
    assert!(!bat.take(peer(1), lost), "an answer to an old question");
    assert!(bat.take(peer(1), grant) && !bat.take(peer(1), grant), "once");
    assert_eq!(bat.held(), UNIT + UNIT / 4);
    // The next question acknowledges; the mass stays where it is.
    let ask = bat.ask(peer(1)).unwrap();
    assert_eq!(ask.taken, 2);
    ant.grant(peer(2), ask, 3).unwrap();
    assert_eq!(ant.held(), UNIT / 4 * 3 - UNIT / 4);
    assert_eq!(ant.grant(peer(2), Ask { number: 3, taken: 2 }, 3), None, "a question that was doubled");
}

#[test]
fn strangers_cost_bounded_memory_and_no_one_makes_mass() {
    let mut account = Account::new(UNIT);
    let stranger = |n: usize| {
        let mut id = [0; 32];
        id[..8].copy_from_slice(&n.to_le_bytes());
        PeerId(id)
    };
    let granted =
        (0..1000).filter(|&n| account.grant(stranger(n), Ask { number: 1, taken: 0 }, u64::MAX).is_some()).count();
    assert_eq!(granted, 0, "no mass to part with");
    assert!((0..1000).filter(|&n| account.ask(stranger(n)).is_some()).count() == MAX_PARTNERS);
    let holder = stranger(0);
    let number = account.ask(holder).unwrap().number;
    assert!(!account.take(holder, Grant { number, mass: MOST + 1 }));
    assert!(account.take(holder, Grant { number, mass: MOST }), "that of a million peers");
    assert_eq!(account.open(&holder), None, "asked, never granted");
    assert!(!account.take(stranger(5000), Grant { number: 1, mass: 1 }), "never asked");
}
