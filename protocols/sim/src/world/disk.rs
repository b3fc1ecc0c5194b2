//! What of a peer is on its disk: what it began with, or the last round it closed while there was room.
//!
//! The disk is written when a round is closed and when the peer leaves. What differs from memory is kept here, and only
//! as long as it does.

use std::sync::Arc;

use peerlearn_protocols::mixing::push_sum::Account;
use peerlearn_protocols::peer::Fact;
use peerlearn_protocols::recipe::Snapshot;

use super::Environment;
use super::peer::{SimPeer, new_state};

/// The disk of a peer.
#[derive(Debug)]
pub(super) struct Disk {
    /// Whether it takes nothing more.
    is_full: bool,
    /// What is on it, once memory is something else.
    pub(super) committed: Option<Box<Committed>>,
    /// The books as of the last checkpoint, under push-sum.
    pub(super) account: Option<Account>,
    /// What the peer starts with, and again after it has lost its disk.
    initial: Arc<[f32]>,
}

/// A peer as its disk has it.
#[derive(Debug)]
pub(super) struct Committed {
    pub snapshot: Snapshot,
    rounds: u64,
}

impl Disk {
    pub fn new(initial: Arc<[f32]>) -> Self {
        Self { is_full: false, committed: None, account: None, initial }
    }

    /// The books on it.
    pub fn account(&self) -> Option<Account> {
        self.account.clone()
    }
}

impl SimPeer {
    /// Keeps the model as it is on the disk, before it becomes something else.
    pub(super) fn keep_committed(&mut self) {
        if self.disk.committed.is_none() {
            let (snapshot, rounds) = (self.state.snapshot(), self.stats.rounds);
            self.disk.committed = Some(Box::new(Committed { snapshot, rounds }));
        }
    }

    /// A checkpoint: what is in memory goes to the disk, if there is room.
    pub(super) fn commit(&mut self, env: &Environment<'_>, round: u64, account: Option<Account>) {
        if !self.disk.is_full {
            self.disk.committed = None;
            self.disk.account = account;
            self.stats.rounds = round;
            self.tell(env, Fact::Stored { round });
        }
    }

    /// It leaves: what it has in memory goes to the disk, and if there is no room, it is lost.
    pub(super) fn save(&mut self) {
        match self.disk.is_full {
            true => self.fall_back(),
            false => {
                self.disk.committed = None;
                self.disk.account = self.machine.ledger().cloned();
            }
        }
        self.reopen(self.state.snapshot());
    }

    /// Back to what is on the disk.
    pub(super) fn fall_back(&mut self) {
        match self.disk.committed.take() {
            Some(committed) => {
                self.stats.rounds = committed.rounds;
                self.reopen(committed.snapshot);
            }
            None => self.reopen(self.state.snapshot()),
        }
        if self.disk.is_full {
            self.keep_committed();
        }
    }

    /// The model as a new process finds it. What a process holds and a disk does not is gone.
    fn reopen(&mut self, snapshot: Snapshot) {
        // Fits: it is a snapshot of the same model.
        if let Ok(state) = new_state(&self.settings, snapshot, self.seed) {
            self.state = state;
        }
    }

    /// The disk takes nothing more, or does again.
    pub(super) fn fill_disk(&mut self, full: bool) {
        let was_full = std::mem::replace(&mut self.disk.is_full, full);
        if full && !was_full {
            // At once, for rounds are closed from now on that it never sees.
            self.keep_committed();
        }
    }

    /// An empty disk, with room.
    pub(super) fn lose_disk(&mut self) {
        let initial = Snapshot::fresh(self.disk.initial.to_vec());
        self.disk = Disk::new(Arc::clone(&self.disk.initial));
        self.reopen(initial);
        self.trainer.restart();
        self.stats.rounds = 0;
        self.forget_everyone();
    }
}
