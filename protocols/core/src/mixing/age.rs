//! Age-limited mean.

use super::{Meta, MixContext, Mixing, Plan, Refused};

/// A model younger than this fraction of the median age is stale. Ages of peers that mix stay close to each other,
/// because a mix has the mean of its ages; half the median is reached only by newcomers and by those long away.
const LEAST_FRACTION: u64 = 2;
/// A claim counts at most this multiple of the median, so that one Byzantine peer cannot carry everyone's age away.
const MOST_MULTIPLE: u64 = 2;

pub(super) struct AgeLimited;

impl Mixing for AgeLimited {
    fn plan(&self, context: &MixContext<'_>) -> Plan {
        let median = median_age(context.own, context.candidates);
        let stale = |candidate: &Meta| candidate.age < median / LEAST_FRACTION;
        let accepted = context.candidates.iter().filter(|candidate| !stale(candidate)).count();
        let weight = 1.0 / (accepted as f32 + 1.0);
        let judge = |candidate: &Meta| match stale(candidate) {
            true => Err(Refused::Stale { age: candidate.age, median }),
            false => Ok(weight),
        };
        Plan::Weighted(context.candidates.iter().map(judge).collect())
    }
}

/// Whether the own model is so far behind that what it remembers of its past rounds is void.
pub(super) fn is_behind(own: Meta, candidates: &[Meta]) -> bool {
    own.age < median_age(own, candidates) / LEAST_FRACTION
}

/// The age of the mix: the mean of own and accepted ages, each claim capped.
pub(super) fn mixed(own: Meta, candidates: &[Meta], accepted: &[Meta]) -> u64 {
    let cap = median_age(own, candidates).saturating_mul(MOST_MULTIPLE).max(own.age);
    let sum: u128 = accepted.iter().chain([&own]).map(|meta| u128::from(meta.age.min(cap))).sum();
    (sum / (accepted.len() as u128 + 1)) as u64
}

/// Which offers are too old to be worth their bytes: what an age-limited mean would refuse anyway.
///
/// Of the peers drawn at least half are at or above the own age in a healthy network, so an offer below a quarter of
/// the own age is below half of any such median. A peer that finds *everyone* too old doubts itself: its age may be a
/// Byzantine peer's work, and in its next round it pulls whatever there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StaleFilter {
    doubts: bool,
}

impl StaleFilter {
    /// The least age worth pulling.
    pub fn least(&self, own_age: u64) -> u64 {
        if self.doubts { 0 } else { own_age / (2 * LEAST_FRACTION) }
    }

    /// Learns how a round went: models that arrived, and offers that were too old.
    pub fn round_closed(&mut self, arrived: usize, stale: usize) {
        self.doubts = arrived == 0 && stale > 0;
    }
}

/// The lower median of own and candidates: with an even number the more cautious one, so that of two peers a newcomer
/// cannot make the other stale by a claim.
fn median_age(own: Meta, candidates: &[Meta]) -> u64 {
    let mut ages: Vec<u64> = candidates.iter().chain([&own]).map(|meta| meta.age).collect();
    ages.sort_unstable();
    ages[(ages.len() - 1) / 2]
}
