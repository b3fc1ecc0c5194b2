//! What a peer begins with.

use std::sync::Arc;
use std::time::Duration;

use peerlearn_protocols::time::Time;

use super::config::{Churn, Link};
use super::lie::Lie;
use super::recipe::Recipe;
use crate::attack::Attack;
use crate::{Rows, Training};

/// What a peer starts with. Fields that are `None` follow the world: `PeerStart { joins_at, ..PeerStart::new(rows, params) }`.
#[derive(Debug, Clone)]
pub struct PeerStart {
    /// Rows it trains on.
    pub rows: Rows,
    /// Parameters, `[parameters]`; a lost disk goes back to them.
    pub params: Vec<f32>,
    /// When it is there.
    pub churn: Churn,
    /// Set for one that lies on the wire.
    pub lie: Option<Lie>,
    /// Set for one that publishes what its attack says in place of its model. A lie, if there is one too, comes on top.
    pub attack: Option<Attack>,
    /// When it comes; `None` is at random within [`super::WorldConfig::start_within`].
    pub joins_at: Option<Time>,
    /// Virtual time of one round's training; `None` draws it from [`super::WorldConfig::train_time`].
    pub train_time: Option<Duration>,
    /// How it trains; `None` is [`super::WorldConfig::training`].
    pub training: Option<Training>,
    /// Its end of every link; `None` is [`super::WorldConfig::link`]. See [`Link`] for what two ends make together.
    pub link: Option<Link>,
    /// How it learns with others; `None` is [`super::WorldConfig::recipe`]. Peers of one recipe share it.
    pub recipe: Option<Arc<Recipe>>,
}

impl PeerStart {
    /// An honest peer that is there from the start and is in all else as the world says.
    ///
    /// Shapes: `params: [parameters]`.
    pub fn new(rows: Rows, params: Vec<f32>) -> Self {
        Self {
            rows,
            params,
            churn: Churn::default(),
            lie: None,
            attack: None,
            joins_at: None,
            train_time: None,
            training: None,
            link: None,
            recipe: None,
        }
    }

    /// The rows as it learns them: poisoned, where a lie or an attack says so.
    pub(super) fn rows_learnt(&self) -> Rows {
        let mut rows = self.rows.clone();
        if self.lie == Some(Lie::LabelFlip) || self.attack.is_some_and(Attack::poisons_labels) {
            let last = (rows.classes as u32).saturating_sub(1);
            rows.labels = rows.labels.iter().map(|label| last.saturating_sub(*label)).collect();
        }
        rows
    }
}
