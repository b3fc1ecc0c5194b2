//! What all peers read and none of them changes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use peerlearn_protocols::time::Time;

use super::config::{LEAST_DELAY, Link, WorldConfig};
use super::recipe::Recipe;
use crate::Model;

/// The model, the settings and the network. Changes only between windows.
pub(super) struct Environment<'a> {
    pub model: &'a dyn Model,
    pub config: WorldConfig,
    /// Of every peer that has none of its own; what `config` says of it is not read again.
    pub recipe: Arc<Recipe>,
    pub peers: u32,
    /// Ends of links that are not the world's; empty where all are.
    links: Vec<Option<Link>>,
    /// Ways on which everything is lost.
    pub blocked: BTreeSet<(u32, u32)>,
    pub pieces: Option<Vec<u8>>,
    /// Whether peers record what happens to them.
    pub records: bool,
}

impl<'a> Environment<'a> {
    pub fn new(model: &'a dyn Model, config: WorldConfig, peers: u32) -> Self {
        let recipe = Arc::new(config.recipe());
        let (links, blocked) = (Vec::new(), BTreeSet::new());
        Self { model, config, recipe, peers, links, blocked, pieces: None, records: false }
    }

    pub fn set_link(&mut self, peer: usize, link: Option<Link>) {
        if self.links.is_empty() && link.is_some() {
            self.links.resize(self.peers as usize, None);
        }
        if let Some(held) = self.links.get_mut(peer) {
            *held = link;
        }
    }

    /// A peer's end of every link.
    pub fn link(&self, peer: u32) -> &Link {
        self.links.get(peer as usize).and_then(Option::as_ref).unwrap_or(&self.config.link)
    }

    /// Shortest delay anywhere: windows of virtual time are as long.
    pub fn lookahead(&self) -> Duration {
        let set = self.links.iter().flatten();
        set.chain([&self.config.link]).map(|link| link.delay.0).min().unwrap_or_default().max(LEAST_DELAY)
    }

    /// Shortest and longest delay from one peer to another.
    pub fn delay(&self, from: u32, to: u32) -> (Duration, Duration) {
        let (least, most) = match self.links.is_empty() {
            true => self.config.link.delay,
            false => {
                let (one, other) = (self.link(from).delay, self.link(to).delay);
                (one.0.max(other.0), one.1.max(other.1))
            }
        };
        (least.max(LEAST_DELAY), most)
    }

    /// Chance that a message from one peer to another is lost.
    pub fn loss(&self, from: u32, to: u32) -> f64 {
        match self.links.is_empty() {
            true => self.config.link.loss,
            false => self.link(from).loss.max(self.link(to).loss).clamp(0.0, 1.0),
        }
    }

    /// Whether nothing is between one peer and another at a time.
    pub fn reaches(&self, from: u32, to: u32, at: Time) -> bool {
        self.same_piece(from, to, at) && (self.blocked.is_empty() || !self.blocked.contains(&(from, to)))
    }

    /// Whether two peers are in the same piece of the network at a time.
    pub fn same_piece(&self, one: u32, other: u32, at: Time) -> bool {
        let piece = |pieces: &[u8], peer: u32| pieces.get(peer as usize).copied();
        let apart = |pieces: &[u8]| piece(pieces, one) != piece(pieces, other);
        !self.config.splits.iter().any(|split| split.during.contains(&at) && apart(&split.piece))
            && !self.pieces.as_ref().is_some_and(|pieces| apart(pieces))
    }
}
