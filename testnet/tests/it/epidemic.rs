//! Fresh draws against graphs.

use super::{fast, number};

#[test]
fn fresh_draws_learn_more_than_a_ring_from_the_same_bytes() {
    let Some(report) = fast("epidemic") else { return };
    let mean = |label| number(&report, &[label], "mean %");
    assert!(mean("fresh:4 f32") > mean("ring f32") + 1.0, "{}", report.markdown());
    assert!(mean("fresh:4 int8") > mean("fresh:1 f32"), "{}", report.markdown());
    assert!(mean("fresh:4 f32") > mean("everyone alone") + 20.0, "{}", report.markdown());
    let bytes: Vec<f64> = ["fresh:4 f32", "ring f32", "fresh:4 int8", "fresh:1 f32"]
        .map(|label| number(&report, &[label], "kB a peer"))
        .to_vec();
    assert!(bytes.iter().all(|kilobytes| (kilobytes / bytes[0] - 1.0).abs() < 0.05), "{bytes:?}");
}
