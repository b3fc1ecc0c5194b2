//! One page that shows a run: `report.html`, a single file that opens from a disk without a network.
//!
//! The page is hand-written markup, style and script from `assets/`; the data of the run stand in it as JSON. Data are
//! thinned to a bounded size ([`Thinning`] says how and the page repeats it), so that the page of 100 peers and ten
//! minutes stays under 5 MB. Every text of a run reaches the page as JSON and then as text nodes, never as markup.

mod columns;
mod data;
mod matrix;
mod page;
#[cfg(test)]
mod tests;
mod thin;
mod topology;

use std::path::{Path, PathBuf};

pub use columns::NetworkColumns;
pub use data::{CurvePage, FaultPage, PageData, PeerPage, SeedPage};
pub use matrix::Matrix;
pub use page::{Page, render};
pub use thin::Thinning;
pub use topology::Topology;

use crate::record::{RecordError, read_run};

/// Reads a run and writes `report.html` into its directory. A run that was cut, or still goes on, gets a page too; the
/// page says so.
///
/// # Errors
/// The run cannot be read, or the page cannot be written.
pub fn write_report(directory: &Path) -> Result<PathBuf, RecordError> {
    let run = read_run(directory)?;
    let path = directory.join("report.html");
    let page = render(Page::Report, &PageData::new(&run, false));
    std::fs::write(&path, page).map_err(|source| RecordError::Write { path: path.clone(), source })?;
    Ok(path)
}
