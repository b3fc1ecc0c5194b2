//! Invariants that a running peer looks at, although they should always hold.

use super::{Effect, Peer};
use crate::id::PeerId;
use crate::invariant::{self, Invariant};
use crate::mixing::push_sum::{Account, Grant};

/// Pulls and questions that may be under way at a time, for each peer that a round draws: those of this round, those of
/// the round before that are late, and the questions beside them. A mode has a handful of its own.
const CONVERSATIONS: usize = 8;
/// Those of a mode, and of membership.
const MORE: usize = 64;

impl Peer {
    /// Counts an invariant that did not hold, and says so.
    pub(super) fn broke(&mut self, invariant: Invariant, what: &str, effects: &mut Vec<Effect>) {
        *self.broken.entry(invariant).or_insert(0) += 1;
        let cause = match invariant {
            Invariant::MeanKept => "models of this network may drift apart from their mean by a little",
            _ => "this is a fault of the program; please report it",
        };
        Self::warn(format!("the invariant \"{invariant}\" did not hold {what}: {cause}"), effects);
    }

    pub(super) fn check_mass(&mut self, before: u64, taken: &[(PeerId, Grant)], effects: &mut Vec<Effect>) {
        let after = self.mode.ledger().map(Account::held);
        let taken = || taken.iter().map(|(_, grant)| grant.mass);
        if after.is_some_and(|after| !invariant::mass_kept(before, taken(), after)) {
            self.broke(Invariant::MeanKept, "in the push-sum ledger", effects);
        }
    }

    pub(super) fn check_tables(&mut self, effects: &mut Vec<Effect>) {
        let conversations = self.settings.round.fan_out * CONVERSATIONS + MORE;
        let holds = invariant::bounded(self.known(), self.membership.limit())
            && invariant::bounded(self.conversations.len(), conversations)
            && invariant::bounded(self.to_round.len(), conversations);
        if !holds {
            self.broke(Invariant::Bounded, "for the tables of the peer", effects);
        }
    }
}
