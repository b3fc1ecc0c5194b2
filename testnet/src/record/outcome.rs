//! What came of a seed, and of all seeds together.

use serde::{Deserialize, Serialize};

/// Watts that one busy core is taken to draw. A guess: a desktop processor of 65 W with eight cores draws 8 W a core,
/// an old server more, a phone 1 W. Nothing is measured; all watt hours scale with it.
pub const WATTS_OF_A_BUSY_CORE: f64 = 10.0;

/// An estimate of the energy that went into some CPU time, in watt hours; memory, disks and networks are not in it.
///
/// ```
/// assert_eq!(peerlearn_testnet::record::watt_hours(360.0), 1.0);
/// ```
pub fn watt_hours(cpu_s: f64) -> f64 {
    cpu_s * WATTS_OF_A_BUSY_CORE / 3600.0
}

/// What came of one seed; `seed-N/outcome.json`. Accuracies are fractions over honest peers that were up at the end, 0
/// where nothing was measured.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Outcome {
    /// Whether it ran to its end.
    pub finished: bool,
    /// Why it ended, in words.
    pub reason: String,
    /// Seconds it took; virtual ones in the simulator.
    pub seconds: f64,
    /// Accuracy of the worst peer.
    pub worst: f64,
    /// Mean accuracy.
    pub mean: f64,
    /// Accuracy of the best peer.
    pub best: f64,
    /// Mean accuracy of the worst tenth of the peers, at least one.
    pub worst_tenth: f64,
    /// Worst, mean and best balanced accuracy, where known.
    #[serde(default)]
    pub balanced: Option<[f64; 3]>,
    /// Root mean square distance of the models to their mean, where known.
    pub disagreement: Option<f64>,
    /// Rounds of the slowest peer.
    pub rounds_min: u64,
    /// Bytes received by all peers.
    pub bytes_in: u64,
    /// Bytes sent by all peers.
    pub bytes_out: u64,
    /// CPU seconds of all peers.
    pub cpu_s: f64,
    /// Estimated energy; see [`watt_hours`].
    pub watt_hours: f64,
    /// Most resident memory of all peers at one time, megabytes, where known.
    pub peak_rss_mb: Option<f64>,
    /// What the same model reaches without the others, where that was asked for.
    #[serde(default)]
    pub baselines: Option<BaselineOutcome>,
    /// Each peer, attackers too.
    pub peers: Vec<PeerOutcome>,
}

/// The same model, trained by the same recipe without others, for as many rounds; measured on the rows of each peer.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct BaselineOutcome {
    /// Worst of those trained alone on the rows of one honest peer.
    pub alone_worst: f64,
    /// Their mean.
    pub alone_mean: f64,
    /// The best of them.
    pub alone_best: f64,
    /// Trained on all rows in one place.
    pub pooled: f64,
}

/// What came of one peer.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PeerOutcome {
    /// Its name.
    pub name: String,
    /// Its group.
    pub group: String,
    /// What it did to harm others.
    pub attack: Option<String>,
    /// Whether it was up at the end.
    pub up: bool,
    /// Its last accuracy: on the shared test rows, or on its own rows where there are no shared ones.
    pub accuracy: Option<f64>,
    /// Its last balanced accuracy, on the same rows: the mean recall of the classes.
    #[serde(default)]
    pub balanced: Option<f64>,
    /// Rounds it closed.
    pub rounds: u64,
    /// Bytes it received.
    pub bytes_in: u64,
    /// Bytes it sent.
    pub bytes_out: u64,
    /// CPU seconds it used.
    pub cpu_s: f64,
}

/// Something the scenario wants, and whether it came true.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Expectation {
    /// What is wanted, as a sentence.
    pub words: String,
    /// Whether it came true.
    pub passed: bool,
    /// What was measured.
    pub measured: String,
}

