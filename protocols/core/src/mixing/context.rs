//! What a rule may look at.

use super::Meta;
use super::distances::Distances;

/// What a rule looks at beyond claims; each includes the ones before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Needs {
    /// Claims alone.
    Nothing,
    /// Distances from the own model. One pass over every model.
    Distances,
    /// Distances between candidates too. The same pass, n² / 2 products a parameter.
    Pairs,
    /// Distances from the own model, and losses on own rows. One decoded model and one evaluation a candidate.
    Losses,
}

/// One merge, as a rule sees it.
#[derive(Debug)]
pub struct MixContext<'a> {
    /// Claims of the own model.
    pub own: Meta,
    /// Rounds this peer has closed.
    pub round: u64,
    /// Claims of the candidates.
    pub candidates: &'a [Meta],
    /// Geometry, where it was asked for.
    pub(super) distances: Distances,
    /// Loss of the own model on own rows, then of every candidate, where it was asked for and can be had.
    pub losses: Vec<f32>,
}

impl MixContext<'_> {
    /// The weight of a candidate when nothing speaks against it: that of the graph, or one share of all.
    ///
    /// On a graph a weight is what the receiver's own copy of the graph says, never what the candidate claims.
    pub fn share(&self, index: usize) -> f32 {
        let link = self.candidates[index].link;
        if link > 0.0 { link.min(1.0) } else { 1.0 / (self.candidates.len() as f32 + 1.0) }
    }

    /// Euclidean distance of a candidate from the own model; infinite where it is too large to measure.
    pub fn distance(&self, index: usize) -> f64 {
        self.distances.squared(index, index).sqrt()
    }

    /// Euclidean norm of the own model.
    pub fn own_norm(&self) -> f64 {
        self.distances.own_squared.sqrt()
    }

    /// Inner product of the differences of two candidates from the own model. Needs [`Needs::Pairs`].
    pub fn product(&self, one: usize, other: usize) -> f64 {
        self.distances.squared(one, other)
    }

    /// Squared distance of two candidates. Needs [`Needs::Pairs`].
    pub fn apart(&self, one: usize, other: usize) -> f64 {
        (self.product(one, one) + self.product(other, other) - 2.0 * self.product(one, other)).max(0.0)
    }

    /// Indices of the candidates whose distance can be measured.
    pub fn measurable(&self) -> Vec<usize> {
        (0..self.candidates.len()).filter(|&index| self.distance(index).is_finite()).collect()
    }
}
