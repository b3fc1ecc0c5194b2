//! What is compared, and how numbers and differences read.

use serde::{Serialize, Serializer};

use super::significance::welch;
use crate::record::{NetworkRow, Outcome, RunRecord, mean_and_deviation};

/// Below this a difference is called more than chance.
const LEVEL: f64 = 0.05;
/// Accuracies that the cost is compared at: the highest that every seed reaches.
const STEPS: [f64; 7] = [0.99, 0.98, 0.95, 0.9, 0.8, 0.7, 0.5];

/// How numbers of a metric are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// A fraction, as percent.
    Fraction,
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// A plain number.
    Number,
    /// Watt hours.
    WattHours,
}

/// One row of a comparison.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Metric {
    /// What it is.
    pub name: String,
    /// How it is written.
    pub unit: Unit,
    /// Its values in each run.
    pub runs: Vec<Values>,
}

/// Values of a metric in one run, a seed each.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Values {
    /// Mean and standard deviation; nothing where no seed has a value.
    #[serde(rename = "mean_and_deviation", serialize_with = "summary")]
    pub values: Vec<f64>,
    /// Seeds with a value.
    pub seeds: usize,
}

fn summary<S: Serializer>(values: &[f64], serializer: S) -> Result<S::Ok, S::Error> {
    (!values.is_empty()).then(|| mean_and_deviation(values)).serialize(serializer)
}

/// All metrics of some runs. Of a run with finished seeds only those count, of another all.
pub(super) fn metrics(runs: &[RunRecord]) -> Vec<Metric> {
    let seeds: Vec<Vec<(Outcome, &[NetworkRow])>> = runs.iter().map(counting).collect();
    let metric = |name: &str, unit: Unit, pick: &dyn Fn(&Outcome, &[NetworkRow]) -> Option<f64>| {
        let of = |run: &Vec<(Outcome, &[NetworkRow])>| {
            let values: Vec<f64> = run.iter().filter_map(|(outcome, network)| pick(outcome, network)).collect();
            Values { seeds: values.len(), values }
        };
        Metric { name: name.to_owned(), unit, runs: seeds.iter().map(of).collect() }
    };
    let mut rows = vec![
        metric("accuracy of the worst peer", Unit::Fraction, &|seed, _| Some(seed.worst)),
        metric("mean accuracy of the peers", Unit::Fraction, &|seed, _| Some(seed.mean)),
        metric("accuracy of the best peer", Unit::Fraction, &|seed, _| Some(seed.best)),
        metric("mean accuracy of the worst tenth", Unit::Fraction, &|seed, _| Some(seed.worst_tenth)),
        metric("balanced accuracy of the worst peer", Unit::Fraction, &|seed, _| Some(seed.balanced?[0])),
        metric("disagreement", Unit::Number, &|seed, _| seed.disagreement),
        metric("rounds of the slowest peer", Unit::Number, &|seed, _| Some(seed.rounds_min as f64)),
        metric("time", Unit::Seconds, &|seed, _| Some(seed.seconds)),
        metric("bytes received by all peers", Unit::Bytes, &|seed, _| Some(seed.bytes_in as f64)),
        metric("CPU time of all peers", Unit::Seconds, &|seed, _| Some(seed.cpu_s)),
        metric("energy, estimated", Unit::WattHours, &|seed, _| Some(seed.watt_hours)),
        metric("peak memory of all peers", Unit::Bytes, &|seed, _| Some(seed.peak_rss_mb? * 1e6)),
    ];
    let all = || seeds.iter().flatten();
    if let Some(step) = STEPS.into_iter().find(|step| all().all(|(_, network)| reached(network, *step).is_some())) {
        let words = format!("until the worst peer had {:.0} %", step * 100.0);
        let at = |pick: fn(&NetworkRow) -> f64| move |_: &Outcome, rows: &[NetworkRow]| reached(rows, step).map(pick);
        rows.push(metric(&format!("time {words}"), Unit::Seconds, &at(|row| row.t_ms as f64 / 1000.0)));
        rows.push(metric(&format!("bytes {words}"), Unit::Bytes, &at(|row| row.bytes_in as f64)));
        rows.push(metric(&format!("CPU time {words}"), Unit::Seconds, &at(|row| row.cpu_s)));
    }
    rows.retain(|row| row.runs.iter().any(|run| run.seeds > 0));
    rows
}

