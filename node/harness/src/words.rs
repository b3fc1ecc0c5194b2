//! A measurement in words for people: one place, so that status, rounds, tables and views say the same.

use peerlearn::learner::Evaluation;

/// A measurement in a few words: `94.1 % (balanced 88.0, macro-F1 87.5)`, or for numbers
/// `RMSE 3.21, MAE 2.17, R2 0.87`. Accuracy never stands alone where more was measured.
///
/// ```
/// use peerlearn_harness::scores;
/// use peerlearn::learner::Evaluation;
///
/// let found = Evaluation { balanced: Some(0.5), macro_f1: Some(0.497), ..Evaluation::new(0.1, 0.99, 100) };
/// assert_eq!(scores(&found), "99.0 % (balanced 50.0, macro-F1 49.7)");
/// ```
pub fn scores(found: &Evaluation) -> String {
    if found.is_of_numbers() {
        return errors(found);
    }
    let accuracy = format!("{:.1} %", found.accuracy * 100.0);
    let more = [("balanced", found.balanced), ("macro-F1", found.macro_f1)];
    let more: Vec<String> =
        more.iter().filter_map(|(name, score)| Some(format!("{name} {:.1}", (*score)? * 100.0))).collect();
    if more.is_empty() { accuracy } else { format!("{accuracy} ({})", more.join(", ")) }
}

/// The shortest form: accuracy with balanced accuracy behind a slash, or R2.
pub fn brief_scores(accuracy: f32, balanced: Option<f32>, is_of_numbers: bool) -> String {
    match (is_of_numbers, balanced) {
        (true, _) => format!("R2 {accuracy:.3}"),
        (false, Some(balanced)) => format!("{:.1} % (balanced {:.1})", accuracy * 100.0, balanced * 100.0),
        (false, None) => format!("{:.1} %", accuracy * 100.0),
    }
}

fn errors(found: &Evaluation) -> String {
    let named = [("RMSE", found.rmse.map(significant)), ("MAE", found.mae.map(significant))];
    let named = named.into_iter().chain([("R2", found.r2.map(|r2| format!("{r2:.3}")))]);
    let named: Vec<String> = named.filter_map(|(name, value)| Some(format!("{name} {}", value?))).collect();
    named.join(", ")
}

/// A number with four digits that count, without an exponent as long as it is readable so.
///
/// ```
/// use peerlearn_harness::significant;
/// let words: Vec<String> = [0.0, 0.012_342, 3.141_59, 2718.28, 123_456.0, 1e-9].into_iter().map(significant).collect();
/// assert_eq!(words, ["0", "0.01234", "3.142", "2718", "123456", "1.000e-9"]);
/// ```
pub fn significant(value: f32) -> String {
    let size = value.abs();
    match size {
        0.0 => "0".to_owned(),
        _ if !size.is_finite() || !(1e-4..1e9).contains(&size) => format!("{value:.3e}"),
        _ => {
            let decimals = (3 - size.log10().floor() as i32).max(0) as usize;
            format!("{value:.decimals$}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measurement_says_what_it_has() {
        assert_eq!(scores(&Evaluation::new(0.5, 0.94123, 10)), "94.1 %");
        let numbers = Evaluation { rmse: Some(3.2149), mae: Some(0.5), ..Evaluation::new(0.5, 0.0, 10) };
        assert_eq!(scores(&numbers), "RMSE 3.215, MAE 0.5000");
        assert_eq!(scores(&Evaluation { r2: Some(-0.25), ..numbers }), "RMSE 3.215, MAE 0.5000, R2 -0.250");
        assert_eq!(brief_scores(0.9, Some(0.5), false), "90.0 % (balanced 50.0)");
        assert_eq!(brief_scores(0.9, None, true), "R2 0.900");
        assert_eq!(significant(f32::NAN), "NaN");
    }
}
