//! A draw in which many identities of one origin weigh as much as one.

use rand::seq::SliceRandom;
use rand::{Rng, RngExt};

use super::{Prefix, Source};
use crate::id::PeerId;

/// What counts as one origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Origin {
    /// A block of public addresses.
    Block(Prefix),
    /// Whoever told of peers whose addresses say nothing.
    Introducer(PeerId),
    /// A peer of which nothing is known but its id.
    Alone(PeerId),
}

impl Origin {
    fn of(source: &Source) -> Self {
        match source.introducer {
            _ if source.prefix.is_public() => Self::Block(source.prefix),
            Some(introducer) => Self::Introducer(introducer),
            None => Self::Alone(source.peer),
        }
    }
}

/// Draws `count` different peers so that all identities of one (introducer, prefix) group together are drawn no more
/// often than one share among groups.
///
/// An origin is drawn first: a public prefix, or for local addresses the introducer, or without one the peer itself.
/// Inside a prefix an introducer is drawn, then a peer. Origins take turns in random order, and so do the introducers
/// of a prefix: none gives a second peer before every other one that still has peers gave a first. With `g` origins and
/// `count <= g`, each origin is in the draw with chance `count / g`, however many identities it has, and gives at most
/// one.
///
/// The guard is as good as the prefixes: who holds many blocks of addresses has many shares, and among local addresses
/// who can introduce under many names has as many. A peer listed twice counts where it is listed first. Fewer than
/// `count` come back if there are fewer. Cost: two sorts of the candidates and two allocations; two sorts more where
/// origins are fewer than `count`.
///
/// Grouping by /16 against eclipse attacks is after Heilman et al. 2015 (Bitcoin's buckets).
pub fn draw_guarded(candidates: &[Source], count: usize, rng: &mut impl Rng) -> Vec<PeerId> {
    let mut tickets: Vec<Ticket<'_>> = candidates.iter().map(Ticket::new).collect();
    // Stable: of a peer that is listed twice the first stays.
    tickets.sort_by_key(|ticket| ticket.source.peer);
    tickets.dedup_by_key(|ticket| ticket.source.peer);
    draw_among(tickets, count, rng)
}

/// The same among candidates that are known to be different; saves a sort.
pub fn draw_guarded_distinct(candidates: &[Source], count: usize, rng: &mut impl Rng) -> Vec<PeerId> {
    draw_among(candidates.iter().map(Ticket::new).collect(), count, rng)
}

fn draw_among(mut tickets: Vec<Ticket<'_>>, count: usize, rng: &mut impl Rng) -> Vec<PeerId> {
    tickets.sort_unstable_by_key(|ticket| (ticket.origin, ticket.source.introducer));
    let mut origins: Vec<&mut [Ticket<'_>]> = tickets.chunk_by_mut(|one, other| one.origin == other.origin).collect();
    if count > origins.len() {
        return draw_in_turns(&mut tickets, count, rng);
    }
    let (drawn, _) = origins.partial_shuffle(rng, count);
    drawn.iter().filter_map(|origin| one_of(origin, rng)).collect()
}

/// A peer of one origin, of any of its introducers alike; these lie side by side.
fn one_of(origin: &[Ticket<'_>], rng: &mut impl Rng) -> Option<PeerId> {
    let introducers = || origin.chunk_by(Ticket::has_introducer_of);
    let introduced = introducers().nth(rng.random_range(0..introducers().count()))?;
    Some(introduced[rng.random_range(0..introduced.len())].source.peer)
}

/// The same where some origin gives more than one. Tickets lie by origin, then by introducer.
fn draw_in_turns(tickets: &mut [Ticket<'_>], count: usize, rng: &mut impl Rng) -> Vec<PeerId> {
    // Turns within an introducer, then among the introducers of an origin, then among origins.
    let of_one = |one: &Ticket<'_>, other: &Ticket<'_>| one.origin == other.origin && one.has_introducer_of(other);
    tickets.chunk_by_mut(of_one).for_each(|run| run.shuffle(rng));
    count_turns(tickets, rng, of_one);
    tickets.sort_unstable_by_key(|ticket| (ticket.origin, ticket.turn, ticket.lot));
    count_turns(tickets, rng, |one, other| one.origin == other.origin);
    tickets.sort_unstable_by_key(|ticket| (ticket.turn, ticket.lot));
    tickets.iter().take(count).map(|ticket| ticket.source.peer).collect()
}

/// A candidate with its lot, and the turn in which it comes.
#[derive(Debug, Clone, Copy)]
struct Ticket<'a> {
    source: &'a Source,
    origin: Origin,
    lot: u64,
    turn: u32,
}

impl<'a> Ticket<'a> {
    fn new(source: &'a Source) -> Self {
        Self { source, origin: Origin::of(source), lot: 0, turn: 0 }
    }

    fn has_introducer_of(&self, other: &Self) -> bool {
        self.source.introducer == other.source.introducer
    }
}

/// Numbers the tickets of every run of equals from zero, and gives all of them new lots: the first of many had the
/// least of many lots, and would win against the first of few.
fn count_turns(tickets: &mut [Ticket<'_>], rng: &mut impl Rng, same: impl Fn(&Ticket<'_>, &Ticket<'_>) -> bool) {
    for run in tickets.chunk_by_mut(same) {
        for (ticket, turn) in run.iter_mut().zip(0..) {
            (ticket.turn, ticket.lot) = (turn, rng.random());
        }
    }
}
