//! Whether two small samples differ by more than chance.

use statrs::function::beta::beta_reg;

/// What came of a test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Welch {
    /// Difference of means in units of its standard error.
    pub t: f64,
    /// Degrees of freedom.
    pub degrees: f64,
    /// How often chance alone makes a difference at least this large, if there is none.
    pub p: f64,
}

/// Welch's test of two means with unequal variances, two-sided. Nothing if a sample has fewer than two values or both
/// are constant: then there is no spread to measure the difference by.
///
/// Shapes: `a: [n]`, `b: [m]`.
///
/// Source: Welch, "The generalization of Student's problem when several different population variances are involved",
/// Biometrika 34 (1947).
///
/// ```
/// let test = peerlearn_testnet::compare::welch(&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0]).unwrap();
/// assert!((test.p - 0.0213).abs() < 1e-4);
/// ```
pub fn welch(a: &[f64], b: &[f64]) -> Option<Welch> {
    if a.len() < 2 || b.len() < 2 {
        return None;
    }
    let ([mean_a, deviation_a], [mean_b, deviation_b]) = (pair(a), pair(b));
    let (n, m) = (a.len() as f64, b.len() as f64);
    let (square_a, square_b) = (deviation_a.powi(2) / n, deviation_b.powi(2) / m);
    let error = square_a + square_b;
    // A spread below the precision of the numbers is none.
    let scale = mean_a.abs().max(mean_b.abs());
    if error.sqrt() <= scale * 1e-12 {
        return None;
    }
    let t = (mean_b - mean_a) / error.sqrt();
    let degrees = error.powi(2) / (square_a.powi(2) / (n - 1.0) + square_b.powi(2) / (m - 1.0));
    Some(Welch { t, degrees, p: two_sided(t, degrees) })
}

fn pair(values: &[f64]) -> [f64; 2] {
    crate::record::mean_and_deviation(values)
}

/// How often Student's t is at least this far from 0.
fn two_sided(t: f64, degrees: f64) -> f64 {
    beta_reg(degrees / 2.0, 0.5, degrees / (degrees + t * t)).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn students_t_has_the_values_of_printed_tables() {
        // Two-sided points of Student's t: one degree is arctangents, the others are the usual 5 % and 1 % columns.
        for (t, degrees, p) in [
            (1.0, 1.0, 0.5),
            (12.7062, 1.0, 0.05),
            (4.30265, 2.0, 0.05),
            (2.77645, 4.0, 0.05),
            (4.60409, 4.0, 0.01),
            (2.228139, 10.0, 0.05),
            (1.983972, 100.0, 0.05),
            (0.0, 7.0, 1.0),
        ] {
            let got = two_sided(t, degrees);
            assert!((got - p).abs() < 1e-5, "t {t}, {degrees} degrees: {got} instead of {p}");
        }
    }

    #[test]
    fn without_spread_there_is_no_test() {
        assert_eq!(welch(&[1.0], &[2.0, 3.0]), None);
        assert_eq!(welch(&[1.0, 1.0], &[2.0, 2.0]), None);
        assert_eq!(welch(&[0.0, 0.0], &[0.0, 0.0]), None);
    }

    #[test]
    fn the_order_of_runs_turns_the_sign_only() {
        let (a, b) = ([0.9, 0.91, 0.93], [0.95, 0.96, 0.94, 0.97]);
        let (one, other) = (welch(&a, &b).unwrap(), welch(&b, &a).unwrap());
        assert!(one.t > 0.0 && (one.t + other.t).abs() < 1e-12 && (one.p - other.p).abs() < 1e-12);
        assert!(one.p < 0.05 && one.p > 0.0);
    }
}
