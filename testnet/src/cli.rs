//! What can be asked of `peerlearn-testnet`.

/// Prints a line to standard output, like `println!`, to whoever still listens.
macro_rules! say {
    ($($words:tt)*) => { peerlearn_cli::show(&format!("{}\n", format_args!($($words)*))) };
}

mod compare;
mod compose;
mod error;
mod init;
mod links;
mod member;
mod partition;
mod peer;
mod replicate;
mod report;
mod run;
mod sweep;
mod watch;

use std::ffi::OsString;

use clap::{Parser, Subcommand};

pub use compare::CompareArgs;
pub use compose::{ComposeArgs, compose};
pub use init::{InitArgs, init};
pub use links::{LinksArgs, links};
pub use member::{MemberArgs, member};
pub use partition::{PartitionArgs, partition};
pub use peer::{HealthArgs, PeerArgs, health, node, peer};
pub use replicate::{ReplicateArgs, replicate};
pub use report::ReportArgs;
pub use run::{RunArgs, run};
pub use sweep::{SweepArgs, sweep};
pub use watch::{WatchArgs, watch};

const EXIT_CODES: &str = "Exit codes:
  0  done; what was expected came
  1  a run did not meet what the scenario expects
  2  the command line is wrong
  3  the scenario is wrong; nothing was started
  4  a run could not go on, or a file could not be handled
  130  interrupted; what was measured is on disk";

/// Experiments with networks of peers: scenarios in a simulator, in one process, in many and in containers.
#[derive(Parser)]
#[command(name = "peerlearn-testnet", version, after_help = EXIT_CODES)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Subcommand)]
pub enum Command {
    /// Writes a commented scenario.
    Init(InitArgs),
    /// Runs a scenario and judges it by what it expects.
    Run(RunArgs),
    /// Runs a scenario many times, with other values of some keys.
    Sweep(SweepArgs),
    /// Writes the page report.html into the directory of a run.
    Report(ReportArgs),
    /// Compares runs: a table here, and a page with their curves.
    Compare(CompareArgs),
    /// Serves the page of a run, or of nodes that write their events, while it goes on.
    Watch(WatchArgs),
    /// Shows how a scenario partitions its rows, and saves it for other scenarios.
    Partition(PartitionArgs),
    /// Runs a published result again; without a name, lists them.
    Replicate(ReplicateArgs),
    /// Writes a compose file with which peers of a scenario live in containers.
    Compose(ComposeArgs),
    /// A node in a home of its own among many, as in the replicas of a container.
    Peer(PeerArgs),
    /// Asks the node of this host how it is; fails where it does not answer.
    Health(HealthArgs),
    /// The program `peerlearn`; the same under that name.
    #[command(disable_help_flag = true)]
    Node {
        /// Its words.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "WORDS")]
        words: Vec<OsString>,
    },
    /// Makes what leaves a container late, lossy and slow by netem, where the kernel has that.
    #[command(hide = true)]
    Links(LinksArgs),
    /// A node of a testnet; talks JSON lines with whoever started it.
    #[command(hide = true)]
    Member(MemberArgs),
    /// Clears up when its input ends.
    #[command(hide = true)]
    Reap {
        /// Whose containers and network.
        label: String,
    },
}