fn counting(run: &RunRecord) -> Vec<(Outcome, &[NetworkRow])> {
    let finished = run.seeds.iter().any(|seed| seed.finished.is_some());
    let seeds = run.seeds.iter().filter(|seed| !finished || seed.finished.is_some());
    seeds.map(|seed| (seed.outcome(), &seed.network[..])).collect()
}

fn reached(rows: &[NetworkRow], accuracy: f64) -> Option<&NetworkRow> {
    rows.iter().find(|row| row.worst.is_some_and(|worst| worst >= accuracy))
}

impl Metric {
    /// A sentence on run `index` against the first; nothing where one of them has no values.
    pub(super) fn verdict(&self, first: &str, label: &str, index: usize) -> Option<String> {
        let (a, b) = (&self.runs[0].values, &self.runs[index].values);
        if a.len() < 2 || b.len() < 2 {
            return None;
        }
        let difference = mean_and_deviation(b)[0] - mean_and_deviation(a)[0];
        let way = if difference > 0.0 { "higher" } else { "lower" };
        let name = &self.name;
        let amount = self.unit.difference(difference.abs());
        let Some(test) = welch(a, b) else {
            return Some(match difference == 0.0 {
                true => format!("{name}: the same in every seed of {label} and {first}."),
                false => format!(
                    "{name}: {label} is {way} by {amount} than {first}; neither run varies from seed to seed, so there is \
                     no chance to test against."
                ),
            });
        };
        let counts = format!("{} against {} seeds", b.len(), a.len());
        Some(match test.p < LEVEL {
            true => format!(
                "{name}: {label} is {way} by {amount} than {first}, and this is more than chance ({}, {counts}).",
                often(test.p)
            ),
            false => format!(
                "{name}: {label} is {way} by {amount} than {first}, but this may be chance ({}, {counts}).",
                often(test.p)
            ),
        })
    }
}

fn often(p: f64) -> String {
    match p {
        p if p < 0.001 => "p below 0.001".to_owned(),
        p if p < 0.1 => format!("p = {p:.3}"),
        p => format!("p = {p:.2}"),
    }
}

impl Unit {
    /// A value for people.
    pub fn show(self, value: f64) -> String {
        match self {
            Unit::Fraction => format!("{:.2} %", value * 100.0),
            Unit::Seconds => format!("{} s", digits(value)),
            Unit::Bytes => match value {
                value if value >= 1e9 => format!("{:.2} GB", value / 1e9),
                value if value >= 1e6 => format!("{:.2} MB", value / 1e6),
                value if value >= 1e3 => format!("{:.1} kB", value / 1e3),
                value => format!("{value:.0} B"),
            },
            Unit::Number => digits(value),
            Unit::WattHours if value < 1.0 => format!("{} mWh", digits(value * 1000.0)),
            Unit::WattHours => format!("{} Wh", digits(value)),
        }
    }

    fn difference(self, value: f64) -> String {
        match self {
            Unit::Fraction => format!("{} points", digits(value * 100.0)),
            unit => unit.show(value),
        }
    }

    /// Mean and deviation for people.
    pub(super) fn pair(self, values: &Values) -> String {
        let [mean, deviation] = mean_and_deviation(&values.values);
        match values.values.len() {
            0 => "-".to_owned(),
            1 => self.show(mean),
            _ => format!("{} ± {}", self.show(mean), self.difference(deviation)),
        }
    }
}

/// Three significant digits, without an exponent where people need none.
fn digits(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let places = (2 - value.abs().log10().floor() as i32).max(0);
    match places {
        places if places > 6 => format!("{value:.2e}"),
        places => format!("{value:.*}", places as usize),
    }
}
