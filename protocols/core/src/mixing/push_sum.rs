//! Push-sum with acknowledged mass (Kempe, Dobra, Gehrke 2003; for learning SGP, Assran et al. 2019).
//!
//! Every peer holds a model z and a mass w, one unit at the start; the network's mean is sum w z / sum w and does not
//! change when a peer hands part of its mass, with its model as it is then, to another: z' = (w z + v z_j) / (w + v).
//! That works on any directed graph, where no doubly stochastic weights can be had. What breaks it is loss: mass that
//! was given and did not arrive is gone for ever, and mass that arrives twice is made from nothing.
//!
//! So mass is whole numbers in an [`Account`], handed over in *grants*, and every question for mass says what became of
//! the last grant. A holder that is asked again learns that the grant was taken (then it is done) or was not (then it
//! takes the mass back); an answer that comes late is an answer to an old question, and the asker ignores it.
//!
//! Invariant (*mean kept*): masses held, plus grants that were not taken, sum to what the peers started with, whatever
//! is lost, late or doubled.
//!
//! A ledger of everyone ever met would grow with the network, so an asker that has taken a grant for good says so once
//! more ([`Account::settled`]), and both sides may forget each other. What is forgotten is the partner used longest
//! ago, settled ones first; only where more than [`MAX_PARTNERS`] are unsettled at a time (their peers died, mostly) an
//! open grant goes back to its holder unasked.
//!
//! What a grant that comes back does to the mean: mass v returns to its holder's model as it is *then*. Where it was
//! never taken, the sum of masses is right again, and the sum of w z is off by v times what the holder moved meanwhile:
//! nothing is lost, v has only been as old as it was on its way. Where it was taken after all and the news was lost (a
//! forgotten grant, a peer that died between taking and saying so), v exists twice, and the mean leans to the holder's
//! model by v over all mass: with n peers and s draws, at most 1 / (n (s + 1)) of the distance for each such grant.

use serde::{Deserialize, Serialize};

use super::{MixContext, Mixing, Plan, Refused};
use crate::id::PeerId;

/// The mass of one fresh peer.
pub const UNIT: u64 = 1 << 32;
/// More mass than anyone can hold: that of a million peers.
pub const MOST: u64 = UNIT << 20;
/// Most holders, and most askers, that an account remembers.
pub const MAX_PARTNERS: usize = 256;
/// Times a holder is told that its grant was taken before that is given up: it is gone, and its mass with it.
pub const MAX_TRIES: u8 = 5;

/// Weights by mass. A candidate without mass, or with an impossible one, is refused.
pub(super) struct PushSum;

impl Mixing for PushSum {
    fn plan(&self, context: &MixContext<'_>) -> Plan {
        let fits = |mass: u64| (1..=MOST).contains(&mass);
        let accepted = context.candidates.iter().filter(|meta| fits(meta.mass));
        let total = accepted.map(|meta| meta.mass as f64).sum::<f64>() + context.own.mass as f64;
        let verdict = |mass: u64| match fits(mass) {
            true => Ok((mass as f64 / total) as f32),
            false => Err(Refused::Mass { mass }),
        };
        Plan::Weighted(context.candidates.iter().map(|meta| verdict(meta.mass)).collect())
    }
}

/// A question for mass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShareQuestion {
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

/// A peer that this one asks for mass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Holder {
    peer: PeerId,
    /// The newest question sent, and the newest one whose grant was taken.
    asked: u64,
    taken: u64,
    /// Whether the holder knows that.
    settled: bool,
    /// How often it was told in vain.
    #[serde(skip)]
    tries: u8,
}

/// A peer that asks this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Asker {
    peer: PeerId,
    /// The newest question seen, and what was granted for it and is not known to be taken.
    seen: u64,
    granted: u64,
}

/// The mass of one peer and what it has given and taken; the form in which it is kept on disk too.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Account {
    held: u64,
    /// Questions to a holder that is not remembered have higher numbers than this: those of an earlier life and of
    /// forgotten holders.
    first: u64,
    /// Used longest ago first.
    holders: Vec<Holder>,
    askers: Vec<Asker>,
}

impl Account {
    /// An account with this mass; a fresh peer starts with [`UNIT`].
    pub fn new(held: u64) -> Self {
        Self::starting_at(held, 0)
    }

    /// An account whose questions have numbers above `first`, so that those of an earlier life of this peer are not
    /// above them. That life's mass is gone with it, as when a peer leaves; what it was granted and did not acknowledge
    /// goes back.
    pub fn starting_at(held: u64, first: u64) -> Self {
        Self { held, first, ..Self::default() }
    }

    /// An account as it was on disk, in a new life: its questions have numbers above `first` too. `None` for one that
    /// no peer can have.
    ///
    /// What this peer granted after that account was written is in the world twice; what it took after it and did not
    /// acknowledge goes back to its holders.
    pub fn restored(kept: Self, first: u64) -> Option<Self> {
        let few = kept.holders.len() <= MAX_PARTNERS && kept.askers.len() <= MAX_PARTNERS;
        if !few || kept.held > MOST || kept.askers.iter().any(|asker| asker.granted > MOST) {
            return None;
        }
        let mut account = Self { first: kept.first.max(first), ..kept };
        // Tries are not on disk, and a new start tries anew.
        account.holders.iter_mut().for_each(|holder| (holder.asked, holder.tries) = (holder.asked.max(first), 0));
        Some(account)
    }

    /// Mass held, grants not included.
    pub fn held(&self) -> u64 {
        self.held
    }

