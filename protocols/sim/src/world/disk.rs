//! What of a peer is on its disk: what it began with, or the last round it closed while there was room.
//!
//! The disk is written when a round is closed and when the peer leaves. What differs from memory is kept here, and only as
//! long as it does.

use peerlearn_protocols::codec::Encoder;
use peerlearn_protocols::exchange::Purse;
use peerlearn_protocols::mixing::push_sum::Account;
use rand::RngExt;

use super::Environment;
use super::peer::Peer;
use crate::SimLearner;

/// A peer as its disk has it.
#[derive(Debug, Clone)]
pub(super) struct Committed {
    pub learner: SimLearner,
    rounds: u64,
    /// The books of its mass, under push-sum and on a full disk. On one with room they are never more than a round old, and
    /// a peer that is killed keeps those it had.
    account: Option<Account>,
}

impl Peer {
    /// Keeps the learner as it is on the disk, before it becomes something else.
    pub(super) fn keep_committed(&mut self) {
        if self.committed.is_none() {
            let account = self.account().filter(|_| self.disk_is_full);
            let (learner, rounds) = (self.learner.clone(), self.stats.rounds);
            self.committed = Some(Box::new(Committed { learner, rounds, account }));
        }
    }

    /// A round is closed: what is in memory goes to the disk, if there is room.
    pub(super) fn commit(&mut self) {
        if !self.disk_is_full {
            self.committed = None;
        }
    }

    /// It leaves: what it has in memory goes to the disk, and if there is no room, it is lost.
    pub(super) fn save(&mut self) {
        match self.disk_is_full {
            true => self.fall_back(),
            false => self.committed = None,
        }
    }

    /// Back to what is on the disk.
    pub(super) fn fall_back(&mut self) {
        let Some(committed) = self.committed.take() else { return };
        let Committed { learner, rounds, account } = *committed;
        self.learner = learner;
        self.stats.rounds = rounds;
        // Questions of this life are not taken for new ones of the next.
        let restored = account.and_then(|account| Purse::restored(account, self.recipe.round.fan_out, self.life));
        if restored.is_some() {
            self.purse = restored;
        }
        if self.disk_is_full {
            self.keep_committed();
        }
    }

    /// The disk takes nothing more, or does again.
    pub(super) fn fill_disk(&mut self, full: bool) {
        let was_full = std::mem::replace(&mut self.disk_is_full, full);
        if full && !was_full {
            // At once, for rounds are closed from now on that it never sees.
            self.keep_committed();
            let account = self.account();
            if let Some(committed) = &mut self.committed {
                committed.account = committed.account.take().or(account);
            }
        }
    }

    /// An empty disk, with room.
    pub(super) fn lose_disk(&mut self, env: &Environment<'_>) {
        let (rows, seed) = (self.learner.rows.clone(), self.rng.random());
        self.learner = SimLearner::new(self.initial.to_vec(), rows, self.training(env), seed);
        let (codec, rounding) = (self.recipe.codec, self.recipe.rounding);
        self.encoder = Encoder::new(codec, rounding, self.rng.random(), &self.initial);
        self.committed = None;
        self.disk_is_full = false;
        self.seen = self.seen.take().map(|_| Box::default());
        self.stats.rounds = 0;
        self.forget_everyone(env);
    }

    fn account(&self) -> Option<Account> {
        self.purse.as_ref().map(|purse| purse.account().clone())
    }
}
