//! Runs on disk are compared, and the words say no more than the numbers.

use super::*;
use crate::record::{NetworkRow, RunInfo, RunOutcome, RunWriter, Standings};

/// A run whose seeds reached these accuracies.
fn run(directory: &Path, worst: &[f64]) -> PathBuf {
    let seeds = (0..worst.len() as u64).collect();
    let writer = RunWriter::create(directory, &RunInfo { seeds, ..RunInfo::default() }, "").unwrap();
    let mut outcomes = Vec::new();
    for (number, worst) in worst.iter().enumerate() {
        let mut seed = writer.seed(number as u64).unwrap();
        for (t_ms, part) in [(0, 0.2), (500, 0.8), (1000, 1.0)] {
            let worst = Some(worst * part);
            seed.network(NetworkRow { t_ms, worst, bytes_in: t_ms * 10, ..NetworkRow::default() }).unwrap();
        }
        let outcome = Standings::default().outcome(true, "done");
        let outcome = crate::record::Outcome { worst: *worst, seconds: 1.0, ..outcome };
        seed.finish(&outcome).unwrap();
        outcomes.push(outcome);
    }
    writer.finish(&RunOutcome::new(&outcomes, Vec::new())).unwrap();
    directory.to_owned()
}

fn verdict(comparison: &Comparison, metric: &str) -> String {
    comparison.verdicts.iter().find(|verdict| verdict.starts_with(metric)).cloned().unwrap_or_default()
}

#[test]
fn a_clear_difference_is_more_than_chance_and_a_small_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let a = run(&folder.path().join("a"), &[0.80, 0.81, 0.82, 0.80, 0.81]);
    let b = run(&folder.path().join("b"), &[0.90, 0.91, 0.92, 0.90, 0.91]);
    let c = run(&folder.path().join("c"), &[0.80, 0.83, 0.81, 0.79, 0.82]);
    let clear = compare(&[a.clone(), b]).unwrap();
    let words = verdict(&clear, "accuracy of the worst peer");
    assert!(words.contains("b is higher by 10.00 points than a, and this is more than chance"), "{words}");
    let small = compare(&[a, c]).unwrap();
    let words = verdict(&small, "accuracy of the worst peer");
    assert!(words.contains("may be chance (p = 0."), "{words}");
    assert!(verdict(&small, "time: ").contains("the same in every seed"));
}

#[test]
fn costs_are_compared_where_every_seed_got() {
    let folder = tempfile::tempdir().unwrap();
    let a = run(&folder.path().join("a"), &[0.96, 0.97]);
    let b = run(&folder.path().join("b"), &[0.91, 0.99]);
    let comparison = compare(&[a, b]).unwrap();
    let row = comparison.metrics.iter().find(|row| row.name == "bytes until the worst peer had 90 %").unwrap();
    assert_eq!(row.runs[0].values, [10_000.0, 10_000.0]);
}

#[test]
fn one_seed_says_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let a = run(&folder.path().join("a"), &[0.8]);
    let b = run(&folder.path().join("b"), &[0.9, 0.9]);
    let comparison = compare(&[a, b]).unwrap();
    assert_eq!(comparison.verdicts.len(), 1);
    assert!(comparison.verdicts[0].contains("nothing can be said"));
    let text = comparison.text();
    assert!(text.contains("80.00 %") && text.contains("90.00 % ± 0 points"), "{text}");
    assert!(comparison.page().contains("\"mean_and_deviation\":[0.9,0.0]"));
}

#[test]
fn runs_of_one_name_are_told_apart_by_their_path() {
    let paths = [PathBuf::from("x/run"), PathBuf::from("y/run"), PathBuf::from("y/other")];
    assert_eq!(labels(&paths), ["x/run", "y/run", "other"]);
}
