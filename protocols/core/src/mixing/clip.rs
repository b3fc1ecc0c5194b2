//! Self-centred clipping (He, Karimireddy, Jaggi 2022, "Byzantine-Robust Decentralized Learning via ClippedGossip",
//! equation 3): x <- x + sum w_j clip(x_j - x, tau), clip(v, tau) = v min(1, tau / |v|).

use super::{MixContext, Mixing, Needs, Plan, Refused};

/// Clipping is a weighted mean with weights w_j min(1, tau / |x_j - x|).
///
/// tau is a distance between models: it depends on step size, steps and size of the model. Without one, tau is the
/// median distance of the candidates, so that the farther half is clipped and, with less than half Byzantine peers, a
/// Byzantine peer moves the own model no farther than some honest peer does. (The paper's adaptive rule, section 5,
/// weighs honest distances by an oracle that knows them.)
pub(super) struct Clip {
    pub radius: Option<f32>,
}

impl Mixing for Clip {
    fn needs(&self) -> Needs {
        Needs::Distances
    }

    fn plan(&self, context: &MixContext<'_>) -> Plan {
        let radius = self.radius.map_or_else(|| median_distance(context), f64::from);
        let verdict = |index| {
            let distance = context.distance(index);
            if !distance.is_finite() {
                return Err(Refused::Far { distance, most: radius });
            }
            let kept = if distance > radius { radius / distance } else { 1.0 };
            Ok((f64::from(context.share(index)) * kept) as f32)
        };
        Plan::Weighted((0..context.candidates.len()).map(verdict).collect())
    }
}

/// The lower median, those too far to measure included: when they are the majority, nothing is taken.
fn median_distance(context: &MixContext<'_>) -> f64 {
    let mut distances: Vec<f64> = (0..context.candidates.len()).map(|index| context.distance(index)).collect();
    distances.sort_by(f64::total_cmp);
    let middle = distances.get(distances.len().saturating_sub(1) / 2).copied().unwrap_or(0.0);
    if middle.is_finite() { middle } else { 0.0 }
}
