use peerlearn_testnet::data::data_dir;
use peerlearn_testnet::replications::{Report, Run, Scenario, find, folder};

/// Accuracy of the mean model in the last row of a rule under an attack.
fn last(report: &Report, rule: &str, attack: &str) -> Option<f64> {
    let row = report.rows.iter().rfind(|row| row[0] == rule && row[1] == attack)?;
    row[4].parse().ok()
}

#[test]
fn a_robust_rule_beats_the_mean_under_attack() {
    let data = match data_dir() {
        Ok(data) => data,
        Err(error) => return eprintln!("SKIPPED a_robust_rule_beats_the_mean_under_attack: {error}"),
    };
    let scenario = Scenario::read(&folder().join("byrdlab/scenario.toml"), true).unwrap();
    let report = (find("byrdlab").unwrap().run)(&Run { scenario, data, fast: true, only: vec![] }).unwrap();
    let of = |rule, attack| last(&report, rule, attack).unwrap();
    let (robust, mean) = (of("ios:4", "sign-flip"), of("metropolis", "sign-flip"));
    assert!(robust > mean + 0.2, "{}", report.markdown());
    assert!(of("metropolis", "none") > 0.5, "{}", report.markdown());
}
