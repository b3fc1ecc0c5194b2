//! Rules against attacks.

use super::{fast, number};

#[test]
fn robust_rules_hold_where_the_mean_falls_and_guarded_draws_see_through_sybils() {
    let Some(report) = fast("robustness") else { return };
    let mean = |rule, attack| number(&report, &["IID", rule, attack], "mean %");
    assert!(mean("uniform", "none") > 80.0, "{}", report.markdown());
    for rule in ["median", "ios:2"] {
        assert!(mean(rule, "sign-flip") > mean("uniform", "sign-flip") + 5.0, "{rule}: {}", report.markdown());
    }
    assert!(mean("ios:2", "label-flip x 10 guarded") > mean("ios:2", "label-flip x 10") + 5.0, "{}", report.markdown());
}
