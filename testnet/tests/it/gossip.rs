//! Pushed and pulled models.

use super::{fast, number};

#[test]
fn pushes_learn_what_gossipy_says_and_pulls_no_less() {
    let Some(report) = fast("gossip-learning") else { return };
    let at = |experiment, who, round: u64| number(&report, &[experiment, who], &format!("round {round}"));
    let (pushes, pulls) = ("its pushes, here", "we pull 4, int8");
    for experiment in ["Spambase, rate 1", "Spambase, rate 0.1, one class a node"] {
        let (theirs, pushed) = (at(experiment, "gossipy", 50), at(experiment, pushes, 50));
        assert!((theirs - pushed).abs() < 0.05, "{}", report.markdown());
        assert!(at(experiment, pulls, 50) > pushed.max(0.85) - 0.02, "{}", report.markdown());
    }
    // Under churn, limited merging is what brings pushes forward.
    let (plain, limited) = ("Spambase, rate 0.1, churn", "Spambase, rate 1, limited merge, churn");
    assert!(at(limited, pushes, 20) > at(plain, pushes, 20) + 0.05, "{}", report.markdown());
}
