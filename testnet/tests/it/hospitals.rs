//! Four hospitals.

use super::{fast, number};

#[test]
fn hospitals_together_know_more_than_alone_and_no_less_than_with_a_server() {
    let Some(report) = fast("hospitals") else { return };
    let pooled = |label: &str| number(&report, &[label, "here"], "pooled test");
    let mean = |label: &str| number(&report, &[label, "here"], "mean of hospitals");
    let peers = "peers, 2 fresh draws, by rows with our cap, outer Nesterov";
    assert!((pooled("pooled training") - 0.795).abs() < 0.015, "{}", report.markdown());
    assert!((pooled("FedAvg100") - 0.748).abs() < 0.06, "{}", report.markdown());
    assert!(pooled(peers) > pooled("pooled training") - 0.02, "{}", report.markdown());
    let alone = (0..4).map(|hospital| mean(&format!("local {hospital}"))).sum::<f64>() / 4.0;
    assert!(mean(peers) > alone + 0.05, "alone {alone}\n{}", report.markdown());
    assert!(mean("peers, 2 fresh draws, outer Nesterov") > mean("peers, 2 fresh draws"), "{}", report.markdown());
}
