//! Push-sum with acknowledged mass (Kempe, Dobra, Gehrke 2003; for learning SGP, Assran et al. 2019).
//!
//! Every peer holds a model z and a mass w, one unit at the start; the network's mean is sum w z / sum w and does not
//! change when a peer hands part of its mass, with its model as it is then, to another: z' = (w z + v z_j) / (w + v).
//! That works on any directed graph, where no doubly stochastic weights can be had. What breaks it is loss: mass that was
//! given and did not arrive is gone for ever, and mass that arrives twice is made from nothing.
//!
//! So mass is whole numbers in an [`Account`], handed over in *grants*, and every question for mass says what became of the
//! last grant. A holder that is asked again learns that the grant was taken (then it is done) or was not (then it takes the
//! mass back); an answer that comes late is an answer to an old question, and the asker ignores it.
//!
//! Invariant (*mean kept*): masses held, plus grants that were not taken, sum to what the peers started with, whatever is
//! lost, late or doubled.

use std::collections::BTreeMap;

use super::{Mixing, Plan, Refused, Scene};
use crate::id::PeerId;

/// The mass of one fresh peer.
pub const UNIT: u64 = 1 << 32;
/// More mass than anyone can hold: that of a million peers.
pub const MOST: u64 = UNIT << 20;
/// Most peers with an open grant; one more is told to come back.
pub const MAX_PARTNERS: usize = 256;

/// Weights by mass. A candidate without mass, or with an impossible one, is refused.
pub(super) struct PushSum;

impl Mixing for PushSum {
    fn plan(&self, scene: &Scene<'_>) -> Plan {
        let fits = |mass: u64| (1..=MOST).contains(&mass);
        let accepted = scene.candidates.iter().filter(|meta| fits(meta.mass));
        let total = accepted.map(|meta| meta.mass as f64).sum::<f64>() + scene.own.mass as f64;
        let verdict = |mass: u64| match fits(mass) {
            true => Ok((mass as f64 / total) as f32),
            false => Err(Refused::Mass { mass }),
        };
        Plan::Weighted(scene.candidates.iter().map(|meta| verdict(meta.mass)).collect())
    }
}

/// A question for mass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    /// Grows with every question of this peer to this holder.
    pub number: u64,
    /// The number of the question whose grant was the last one taken from this holder; 0 for none.
    pub taken: u64,
}

/// Mass on its way, in answer to one question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// The number of the question it answers.
    pub number: u64,
    /// The mass.
    pub mass: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Partner {
    /// As a holder: the newest question seen, and what was granted for it.
    seen: u64,
    granted: u64,
    /// As an asker: the newest question sent, and the newest one whose grant was taken.
    asked: u64,
    taken: u64,
}

/// The mass of one peer and what it has given and taken.
#[derive(Debug, Clone, Default)]
pub struct Account {
    held: u64,
    /// Number of the last question of an earlier life.
    first: u64,
    partners: BTreeMap<PeerId, Partner>,
}

impl Account {
    /// An account with this mass; a fresh peer starts with [`UNIT`].
    pub fn new(held: u64) -> Self {
        Self::starting_at(held, 0)
    }

    /// An account whose questions have numbers above `first`, so that those of an earlier life of this peer are not above
    /// them. That life's mass is gone with it, as when a peer leaves; what it was granted and did not acknowledge goes back.
    pub fn starting_at(held: u64, first: u64) -> Self {
        Self { held, first, partners: BTreeMap::new() }
    }

    /// Mass held, grants not included.
    pub fn held(&self) -> u64 {
        self.held
    }

    /// The next question to a holder; every earlier one is void from now on. `None` with too many partners.
    pub fn ask(&mut self, holder: PeerId) -> Option<Ask> {
        let partner = self.partner(holder)?;
        partner.asked += 1;
        Some(Ask { number: partner.asked, taken: partner.taken })
    }

    /// Answers a question with one part in `parts` of the mass held. `None` for a question that is not newer than the last
    /// one (it was overtaken on its way), with too many partners, or when there is no mass to part with.
    pub fn grant(&mut self, asker: PeerId, ask: Ask, parts: u64) -> Option<Grant> {
        let partner = *self.partner(asker)?;
        if ask.number <= partner.seen {
            return None;
        }
        // The last grant was taken exactly if the asker says so; otherwise it is void, for this question is newer.
        let back = if ask.taken == partner.seen { 0 } else { partner.granted };
        self.held += back;
        let mass = self.held / parts.max(2);
        self.held -= mass;
        *self.partner(asker)? = Partner { seen: ask.number, granted: mass, ..partner };
        (mass > 0).then_some(Grant { number: ask.number, mass })
    }

    /// Takes a grant; false when it does not answer the newest question, or does so a second time.
    pub fn take(&mut self, holder: PeerId, grant: Grant) -> bool {
        let Some(partner) = self.partners.get_mut(&holder) else { return false };
        let answers = grant.number == partner.asked && grant.number > partner.taken;
        if !answers || grant.mass > MOST {
            return false;
        }
        partner.taken = grant.number;
        self.held = self.held.saturating_add(grant.mass);
        true
    }

    /// Mass granted to a peer that has not said what became of it, and the question it answers; for audits.
    pub fn open(&self, asker: &PeerId) -> Option<Grant> {
        let partner = self.partners.get(asker)?;
        (partner.granted > 0).then_some(Grant { number: partner.seen, mass: partner.granted })
    }

    /// The newest grant taken from a holder; for audits.
    pub fn taken(&self, holder: &PeerId) -> u64 {
        self.partners.get(holder).map_or(0, |partner| partner.taken)
    }

    fn partner(&mut self, peer: PeerId) -> Option<&mut Partner> {
        if self.partners.len() >= MAX_PARTNERS && !self.partners.contains_key(&peer) {
            return None;
        }
        Some(self.partners.entry(peer).or_insert(Partner { asked: self.first, ..Partner::default() }))
    }
}
