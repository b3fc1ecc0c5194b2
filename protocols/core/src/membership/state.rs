//! What membership remembers, and the questions it answers without changing.

use std::collections::BTreeMap;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;

use super::allowance::Allowance;
use super::partial::Partial;
use super::{Contact, MembershipConfig, Output};
use crate::codec::CodecSet;
use crate::id::{PeerId, TaskId};
use crate::sampling::{Prefix, Source};
use crate::time::Time;
use crate::wire::{Address, Announcement, OfferSummary, Sketch};

/// What is known of one peer.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// Where it can be dialled.
    pub addresses: Vec<Address>,
    /// Sequence of its newest announcement; 0 before the first.
    pub sequence: u64,
    /// Its round, as announced.
    pub round: u64,
    /// Its rows, as announced.
    pub samples: u32,
    /// Its newest model, as announced.
    pub offer: Option<OfferSummary>,
    /// Who passed on its first announcement; `None` for one first met by a connection.
    pub introducer: Option<PeerId>,
    /// The part of the internet it announces itself in: that of its first public address. A claim, until it is dialled.
    pub prefix: Prefix,
    /// When it was last heard, by announcement or connection.
    pub heard: Time,
    /// Whether a connection is up.
    pub connected: bool,
    /// Failed dials in a row.
    pub failures: u32,
    /// Not dialled before this time.
    pub dial_after: Time,
    /// Announcements it may still send now; refilled with time.
    pub(super) allowance: Allowance,
}

/// A contact and when to try it again.
#[derive(Debug, Clone)]
pub(super) struct Trial {
    pub contact: Contact,
    pub failures: u32,
    pub tried: bool,
    pub after: Time,
}

/// Most contacts kept: tickets, settings and an address book of 64 fit; more would be dialled for nothing.
pub(super) const MAX_CONTACTS: usize = 128;
/// Most refused peers remembered; they are few, and a forgotten one is refused again.
pub(super) const MAX_REFUSED: usize = 256;

/// The membership machine of one peer.
#[derive(Debug)]
pub struct Membership {
    pub(super) own: PeerId,
    pub(super) task: TaskId,
    pub(super) config: MembershipConfig,
    pub(super) rng: ChaCha8Rng,
    pub(super) view: BTreeMap<PeerId, Known>,
    /// Set where the view is a shuffled one; it then decides who is in it.
    pub(super) partial: Option<Partial>,
    pub(super) contacts: Vec<Trial>,
    pub(super) refused: BTreeMap<PeerId, Time>,
    pub(super) addresses: Vec<Address>,
    pub(super) sequence: u64,
    pub(super) round: u64,
    pub(super) samples: u32,
    pub(super) offer: Option<OfferSummary>,
    pub(super) sketch: Sketch,
    pub(super) announced: Option<Time>,
    pub(super) announce_at: Time,
}

impl Membership {
    /// A machine that knows nobody.
    ///
    /// `starts` counts the starts of this peer; it must grow from start to start, or others take its announcements for
    /// replays. `rng` decides draws and jitter.
    pub fn new(own: PeerId, task: TaskId, starts: u32, config: MembershipConfig, mut rng: ChaCha8Rng) -> Self {
        let partial = Partial::new(own, &config, &mut rng);
        Self {
            partial,
            own,
            task,
            config,
            rng,
            view: BTreeMap::new(),
            contacts: Vec::new(),
            refused: BTreeMap::new(),
            addresses: Vec::new(),
            sequence: u64::from(starts) << 32,
            round: 0,
            samples: 0,
            offer: None,
            sketch: Sketch::default(),
            announced: None,
            announce_at: Time::ZERO,
        }
    }

    /// Everyone known, in the order of ids.
    pub fn view(&self) -> &BTreeMap<PeerId, Known> {
        &self.view
    }

    /// Peers known, this one included.
    pub fn size(&self) -> usize {
        self.view.len() + 1
    }

    /// Draws up to `count` different peers of the known ones that can be reached, without `tried`, as
    /// [`MembershipConfig::sampling`] says.
    ///
    /// A drawn peer without a connection is dialled: [`Output::Dial`] comes first. The choice depends on nobody's
    /// loudness, only on being known and, where it is guarded, on where from.
    pub fn draw(&mut self, now: Time, count: usize, tried: &[PeerId], outputs: &mut Vec<Output>) -> Vec<PeerId> {
        let reachable = |(peer, known): &(&PeerId, &Known)| {
            !tried.contains(peer) && (known.connected || (!known.addresses.is_empty() && known.dial_after <= now))
        };
        let sources: Vec<Source> =
            self.view.iter().filter(reachable).map(|(peer, known)| known.source(*peer)).collect();
        let everyone: Vec<PeerId> = self.view.keys().copied().collect();
        let drawn = self.config.sampling.draw(self.own, &sources, &everyone, self.round, count, &mut self.rng);
        for peer in &drawn {
            if let Some(known) = self.view.get(peer).filter(|known| !known.connected) {
                outputs.push(Output::Dial { peer: Some(*peer), addresses: known.addresses.clone() });
            }
        }
        drawn
    }

    /// Each of these peers with the weight that the communication graph gives its link in this round; 0 without a graph
    /// and for one that is no neighbour.
    pub fn links(&self, peers: &[PeerId]) -> Vec<(PeerId, f32)> {
        let everyone: Vec<PeerId> = self.view.keys().copied().collect();
        let weights = self.config.sampling.weights(self.own, &everyone, self.round);
        peers.iter().map(|peer| (*peer, weights.get(peer).map_or(0.0, |weight| *weight as f32))).collect()
    }

    /// Whether an introducer may bring one more peer at a public address.
    pub(super) fn may_introduce(&self, introducer: PeerId) -> bool {
        let brought =
            |known: &&Known| known.introducer == Some(introducer) && !known.connected && known.prefix.is_public();
        self.view.values().filter(brought).count() < self.quota()
    }

    /// Most peers at public addresses and without a connection that one introducer may bring: a quarter of the view. Four
    /// neighbours, the least that is kept up, then fill it, and one liar among them takes a quarter.
    fn quota(&self) -> usize {
        (self.config.max_peers / 4).max(1)
    }

    /// Time between two announcements of one peer when all keep to [`MembershipConfig::topic_rate`].
    pub(super) fn interval(&self) -> Duration {
        let spread = Duration::try_from_secs_f64(self.size() as f64 / self.config.topic_rate.max(1e-3));
        spread.unwrap_or(Duration::MAX).max(self.config.announce_every)
    }

    pub(super) fn connections(&self) -> usize {
        let in_view = || self.view.values().filter(|known| known.connected).count();
        self.partial.as_ref().map_or_else(in_view, Partial::connections)
    }

    pub(super) fn is_connected(&self, peer: &PeerId) -> bool {
        let in_view = || self.view.get(peer).is_some_and(|known| known.connected);
        self.partial.as_ref().map_or_else(in_view, |partial| partial.is_connected(peer))
    }

    /// The next announcement; its sequence is new.
    pub(super) fn next_announcement(&mut self) -> Announcement {
        self.sequence = self.sequence.saturating_add(1);
        Announcement {
            task: self.task,
            sequence: self.sequence,
            addresses: self.addresses.clone(),
            round: self.round,
            samples: self.samples,
            offer: self.offer,
            codecs: CodecSet::all(),
            sketch: self.sketch,
        }
    }
}
