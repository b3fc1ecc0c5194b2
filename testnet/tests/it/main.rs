//! The replications at the speed of tests, and the pages of runs in a browser.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use peerlearn_testnet::data::data_dir;
use peerlearn_testnet::replications::{Report, Run, Scenario, find, folder};

mod browser;
mod byrdlab;
mod docker;
mod epidemic;
mod gossip;
mod hospitals;
mod robustness;
mod sample;
mod scenarios;
mod simulated;

/// A replication with its section `fast`; nothing where there are no data.
fn fast(name: &str) -> Option<Report> {
    let data = match data_dir() {
        Ok(data) => data,
        Err(error) => {
            eprintln!("SKIPPED: {name} was not run: {error}");
            return None;
        }
    };
    let scenario = Scenario::read(&folder().join(name).join("scenario.toml"), true).unwrap();
    let run = Run { scenario, data, fast: true, only: Vec::new() };
    Some((find(name).unwrap().run)(&run).unwrap())
}

/// The leading number of a cell: the row whose first cells are `row`, the column of this name.
fn number(report: &Report, row: &[&str], column: &str) -> f64 {
    let column = report.columns.iter().position(|name| name == column).unwrap();
    let row = report.rows.iter().find(|cells| row.iter().zip(*cells).all(|(want, cell)| want == cell)).unwrap();
    row[column].split(' ').next().unwrap().parse().unwrap()
}