/// What came of all seeds; `outcome.json`. Pairs are mean and standard deviation over seeds.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct RunOutcome {
    /// Whether all expectations came true and all seeds ran to their end.
    pub passed: bool,
    /// What the scenario wanted.
    pub expectations: Vec<Expectation>,
    /// Accuracy of the worst peer.
    pub worst: [f64; 2],
    /// Mean accuracy.
    pub mean: [f64; 2],
    /// Accuracy of the best peer.
    pub best: [f64; 2],
    /// Mean accuracy of the worst tenth.
    pub worst_tenth: [f64; 2],
    /// Worst, mean and best balanced accuracy, where all seeds know it.
    #[serde(default)]
    pub balanced: Option<[[f64; 2]; 3]>,
    /// Disagreement, where all seeds know it.
    pub disagreement: Option<[f64; 2]>,
    /// Rounds of the slowest peer.
    pub rounds_min: [f64; 2],
    /// Seconds.
    pub seconds: [f64; 2],
    /// Bytes received.
    pub bytes_in: [f64; 2],
    /// Bytes sent.
    pub bytes_out: [f64; 2],
    /// CPU seconds.
    pub cpu_s: [f64; 2],
    /// Estimated watt hours.
    pub watt_hours: [f64; 2],
    /// Worst, mean and best of those trained alone, then all rows pooled; where all seeds know them.
    #[serde(default)]
    pub baselines: Option<[[f64; 2]; 4]>,
}

impl RunOutcome {
    /// Of the seeds that were run and of what was wanted.
    pub fn new(seeds: &[Outcome], expectations: Vec<Expectation>) -> Self {
        let over = |pick: fn(&Outcome) -> f64| mean_and_deviation(&seeds.iter().map(pick).collect::<Vec<_>>());
        let baselines: Option<Vec<BaselineOutcome>> = seeds.iter().map(|seed| seed.baselines).collect();
        let baselines = baselines.filter(|all| !all.is_empty()).map(|all| {
            let over =
                |pick: fn(&BaselineOutcome) -> f64| mean_and_deviation(&all.iter().map(pick).collect::<Vec<_>>());
            [
                over(|one| one.alone_worst),
                over(|one| one.alone_mean),
                over(|one| one.alone_best),
                over(|one| one.pooled),
            ]
        });
        let balanced: Option<Vec<[f64; 3]>> = seeds.iter().map(|seed| seed.balanced).collect();
        let balanced = balanced.filter(|all| !all.is_empty()).map(|all| {
            std::array::from_fn(|at| mean_and_deviation(&all.iter().map(|one| one[at]).collect::<Vec<_>>()))
        });
        let disagreements: Option<Vec<f64>> = seeds.iter().map(|seed| seed.disagreement).collect();
        Self {
            passed: seeds.iter().all(|seed| seed.finished) && expectations.iter().all(|wanted| wanted.passed),
            expectations,
            worst: over(|seed| seed.worst),
            mean: over(|seed| seed.mean),
            best: over(|seed| seed.best),
            worst_tenth: over(|seed| seed.worst_tenth),
            balanced,
            disagreement: disagreements.filter(|all| !all.is_empty()).map(|all| mean_and_deviation(&all)),
            rounds_min: over(|seed| seed.rounds_min as f64),
            seconds: over(|seed| seed.seconds),
            bytes_in: over(|seed| seed.bytes_in as f64),
            bytes_out: over(|seed| seed.bytes_out as f64),
            cpu_s: over(|seed| seed.cpu_s),
            watt_hours: over(|seed| seed.watt_hours),
            baselines,
        }
    }
}

/// Mean and sample standard deviation (divided by n - 1); the deviation of one value is 0, and of none both are.
///
/// Shapes: `values: [n]`.
///
/// ```
/// assert_eq!(peerlearn_testnet::record::mean_and_deviation(&[1.0, 2.0, 3.0]), [2.0, 1.0]);
/// ```
pub fn mean_and_deviation(values: &[f64]) -> [f64; 2] {
    let count = values.len() as f64;
    if values.is_empty() {
        return [0.0, 0.0];
    }
    let mean = values.iter().sum::<f64>() / count;
    if values.len() == 1 {
        return [mean, 0.0];
    }
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    [mean, (squares / (count - 1.0)).sqrt()]
}
