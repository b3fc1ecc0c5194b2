//! Commands of the program that look at what runs left.

mod compare;
mod report;
mod watch;

pub use compare::CompareArgs;
pub use report::ReportArgs;
pub use watch::WatchArgs;