    /// The next question to a holder; every earlier one is void from now on.
    pub fn ask(&mut self, peer: PeerId) -> ShareQuestion {
        let known = self.holders.iter().position(|holder| holder.peer == peer).map(|index| self.holders.remove(index));
        if known.is_none() && self.holders.len() >= MAX_PARTNERS {
            self.forget_holder();
        }
        let fresh = Holder { peer, asked: self.first, taken: 0, settled: true, tries: 0 };
        let mut holder = known.unwrap_or(fresh);
        holder.asked += 1;
        self.holders.push(holder);
        ShareQuestion { number: holder.asked, taken: holder.taken }
    }

    /// Answers a question with one part in `parts` of the mass held. `None` for a question that is not newer than the
    /// last one (it was overtaken on its way), or when there is no mass to part with.
    pub fn grant(&mut self, peer: PeerId, ask: ShareQuestion, parts: u64) -> Option<Grant> {
        let index = self.askers.iter().position(|asker| asker.peer == peer);
        if index.is_some_and(|index| ask.number <= self.askers[index].seen) {
            return None;
        }
        if let Some(last) = index.map(|index| self.askers.remove(index)) {
            // The last grant was taken exactly if the asker says so; otherwise it is void, for this question is newer.
            self.held = self.held.saturating_add(if ask.taken == last.seen { 0 } else { last.granted });
        } else if self.askers.len() >= MAX_PARTNERS {
            self.forget_asker();
        }
        let mass = self.held / parts.max(2);
        self.held -= mass;
        self.askers.push(Asker { peer, seen: ask.number, granted: mass });
        (mass > 0).then_some(Grant { number: ask.number, mass })
    }

    /// Takes a grant; false when it does not answer the newest question, or does so a second time.
    pub fn take(&mut self, peer: PeerId, grant: Grant) -> bool {
        let can_take = self.can_take(&peer, &grant);
        let Some(holder) = self.holders.iter_mut().find(|holder| holder.peer == peer && can_take) else { return false };
        (holder.taken, holder.settled, holder.tries) = (grant.number, false, 0);
        self.held = self.held.saturating_add(grant.mass);
        true
    }

    /// Whether a grant may be taken: it answers the newest question to its holder, and was not taken yet.
    pub fn can_take(&self, peer: &PeerId, grant: &Grant) -> bool {
        let holder = self.holders.iter().find(|holder| holder.peer == *peer);
        let answers = holder.is_some_and(|holder| grant.number == holder.asked && grant.number > holder.taken);
        answers && grant.mass <= MOST
    }

    /// Up to `count` holders that do not know yet that their grant was taken, those told least often first, each with
    /// the number of its question. Only what `kept` knows too, this account as it is on disk. They count as told once
    /// more.
    pub fn unsettled(&mut self, kept: &Self, count: usize) -> Vec<(PeerId, u64)> {
        let waits = |holder: &&mut Holder| {
            !holder.settled && holder.tries < MAX_TRIES && kept.taken(&holder.peer) == holder.taken
        };
        let mut waiting: Vec<&mut Holder> = self.holders.iter_mut().filter(waits).collect();
        waiting.sort_by_key(|holder| holder.tries);
        waiting.truncate(count);
        waiting.iter_mut().for_each(|holder| holder.tries += 1);
        waiting.iter().map(|holder| (holder.peer, holder.taken)).collect()
    }

    /// A holder has heard that the grant for this question was taken.
    pub fn settled(&mut self, peer: PeerId, number: u64) {
        let holder = self.holders.iter_mut().find(|holder| holder.peer == peer && holder.taken == number);
        holder.into_iter().for_each(|holder| holder.settled = true);
    }

    /// An asker says that it has taken the grant for this question: it will not come back. Said of any other question,
    /// this changes nothing.
    pub fn closed(&mut self, peer: PeerId, number: u64) {
        let asker = self.askers.iter_mut().find(|asker| asker.peer == peer && asker.seen == number);
        asker.into_iter().for_each(|asker| asker.granted = 0);
    }

    /// Mass granted to a peer that has not said what became of it, and the question it answers; for audits.
    pub fn open(&self, asker: &PeerId) -> Option<Grant> {
        let asker = self.askers.iter().find(|known| known.peer == *asker)?;
        (asker.granted > 0).then_some(Grant { number: asker.seen, mass: asker.granted })
    }

    /// Holders and askers remembered, at most [`MAX_PARTNERS`] of each; for audits.
    pub fn partners(&self) -> (usize, usize) {
        (self.holders.len(), self.askers.len())
    }

    /// The newest grant taken from a holder; for audits.
    pub fn taken(&self, holder: &PeerId) -> u64 {
        self.holders.iter().find(|known| known.peer == *holder).map_or(0, |holder| holder.taken)
    }

    /// Forgets the holder used longest ago, one that knows what was taken if there is one. Its questions stay used up.
    fn forget_holder(&mut self) {
        let done = |holder: &Holder| holder.settled || holder.tries >= MAX_TRIES;
        let index = self.holders.iter().position(done).unwrap_or(0);
        let gone = self.holders.remove(index);
        self.first = self.first.max(gone.asked);
    }

    /// Forgets the asker used longest ago, one without an open grant if there is one; an open one comes back.
    fn forget_asker(&mut self) {
        let index = self.askers.iter().position(|asker| asker.granted == 0).unwrap_or(0);
        let gone = self.askers.remove(index);
        self.held = self.held.saturating_add(gone.granted);
    }
}
