//! What a peer is told at its start.

use std::sync::Arc;
use std::time::Duration;

use crate::exchange::ExchangeConfig;
use crate::exchange::mode::ExchangeMode;
use crate::exchange::pairwise::Pairwise;
use crate::exchange::plain::Plain;
use crate::exchange::push_sum::PushSum;
use crate::id::{PeerId, TaskId};
use crate::membership::MembershipConfig;
use crate::mixing::Rule;
use crate::mixing::push_sum::Account;
use crate::params::Layout;
use crate::recipe::Recipe;
use crate::round::RoundConfig;

/// The settings of a peer. Peers of a simulation that have the same share them.
#[derive(Debug, Clone)]
pub struct PeerSettings {
    /// The task.
    pub task: TaskId,
    /// Names and shapes of the shared parameters.
    pub layout: Arc<Layout>,
    /// How the peer learns.
    pub recipe: Arc<Recipe>,
    /// When it trains, pulls and mixes, as the settings say it; the exchange mode and the rule have the last word.
    pub round: RoundConfig,
    /// How it finds others.
    pub membership: MembershipConfig,
    /// How models are fetched and kept ready.
    pub exchange: ExchangeConfig,
    /// Rows it trains on; a claim in what it publishes.
    pub samples: u32,
    /// Longest wait for one answer.
    pub request_timeout: Duration,
    /// Least time between two rounds that also estimate the whole network; `None` never does.
    pub estimate_every: Option<Duration>,
    /// Rounds from one measurement of the own model to the next; 0 never measures.
    pub evaluate_every: u64,
    /// Least time between two checkpoints.
    pub commit_every: Duration,
}

/// What a peer had when it was last stopped.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Restored {
    /// Rounds closed.
    pub round: u64,
    /// Age of the model.
    pub age: u64,
    /// Its books under push-sum.
    pub account: Option<Account>,
}

impl PeerSettings {
    /// The exchange mode that the mixing rule needs. `starts` counts the starts of the peer.
    pub(super) fn mode(&self, own: PeerId, starts: u32, account: Option<Account>) -> Box<dyn ExchangeMode> {
        let (task, fan_out) = (self.task, self.round.fan_out);
        match (self.recipe.rule, account) {
            (Rule::PushSum, Some(account)) => Box::new(PushSum::restored(task, account, fan_out, starts)),
            (Rule::PushSum, None) => Box::new(PushSum::new(task, fan_out, starts)),
            (Rule::Pair, _) => Box::new(Pairwise::new(own, task, starts)),
            _ => Box::new(Plain),
        }
    }

    /// What the machine of rounds is told.
    pub(super) fn rounds(&self, mode: &dyn ExchangeMode) -> RoundConfig {
        let (fan_out, redraws) = mode.gathering(self.round.fan_out, self.round.redraws);
        // Under a robust rule whoever answers fastest must not decide who is heard: attackers would be all of the first
        // half.
        let straggler_timeout = if self.recipe.rule.is_robust() { 0 } else { self.round.straggler_timeout };
        RoundConfig { fan_out, redraws, straggler_timeout, ..self.round.clone() }
    }

    /// Publications kept besides the newest, where so many are made a round.
    pub(super) fn kept(&self, mode: &dyn ExchangeMode) -> usize {
        if mode.publishes_mix() { 2 * self.exchange.kept + 1 } else { self.exchange.kept }
    }
}
