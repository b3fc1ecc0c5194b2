//! How one peer learns with others.
//!
//! A world has one recipe for all, and any peer may have one of its own, as nodes may: each pulls in its own codec, mixes by
//! its own rule and draws as many as it likes. A model is offered in the codec of its holder, and written anew for whoever
//! asks in another one. Mass travels only between two that mix by push-sum: whoever asks a holder without mass for some is
//! refused, and whoever asks a holder with mass for its model alone gets that. Pairs ([`Rule::Pair`]) meet only pairs.

use peerlearn_protocols::codec::{Codec, Rounding};
use peerlearn_protocols::mixing::Rule;
use peerlearn_protocols::round::RoundConfig;

/// What peers may differ in when they mix and exchange.
#[derive(Debug, Clone, PartialEq)]
pub struct Recipe {
    /// How it mixes.
    pub rule: Rule,
    /// How models travel to it, and in what form it holds its own ready.
    pub codec: Codec,
    /// How the codec rounds.
    pub rounding: Rounding,
    /// When it trains, pulls and mixes.
    pub round: RoundConfig,
}
