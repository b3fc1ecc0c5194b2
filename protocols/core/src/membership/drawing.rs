//! Whom to draw, and which connections to keep.

use std::time::Duration;

use super::known::Known;
use super::output::Output;
use super::state::Base;
use crate::id::PeerId;
use crate::sampling::{Sampling, Source, draw_guarded_distinct};
use crate::time::Time;
use crate::token_bucket::TokenBucket;

/// Draws of peers without a connection in a burst, beyond the degree.
const FRESH: f64 = 2.0;
/// Such draws a second in the long run: the overlay stays a new one every minute, and few connections are made for it.
const FRESH_SUSTAINED: f64 = 0.5;
/// A connection that was of use within this time is not ended, unless there are far too many.
const IN_USE: Duration = Duration::from_secs(3);

/// As many draws of peers without a connection as there may be in a burst.
pub(super) fn fresh() -> TokenBucket {
    TokenBucket::full(Time::ZERO, FRESH)
}

impl Base {
    /// Everyone who can be reached, without those tried.
    pub(super) fn sources(&self, now: Time, tried: &[PeerId]) -> Vec<Source> {
        let reachable = |(peer, known): &(&PeerId, &Known)| {
            !tried.contains(peer) && (known.connected || (!known.addresses.is_empty() && known.dial_after <= now))
        };
        self.table.iter().filter(reachable).map(|(peer, known)| known.source(*peer)).collect()
    }

    /// Draws of these, as the sampling says. With as many connections as are wanted, of connected peers, and now and then of
    /// another: connections would else approach all pairs.
    pub(super) fn draw_of(&mut self, now: Time, sources: Vec<Source>, count: usize) -> Vec<PeerId> {
        let is_graph = matches!(self.config.sampling, Sampling::Graph(_));
        // Only graphs look at it.
        let everyone: Vec<PeerId> = if is_graph { self.table.keys().copied().collect() } else { Vec::new() };
        let bounded = matches!(self.config.sampling, Sampling::Guarded | Sampling::Uniform);
        if !bounded || self.connections() < self.config.degree {
            return self.draw_among(&sources, &everyone, count);
        }
        let is_up = |source: &Source| self.table.get(&source.peer).is_some_and(|known| known.connected);
        let (up, away): (Vec<Source>, Vec<Source>) = sources.into_iter().partition(is_up);
        let is_fresh = count > 0 && !away.is_empty() && self.fresh.spend(now, FRESH, FRESH_SUSTAINED);
        let mut drawn = if is_fresh { self.draw_among(&away, &everyone, 1) } else { Vec::new() };
        drawn.extend(self.draw_among(&up, &everyone, count - drawn.len()));
        drawn
    }

    fn draw_among(&mut self, sources: &[Source], everyone: &[PeerId], count: usize) -> Vec<PeerId> {
        match self.config.sampling {
            // Nobody is known twice, nor knows itself.
            Sampling::Guarded | Sampling::View { .. } => draw_guarded_distinct(sources, count, &mut self.rng),
            _ => self.config.sampling.draw(self.own, sources, everyone, self.published.round, count, &mut self.rng),
        }
    }

    /// Ends connections beyond the degree: those that were not of use for longest. One that is in use is ended only where there
    /// are half as many again.
    pub(super) fn trim(&self, now: Time, outputs: &mut Vec<Output>) {
        let (degree, up) = (self.config.degree, self.connections());
        if up <= degree || matches!(self.config.sampling, Sampling::Graph(_)) {
            return;
        }
        let mut connected: Vec<(Time, PeerId)> =
            self.table.iter().filter(|(_, known)| known.connected).map(|(peer, known)| (known.used, *peer)).collect();
        connected.sort_unstable();
        let (far, excess) = (up.saturating_sub(degree + degree / 2), up - degree);
        let ended = connected.into_iter().take(excess).enumerate();
        let ended = ended.filter(|(rank, (used, _))| *rank < far || now.since(*used) > IN_USE);
        outputs.extend(ended.map(|(_, (_, peer))| Output::HangUp { peer }));
    }
}
