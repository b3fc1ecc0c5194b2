//! Prints the errors of the network-wide estimates as Markdown tables, over network sizes and seeds:
//! `cargo run --release -p peerlearn-protocols --example estimate_error`.

use peerlearn_protocols::estimate::trial::{
    Situation, disagreement_error, rounds_to_settle, size_error, size_with_byzantine_peer, verdicts,
};
use peerlearn_protocols::estimate::{DEFAULT_VALUES, EstimateError, MAX_VALUES, VerdictConfig};

/// Network sizes and how many seeds each is run with.
const SIZES: [(usize, u64); 4] = [(10, 100), (100, 100), (1000, 30), (10_000, 10)];

fn main() -> Result<(), EstimateError> {
    size()?;
    byzantine()?;
    disagreement();
    verdict()
}

fn root_mean_square(values: &[f64]) -> f64 {
    (values.iter().map(|value| value * value).sum::<f64>() / values.len() as f64).sqrt()
}

fn size() -> Result<(), EstimateError> {
    println!("| peers | seeds | size, 64 values | largest | size, 256 values | largest | rounds to settle |");
    println!("|---|---|---|---|---|---|---|");
    for (peers, seeds) in SIZES {
        let errors = |values| (0..seeds).map(|seed| size_error(peers, values, seed)).collect::<Result<Vec<_>, _>>();
        let (few, many) = (errors(DEFAULT_VALUES)?, errors(MAX_VALUES)?);
        let largest = |errors: &[f64]| errors.iter().fold(0.0_f64, |most, error| most.max(error.abs()));
        let settle = (0..seeds.min(10)).map(|seed| rounds_to_settle(peers, DEFAULT_VALUES, seed));
        let settle = settle.collect::<Result<Vec<_>, _>>()?.into_iter().max().unwrap_or(0);
        println!(
            "| {peers} | {seeds} | {:.1} % | {:.1} % | {:.1} % | {:.1} % | {settle} |",
            100.0 * root_mean_square(&few),
            100.0 * largest(&few),
            100.0 * root_mean_square(&many),
            100.0 * largest(&many),
        );
    }
    println!("\nExpected: 12.7 % with 64 values, 6.3 % with 256.\n");
    Ok(())
}

fn byzantine() -> Result<(), EstimateError> {
    println!("| peers, one lying | mean estimate after 128 rounds | largest |\n|---|---|---|");
    for (peers, _) in &SIZES[..3] {
        let all: Vec<f64> = size_with_byzantine_peer(*peers, 128, 1)?.iter().map(|estimate| estimate.peers).collect();
        let mean = all.iter().sum::<f64>() / all.len() as f64;
        println!("| {peers} | {mean:.1} | {:.1} |", all.iter().fold(0.0_f64, |most, one| most.max(*one)));
    }
    println!();
    Ok(())
}

fn disagreement() {
    println!("| peers | parameters | seeds | alone | shared | shared, one lying |\n|---|---|---|---|---|---|");
    for (peers, seeds) in SIZES {
        for parameters in [1, 32, 256] {
            let seeds = if peers > 1000 { 2 } else { seeds.min(10) };
            let run = |lies| move |seed| disagreement_error(peers, parameters, 60, lies, seed);
            let (plain, lied): (Vec<_>, Vec<_>) = (0..seeds).map(|seed| (run(false)(seed), run(true)(seed))).unzip();
            let alone: Vec<f64> = plain.iter().map(|error| error.alone).collect();
            let shared: Vec<f64> = plain.iter().map(|error| error.shared).collect();
            let lied: Vec<f64> = lied.iter().map(|error| error.shared).collect();
            let [alone, shared, lied] = [alone, shared, lied].map(|errors| 100.0 * root_mean_square(&errors));
            println!("| {peers} | {parameters} | {seeds} | {alone:.1} % | {shared:.1} % | {lied:.1} % |");
        }
    }
    println!();
}

fn verdict() -> Result<(), EstimateError> {
    let narrow = VerdictConfig { draws: 32, share: 0.15, ..VerdictConfig::default() };
    let scenes = [
        (Situation::Noise(0.002), 0..40),
        (Situation::Noise(0.002), 100..300),
        (Situation::Noise(0.05), 100..300),
        (Situation::HeavyTails, 100..300),
        (Situation::Byzantine, 100..300),
        (Situation::Drop, 60..140),
        (Situation::Drop, 200..300),
        (Situation::Split(0.5), 100..300),
        (Situation::Split(0.1), 100..300),
        (Situation::SplitByzantine, 100..300),
    ];
    println!(
        "| situation, 60 peers | rounds | converged | moving | split | split with 32 draws, 15 % |\n|---|---|---|---|---|---|"
    );
    for (situation, rounds) in scenes {
        let run = |config| verdicts(situation, 60, rounds.clone(), config, 1);
        let (shares, narrow) = (run(VerdictConfig::default())?, run(narrow)?);
        let [converged, moving, split, narrow] =
            [shares.converged, shares.moving, shares.split, narrow.split].map(|share| 100.0 * share);
        println!("| {situation:?} | {rounds:?} | {converged:.1} % | {moving:.1} % | {split:.1} % | {narrow:.1} % |");
    }
    Ok(())
}
