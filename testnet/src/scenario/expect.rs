//! What a scenario expects of a run, and the sentence about each expectation.

use serde::{Deserialize, Serialize};

use super::units::{Bytes, Span};

/// Expectations; each that is set has to hold for every seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct Expect {
    /// Least accuracy of the worst honest peer that is up at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worst: Option<f64>,
    /// Least accuracy of the mean honest peer that is up at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean: Option<f64>,
    /// Least mean accuracy of the worst tenth of the honest peers that are up at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worst_tenth: Option<f64>,
    /// Most disagreement at the end: root mean square distance of models to their mean.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disagreement: Option<f64>,
    /// Least rounds of every honest peer that is up at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rounds: Option<u64>,
    /// Most bytes sent, for the mean peer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_a_peer: Option<Bytes>,
    /// Longest time to the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within: Option<Span>,
    /// Least honest peers that are up at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub up: Option<usize>,
    /// Most memory of all peers together at any time; known where peers are real.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Bytes>,
}

/// What is measured against expectations, of one seed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reached {
    /// See [`Expect::worst`].
    pub worst: Option<f64>,
    /// See [`Expect::mean`].
    pub mean: Option<f64>,
    /// See [`Expect::worst_tenth`].
    pub worst_tenth: Option<f64>,
    /// See [`Expect::disagreement`].
    pub disagreement: Option<f64>,
    /// See [`Expect::rounds`].
    pub rounds: Option<f64>,
    /// See [`Expect::bytes_a_peer`].
    pub bytes_a_peer: Option<f64>,
    /// See [`Expect::within`], seconds.
    pub seconds: Option<f64>,
    /// See [`Expect::up`].
    pub up: Option<f64>,
    /// See [`Expect::memory`], bytes.
    pub memory: Option<f64>,
}

/// Whether one expectation was met, in words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExpectationResult {
    /// A sentence.
    pub words: String,
    /// Whether it is true.
    pub passed: bool,
    /// What was measured, of each seed.
    pub measured: Vec<f64>,
}

/// One expectation: its limit, on which side it is to be, and how to say it.
struct Rule {
    limit: f64,
    at_least: bool,
    what: &'static str,
    /// Whether a run that cannot know it passes.
    optional: bool,
    show: fn(f64) -> String,
    pick: fn(&Reached) -> Option<f64>,
}

fn percent(value: f64) -> String {
    format!("{:.1} %", value * 100.0)
}

fn plain(value: f64) -> String {
    format!("{value:.3}").trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn bytes(value: f64) -> String {
    match value {
        v if v < 1e3 => format!("{v:.0} B"),
        v if v < 1e6 => format!("{:.1} kB", v / 1e3),
        v if v < 1e9 => format!("{:.1} MB", v / 1e6),
        v => format!("{:.2} GB", v / 1e9),
    }
}

fn seconds(value: f64) -> String {
    format!("{value:.1} s")
}

fn rules(expect: &Expect) -> Vec<Rule> {
    let mut rules = Vec::new();
    let mut rule = |limit: Option<f64>, at_least, what, show, pick| {
        rules.extend(limit.map(|limit| Rule { limit, at_least, what, optional: false, show, pick }));
    };
    rule(expect.worst, true, "accuracy of the worst peer", percent, |reached| reached.worst);
    rule(expect.mean, true, "accuracy of the mean peer", percent, |reached| reached.mean);
    rule(expect.worst_tenth, true, "accuracy of the worst tenth", percent, |reached| reached.worst_tenth);
    rule(expect.disagreement, false, "disagreement", plain, |reached| reached.disagreement);
    rule(expect.rounds.map(|n| n as f64), true, "rounds of the slowest peer", plain, |reached| reached.rounds);
    rule(expect.bytes_a_peer.map(|n| n.0 as f64), false, "bytes sent by the mean peer", bytes, |r| r.bytes_a_peer);
    rule(expect.within.map(|span| span.0.as_secs_f64()), false, "time to the end", seconds, |reached| reached.seconds);
    rule(expect.up.map(|n| n as f64), true, "honest peers up at the end", plain, |reached| reached.up);
    rule(expect.memory.map(|n| n.0 as f64), false, "memory of all peers", bytes, |reached| reached.memory);
    // The simulator has no processes to weigh.
    rules.iter_mut().filter(|rule| rule.what == "memory of all peers").for_each(|rule| rule.optional = true);
    rules
}

/// Holds what every seed reached against the expectations. No runs meet none.
pub fn judge(expect: &Expect, runs: &[Reached]) -> Vec<ExpectationResult> {
    let judged = |rule: &Rule| {
        let measured: Vec<f64> = runs.iter().filter_map(rule.pick).collect();
        let fits = |value: &f64| if rule.at_least { *value >= rule.limit } else { *value <= rule.limit };
        let known = measured.len() == runs.len() && !runs.is_empty();
        let passed = (known || rule.optional) && measured.iter().all(fits);
        let worst = measured.iter().copied().reduce(if rule.at_least { f64::min } else { f64::max });
        let (side, limit) = (if rule.at_least { "at least" } else { "at most" }, (rule.show)(rule.limit));
        let got = worst.map_or_else(|| "was not measured".to_owned(), |worst| format!("was {}", (rule.show)(worst)));
        let seeds = if measured.len() > 1 { " for the worst seed" } else { "" };
        ExpectationResult { words: format!("{} {got}{seeds}, expected {side} {limit}", rule.what), passed, measured }
    };
    rules(expect).iter().map(judged).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_are_sentences_about_the_worst_seed() {
        let expect =
            Expect { worst: Some(0.9), within: Some(Span(std::time::Duration::from_secs(10))), ..Expect::default() };
        let run = |worst, seconds| Reached { worst: Some(worst), seconds: Some(seconds), ..Reached::default() };
        let verdicts = judge(&expect, &[run(0.95, 3.0), run(0.89, 4.0)]);
        assert_eq!(
            verdicts[0].words,
            "accuracy of the worst peer was 89.0 % for the worst seed, expected at least 90.0 %"
        );
        assert!(!verdicts[0].passed && verdicts[1].passed);
        assert!(!judge(&expect, &[Reached::default()])[0].passed, "what was not measured is not met");
        let memory = Expect { memory: Some(Bytes(1)), ..Expect::default() };
        assert!(judge(&memory, &[Reached::default()])[0].passed, "but what cannot be known is left out");
    }
}
