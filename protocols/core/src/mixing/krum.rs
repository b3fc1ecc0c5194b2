//! Multi-Krum (Blanchard et al. 2017, "Machine Learning with Adversaries", section 4 and the variant of section 5).

use super::{MixContext, Mixing, Needs, Plan, Refused};

/// A candidate's score is the sum of squared distances to its m - b - 2 nearest among all m models of the merge, the
/// own one included; the n - b candidates of least score are averaged with the own model, all alike.
///
/// Krum proper keeps only the best; on data that differ from peer to peer that loses what the others know, so the own
/// model always stays and as many as are assumed honest are taken.
pub(super) struct MultiKrum {
    pub b: usize,
}

impl Mixing for MultiKrum {
    fn needs(&self) -> Needs {
        Needs::Pairs
    }

    fn plan(&self, context: &MixContext<'_>) -> Plan {
        let got = context.candidates.len();
        // With m = n + 1 models, m - b - 2 >= 1 neighbours, and more honest than Byzantine peers.
        let need = (self.b + 2).max(2 * self.b + 1);
        if got < need {
            return Plan::Weighted(vec![Err(Refused::TooFew { got, need }); got]);
        }
        let neighbours = got + 1 - self.b - 2;
        let measurable = context.measurable();
        let mut ranked: Vec<(f64, usize)> =
            measurable.iter().map(|&index| (score(context, index, &measurable, neighbours), index)).collect();
        ranked.sort_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
        let kept: Vec<usize> = ranked.iter().take(got - self.b).map(|(_, index)| *index).collect();
        let weight = 1.0 / (kept.len() as f32 + 1.0);
        let verdict = |index| if kept.contains(&index) { Ok(weight) } else { Err(Refused::Outlier) };
        Plan::Weighted((0..got).map(verdict).collect())
    }
}

fn score(context: &MixContext<'_>, index: usize, measurable: &[usize], neighbours: usize) -> f64 {
    let others = measurable.iter().filter(|&&other| other != index).map(|&other| context.apart(index, other));
    let mut distances: Vec<f64> = others.chain([context.product(index, index)]).collect();
    distances.sort_by(f64::total_cmp);
    distances.iter().take(neighbours).sum()
}
