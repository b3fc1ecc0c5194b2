//! Speed-normalised contribution: peers that take more steps a round do not pull the network toward their own data.
//!
//! FedNova (Wang et al. 2020, "Tackling the Objective Inconsistency Problem", equation 9 and section 4.2) divides the
//! change of each round by a(tau) = (tau - rho (1 - rho^tau) / (1 - rho)) / (1 - rho), the effective number of steps of
//! tau steps with momentum rho, and multiplies by one common number. Without a server the common number cannot be an
//! average over those who take part, so it is a(reference) for a number of steps that all peers of a network set alike;
//! each peer scales its own change before it publishes, and nobody has to trust a claim.

/// Effective steps of `steps` steps with momentum `momentum` (below 1): `steps` itself without momentum.
pub fn effective_steps(steps: u32, momentum: f32) -> f64 {
    let (tau, rho) = (f64::from(steps), f64::from(momentum));
    (tau - rho * (1.0 - rho.powf(tau)) / (1.0 - rho)) / (1.0 - rho)
}

/// The factor by which [`normalise`] scales a change: a(reference) / a(steps), at most [`MOST_STRETCH`]; 1 without
/// steps or reference.
pub fn stretch(steps: u32, reference: u32, momentum: f32) -> f64 {
    if steps == 0 || reference == 0 {
        return 1.0;
    }
    (effective_steps(reference, momentum) / effective_steps(steps, momentum)).min(MOST_STRETCH)
}

/// Scales the change since `start` as if `reference` steps had been taken instead of `steps`.
///
/// Shapes: `params`, `start`: `[parameters]`. No steps, or a reference of 0, change nothing. Extrapolates when fewer
/// steps were taken than the reference; by at most [`MOST_STRETCH`].
pub fn normalise(params: &mut [f32], start: &[f32], steps: u32, reference: u32, momentum: f32) {
    if steps == 0 || reference == 0 || steps == reference {
        return;
    }
    let factor = stretch(steps, reference, momentum) as f32;
    for (value, start) in params.iter_mut().zip(start) {
        let scaled = start + factor * (*value - start);
        *value = if scaled.is_finite() { scaled } else { *value };
    }
}

/// A change is stretched at most this far: beyond it, a straight line says little about where more steps would have
/// led.
pub const MOST_STRETCH: f64 = 4.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_momentum_effective_steps_are_steps() {
        assert_eq!([1, 7].map(|steps| effective_steps(steps, 0.0)), [1.0, 7.0]);
        // By hand for two steps with momentum 0.5: the first counts 1 + 0.5, the second 1.
        assert!((effective_steps(2, 0.5) - 2.5).abs() < 1e-12);
    }

    #[test]
    fn the_change_is_scaled_and_bounded() {
        let mut params = [3.0, -1.0];
        normalise(&mut params, &[1.0, 1.0], 10, 5, 0.0);
        assert_eq!(params, [2.0, 0.0]);
        normalise(&mut params, &[1.0, 1.0], 1, 1000, 0.0);
        assert_eq!(params, [5.0, -3.0], "four times, not a thousand");
        for (steps, reference) in [(0, 5), (5, 0), (5, 5)] {
            normalise(&mut params, &[1.0, 1.0], steps, reference, 0.9);
            assert_eq!(params, [5.0, -3.0]);
        }
        let mut params = [f32::MAX];
        normalise(&mut params, &[-1.0], 1, 4, 0.0);
        assert_eq!(params, [f32::MAX]);
    }

    /// Two peers with losses (x - a)^2 / 2 around 0 and 2 that mix exactly; one takes ten times the steps. Plainly they
    /// meet far on its side; normalised they meet near the middle.
    #[test]
    fn a_fast_peer_does_not_win() {
        let meet = |reference: u32| {
            let mut x = 0.0f32;
            for _ in 0..4000 {
                let mut models = [x, x];
                for (model, (optimum, steps)) in models.iter_mut().zip([(0.0, 2), (2.0, 20)]) {
                    for _ in 0..steps {
                        *model -= 0.002 * (*model - optimum);
                    }
                    let mut scaled = [*model];
                    normalise(&mut scaled, &[x], steps, reference, 0.0);
                    *model = scaled[0];
                }
                x = (models[0] + models[1]) / 2.0;
            }
            x
        };
        assert!(meet(0) > 1.75, "{}", meet(0));
        assert!((meet(5) - 1.0).abs() < 0.03, "{}", meet(5));
    }
}
