//! Runs side by side: one table for a terminal, one page with the curves over each other, and in plain words what
//! chance alone could have done.

mod metrics;
mod significance;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use serde::Serialize;

pub use metrics::{Metric, Unit, Values};
pub use significance::{Welch, welch};

use crate::record::{RecordError, RunInfo, RunRecord, mean_and_deviation, read_run};
use crate::report::{NetworkColumns, Page, Thinning, render};

/// What a reader of verdicts has to know.
const METHOD: &str = "Differences are tested with Welch's t-test over the outcomes of the seeds, two-sided, and called more \
    than chance below p = 0.05. With many rows one in twenty seems to be more than chance by accident. Two seeds a run see only \
    large differences; five or more are better. Seeds that were cut do not count where others finished.";

/// Several runs side by side.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The runs; the first is what the others are compared with.
    pub runs: Vec<ComparedRun>,
    /// What is compared, a row each.
    pub metrics: Vec<Metric>,
    /// Sentences on what is more than chance.
    pub verdicts: Vec<String>,
    /// How the sentences were found.
    pub method: String,
}

/// One run of a comparison.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ComparedRun {
    /// What it is called here.
    pub label: String,
    /// Where it is.
    pub directory: String,
    /// What was run.
    pub info: RunInfo,
    /// Whether it was cut.
    pub cut: bool,
    /// Peers of its first seed.
    pub peers: usize,
    /// Mean over seeds of the accuracy of the worst peer.
    pub worst: f64,
    /// Curves of the seeds.
    pub seeds: Vec<ComparedSeed>,
}

/// The curves of one seed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ComparedSeed {
    /// The seed.
    pub seed: u64,
    /// The whole network over time.
    pub network: NetworkColumns,
}

/// Reads runs and compares all with the first.
///
/// # Errors
/// A run cannot be read.
pub fn compare(directories: &[PathBuf]) -> Result<Comparison, RecordError> {
    let runs = directories.iter().map(|directory| read_run(directory)).collect::<Result<Vec<_>, _>>()?;
    let labels = labels(directories);
    let metrics = metrics::metrics(&runs);
    let verdicts = verdicts(&labels, &metrics);
    let thinning = Thinning::page(runs.iter().map(|run| run.seeds.len()).sum());
    let runs = runs.iter().zip(labels).map(|(run, label)| compared(run, label, &thinning)).collect();
    Ok(Comparison { runs, metrics, verdicts, method: METHOD.to_owned() })
}

fn compared(run: &RunRecord, label: String, thinning: &Thinning) -> ComparedRun {
    let worst: Vec<f64> = run.seeds.iter().map(|seed| seed.outcome().worst).collect();
    let columns = |rows| NetworkColumns::new(rows, thinning.samples);
    ComparedRun {
        label,
        directory: run.directory.display().to_string(),
        info: run.info.clone(),
        cut: run.is_cut(),
        peers: run.seeds.first().map_or(0, |seed| seed.peers.len()),
        worst: mean_and_deviation(&worst)[0],
        seeds: run.seeds.iter().map(|seed| ComparedSeed { seed: seed.seed, network: columns(&seed.network) }).collect(),
    }
}

/// The last part of each path, or the whole path where that does not tell them apart.
fn labels(directories: &[PathBuf]) -> Vec<String> {
    let last = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let short: Vec<Option<String>> = directories.iter().map(|path| last(path)).collect();
    let label = |(path, name): (&PathBuf, &Option<String>)| match name {
        Some(name) if short.iter().flatten().filter(|other| *other == name).count() == 1 => name.clone(),
        _ => path.display().to_string(),
    };
    directories.iter().zip(&short).map(label).collect()
}

fn verdicts(labels: &[String], metrics: &[Metric]) -> Vec<String> {
    let mut words = Vec::new();
    for (index, label) in labels.iter().enumerate().skip(1) {
        let seeds = |run: usize| metrics.iter().map(|metric| metric.runs[run].values.len()).max().unwrap_or(0);
        if seeds(0) < 2 || seeds(index) < 2 {
            let (a, b) = (seeds(0), seeds(index));
            words.push(format!(
                "{label} against {first}: nothing can be said. They have {b} and {a} seeds, and a difference between \
                 single seeds may be chance. Run each with at least two seeds, better five.",
                first = labels[0]
            ));
            continue;
        }
        words.extend(metrics.iter().filter_map(|metric| metric.verdict(&labels[0], label, index)));
    }
    words
}

impl Comparison {
    /// The table and the sentences for a terminal.
    pub fn text(&self) -> String {
        let mut rows = vec![
            std::iter::once(String::new()).chain(self.runs.iter().map(|run| run.label.clone())).collect::<Vec<_>>(),
        ];
        rows.extend(self.metrics.iter().map(|metric| {
            std::iter::once(metric.name.clone()).chain(metric.runs.iter().map(|run| metric.unit.pair(run))).collect()
        }));
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..=self.runs.len()).map(width).collect();
        let mut text = String::new();
        for row in &rows {
            let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| match column {
                0 => format!("{cell:<width$}"),
                _ => format!("  {cell:>width$}"),
            });
            text.push_str(cells.collect::<String>().trim_end());
            text.push('\n');
        }
        text.push('\n');
        for run in self.runs.iter().filter(|run| run.cut) {
            text.push_str(&format!("{} was cut; its numbers are those it had reached.\n", run.label));
        }
        self.verdicts.iter().for_each(|verdict| text.push_str(&format!("{verdict}\n")));
        text.push_str(&format!("\n{}\n", self.method));
        text
    }

    /// The page `compare.html` as text.
    pub fn page(&self) -> String {
        render(Page::Compare, self)
    }
}
