//! Traces of coming and going: a CSV file with the columns `name,at_s,up`, in the order of time.
//!
//! `up` is 0 when a peer goes and 1 when it is back. Whoever was there goes first and comes then, and so on; times are
//! seconds from the start of the run. A file that says anything else is refused, with its line: it was made for another
//! scenario, or its rows are in disorder, and a run of it would show something else than what was recorded.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use csv::{Reader, StringRecord};

#[cfg(test)]
mod tests;

/// The columns of a trace.
const COLUMNS: [&str; 3] = ["name", "at_s", "up"];

/// A change in a trace: when, who, and whether it is there from then on.
pub(super) type Turn = (Duration, usize, bool);

/// Reads a trace of peers with these names; `joins` says when each comes for the first time.
///
/// # Errors
/// What is wrong, with file and line.
pub(super) fn read_trace(path: &Path, names: &[(String, String)], joins: &[Duration]) -> Result<Vec<Turn>, String> {
    let shown = path.display();
    let mut reader = Reader::from_path(path).map_err(|error| format!("{shown}: {error}"))?;
    let columns = reader.headers().map_err(|error| format!("{shown}: {error}"))?;
    if columns != &StringRecord::from(&COLUMNS[..]) {
        return Err(format!("{shown}:1: the first line is {}", COLUMNS.join(",")));
    }
    let numbers = names.iter().enumerate().map(|(number, (name, _))| (name.as_str(), number)).collect();
    let mut trace = Trace { numbers, last: joins.iter().map(|at| (*at, true)).collect(), turns: Vec::new() };
    for record in reader.records() {
        let record = record.map_err(|error| format!("{shown}: {error}"))?;
        let line = record.position().map_or(0, csv::Position::line);
        trace.take(&record).map_err(|reason| format!("{shown}:{line}: {reason}"))?;
    }
    match trace.turns.is_empty() {
        true => Err(format!("{shown}: nobody comes or goes in it")),
        false => Ok(trace.turns),
    }
}

struct Trace<'a> {
    numbers: BTreeMap<&'a str, usize>,
    /// For each peer, when it last came or went, and which.
    last: Vec<(Duration, bool)>,
    turns: Vec<Turn>,
}

impl Trace<'_> {
    fn take(&mut self, record: &StringRecord) -> Result<(), String> {
        let field = |column: usize| record.get(column).unwrap_or_default().trim();
        let (name, at, up) = (field(0), field(1), field(2));
        let peer = *self.numbers.get(name).ok_or_else(|| format!("there is no peer {name:?}"))?;
        let seconds = at.parse::<f64>().ok().filter(|seconds| *seconds >= 0.0);
        let time = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let time = time.ok_or_else(|| format!("at_s {at:?} is no number of seconds from the start"))?;
        let up = match up {
            "0" => false,
            "1" => true,
            _ => return Err(format!("up {up:?} is neither 0 nor 1")),
        };
        if let Some((before, ..)) = self.turns.last().filter(|(before, ..)| *before > time) {
            return Err(format!("{time:?} comes after {before:?}; a trace is in the order of time"));
        }
        let (since, there) = self.last[peer];
        match (there, up) {
            (true, false) if time <= since && !since.is_zero() => {
                return Err(format!("{name} goes at {time:?} and comes at {since:?}"));
            }
            (true, true) => return Err(format!("{name} comes and is there already")),
            (false, false) => return Err(format!("{name} goes and is gone already")),
            (false, true) if time <= since => return Err(format!("{name} comes at the moment it goes")),
            _ => {}
        }
        self.last[peer] = (time, up);
        self.turns.push((time, peer, up));
        Ok(())
    }
}
