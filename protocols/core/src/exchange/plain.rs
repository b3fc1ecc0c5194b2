//! Pulls, and nothing else.

use super::mode::{Action, ExchangeMode, Wanted};
use crate::time::Time;

/// A drawn peer is pulled from.
#[derive(Debug, Clone, Copy, Default)]
pub struct Plain;

impl ExchangeMode for Plain {
    fn exchange(&mut self, _: Time, Wanted { peer, order, until, .. }: Wanted, actions: &mut Vec<Action>) {
        actions.push(Action::PullForRound { peer, order, until });
    }
}
