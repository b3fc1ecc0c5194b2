//! What membership remembers, and the questions it answers without changing.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::seq::IteratorRandom;
use rand_chacha::ChaCha8Rng;

use super::{Contact, MembershipConfig, Output};
use crate::codec::CodecSet;
use crate::id::{PeerId, TaskId};
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
    /// When it was last heard, by announcement or connection.
    pub heard: Time,
    /// Whether a connection is up.
    pub connected: bool,
    /// Failed dials in a row.
    pub failures: u32,
    /// Not dialled before this time.
    pub dial_after: Time,
    /// Announcements it may still send now; refilled with time.
    pub(super) allowance: f64,
    /// When the allowance was last refilled.
    pub(super) refilled: Time,
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
    pub fn new(own: PeerId, task: TaskId, starts: u32, config: MembershipConfig, rng: ChaCha8Rng) -> Self {
        Self {
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

    /// Draws up to `count` different peers, uniformly among the known ones that can be reached, without `tried`.
    ///
    /// A drawn peer without a connection is dialled: [`Output::Dial`] comes first. The choice depends on nobody's
    /// loudness, only on being known (Epidemic Learning, de Vos et al. 2023, EL-Local with pulls).
    pub fn draw(&mut self, now: Time, count: usize, tried: &[PeerId], outputs: &mut Vec<Output>) -> Vec<PeerId> {
        let reachable = |(peer, known): &(&PeerId, &Known)| {
            !tried.contains(peer) && (known.connected || (!known.addresses.is_empty() && known.dial_after <= now))
        };
        let drawn: Vec<PeerId> = self.view.iter().filter(reachable).map(|(peer, _)| *peer).sample(&mut self.rng, count);
        for peer in &drawn {
            if let Some(known) = self.view.get(peer).filter(|known| !known.connected) {
                outputs.push(Output::Dial { peer: Some(*peer), addresses: known.addresses.clone() });
            }
        }
        drawn
    }

    /// Time between two announcements of one peer when all keep to [`MembershipConfig::topic_rate`].
    pub(super) fn interval(&self) -> Duration {
        let spread = Duration::try_from_secs_f64(self.size() as f64 / self.config.topic_rate.max(1e-3));
        spread.unwrap_or(Duration::MAX).max(self.config.announce_every)
    }

    pub(super) fn connections(&self) -> usize {
        self.view.values().filter(|known| known.connected).count()
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
