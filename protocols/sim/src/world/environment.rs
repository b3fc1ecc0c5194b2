//! What all peers read and none of them changes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use peerlearn_protocols::exchange::ExchangeConfig;
use peerlearn_protocols::id::TaskId;
use peerlearn_protocols::membership::MembershipConfig;
use peerlearn_protocols::params::Layout;
use peerlearn_protocols::peer::PeerSettings;
use peerlearn_protocols::recipe::Recipe;
use peerlearn_protocols::sampling::Sampling;
use peerlearn_protocols::time::Time;
use peerlearn_protocols::wire::Address;

use super::PeerStart;
use super::config::{Discovery, LEAST_DELAY, Link, WorldConfig};
use crate::Model;

/// The task of all.
const TASK: TaskId = TaskId([7; 32]);
/// First byte of the first public address.
const PUBLIC: u32 = 60;

/// The model, the settings and the network. Changes only between windows.
pub(super) struct Environment<'a> {
    pub model: &'a dyn Model,
    pub config: WorldConfig,
    /// Of every peer that has none of its own; what `config` says of it is not read again.
    recipe: Arc<Recipe>,
    layout: Arc<Layout>,
    pub peers: u32,
    /// Ends of links that are not the world's; empty where all are.
    links: Vec<Option<Link>>,
    /// Ways on which everything is lost.
    pub blocked: BTreeSet<(u32, u32)>,
    pub pieces: Option<Vec<u8>>,
    /// Whether anything was ever done that may leave one end of a connection alone.
    pub disturbed: bool,
    /// Whether peers record what happens to them.
    pub records: bool,
}

impl<'a> Environment<'a> {
    pub fn new(model: &'a dyn Model, config: WorldConfig, peers: u32) -> Self {
        let (recipe, layout) = (Arc::new(config.recipe.clone()), Arc::new(model.layout().clone()));
        let (links, blocked) = (Vec::new(), BTreeSet::new());
        let disturbed = config.link.loss > 0.0 || !config.splits.is_empty();
        Self { model, config, recipe, layout, peers, links, blocked, pieces: None, disturbed, records: false }
    }

    /// What the machine of a peer is told, given how many rows it trains on.
    pub fn settings_of(&self, start: &PeerStart, samples: usize) -> Arc<PeerSettings> {
        let membership = match &self.config.discovery {
            Discovery::Membership(config) => config.clone(),
            Discovery::Fixed(_) => MembershipConfig { sampling: Sampling::Uniform, ..MembershipConfig::default() },
        };
        Arc::new(PeerSettings {
            task: TASK,
            layout: Arc::clone(&self.layout),
            recipe: Arc::clone(start.recipe.as_ref().unwrap_or(&self.recipe)),
            round: start.round.as_ref().unwrap_or(&self.config.round).clone(),
            membership,
            exchange: ExchangeConfig::default(),
            samples: samples as u32,
            request_timeout: self.config.request_timeout,
            estimate_every: self.config.estimate_every,
            evaluate_every: 0,
            commit_every: Duration::ZERO,
        })
    }

    /// Whether neighbours are known from the start and never change.
    pub fn is_fixed(&self) -> bool {
        matches!(self.config.discovery, Discovery::Fixed(_))
    }

    /// Whether peers know only a part of the others.
    pub fn has_views(&self) -> bool {
        matches!(&self.config.discovery, Discovery::Membership(config) if matches!(config.sampling, Sampling::View { .. }))
    }

    /// The address of a peer that has moved `moves` times.
    pub fn address(&self, peer: u32, moves: u32) -> Address {
        Address(match self.config.public {
            // 64 first bytes times 256 second ones are prefixes; the rest tells its peers apart.
            true => {
                let (a, b, c) = (PUBLIC + peer % 64, peer / 64 % 256, peer / 64 / 256);
                format!("/ip4/{a}.{b}.{}.{}/tcp/{}", c / 256 % 256, c % 256, 1 + moves)
            }
            false => format!("/memory/{peer}/{moves}"),
        })
    }

    /// The peer at an address, and its number of moves.
    pub fn target_in(&self, address: &Address) -> Option<(u32, u32)> {
        if let Some(text) = address.0.strip_prefix("/memory/") {
            let (peer, moves) = text.split_once('/')?;
            return Some((peer.parse().ok()?, moves.parse().ok()?));
        }
        let (host, port) = address.0.strip_prefix("/ip4/")?.split_once("/tcp/")?;
        let mut bytes = host.split('.').map(|byte| byte.parse::<u32>());
        let mut next = || bytes.next()?.ok();
        let (a, b, c, d) = (next()?, next()?, next()?, next()?);
        let peer = (c * 256 + d) * 64 * 256 + b * 64 + a.checked_sub(PUBLIC)?;
        Some((peer, port.parse::<u32>().ok()?.checked_sub(1)?))
    }

    pub fn set_link(&mut self, peer: usize, link: Option<Link>) {
        self.disturbed |= link.as_ref().is_some_and(|link| link.loss > 0.0);
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
