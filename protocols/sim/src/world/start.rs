//! What a peer begins with.

use std::sync::Arc;
use std::time::Duration;

use peerlearn_protocols::dataset::Dataset;
use peerlearn_protocols::recipe::Recipe;
use peerlearn_protocols::round::RoundConfig;
use peerlearn_protocols::time::Time;

use super::config::{Churn, Link};
use super::lie::Lie;
use crate::attack::{Attack, Attacker};

/// What a peer starts with. Fields that are `None` follow the world: `PeerStart { joins_at, ..PeerStart::new(rows,
/// params) }`.
#[derive(Debug, Clone)]
pub struct PeerStart {
    /// Rows it trains on.
    pub rows: Dataset,
    /// Own rows kept apart; models of others are tried on them first, under rules that try models.
    pub validation: Option<Dataset>,
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
    /// Its end of every link; `None` is [`super::WorldConfig::link`]. See [`Link`] for what two ends make together.
    pub link: Option<Link>,
    /// How it learns; `None` is [`super::WorldConfig::recipe`]. Peers of one recipe share it.
    pub recipe: Option<Arc<Recipe>>,
    /// When it trains, pulls and mixes; `None` is [`super::WorldConfig::round`].
    pub round: Option<RoundConfig>,
}

impl PeerStart {
    /// An honest peer that is there from the start and is in all else as the world says.
    ///
    /// Shapes: `params: [parameters]`.
    pub fn new(rows: Dataset, params: Vec<f32>) -> Self {
        Self {
            rows,
            validation: None,
            params,
            churn: Churn::default(),
            lie: None,
            attack: None,
            joins_at: None,
            train_time: None,
            link: None,
            recipe: None,
            round: None,
        }
    }

    /// The rows as it learns them: poisoned, where a lie or an attack says so.
    pub(super) fn rows_learnt(&self) -> Dataset {
        match self.lie == Some(Lie::LabelFlip) || self.attack.is_some_and(Attack::poisons_labels) {
            true => self.rows.with_flipped_labels(),
            false => self.rows.clone(),
        }
    }

    /// What changes its models before they are published.
    pub(super) fn attacker(&self, seed: u64) -> Option<Attacker> {
        let attack = self.attack.map(|attack| Attacker::new(attack, seed));
        attack.or_else(|| self.lie.and_then(|lie| lie.attacker(seed)))
    }
}
