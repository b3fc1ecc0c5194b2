//! What can be asked.

mod task;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use peerlearn::data::Partition;
use peerlearn::learner::ModelFamily;

use crate::access::{InviteArgs, MembersArgs};
use crate::telemetry::LogFormat;

pub use self::task::{DataCheckArgs, DataCommand, JoinChoice, NewArgs, OutputChoice, ShowAs, TaskCommand};

const EXIT_CODES: &str = "Exit codes:
  0  done
  1  something failed that has no code of its own
  2  the command line is wrong
  3  a setting is wrong
  4  something is wrong with the data
  5  something is wrong with the network: a port in use, a wrong ticket
  6  something is wrong with the home directory
  7  no node is running there, or it does not answer
  130  interrupted before the result was there";

/// A serverless, peer-to-peer decentralized learner: every peer keeps its data, trains locally and averages weights
/// with a few others, until the whole network knows what each part knows. No process is special.
#[derive(Debug, Parser)]
#[command(name = "peerlearn", version, after_help = EXIT_CODES, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// What to log to standard error, for example `info` or `warn,peerlearn=debug`.
    #[arg(long, global = true, env = "PEERLEARN_LOG", value_name = "FILTER")]
    pub log: Option<String>,
    /// How to log.
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Runs many real peers on this machine, lets them learn together, and compares.
    Demo(Box<DemoArgs>),
    /// Looks at your own data and writes task.toml: what a network is to learn, for others to join.
    New(Box<NewArgs>),
    /// What a task says: check it, show it, compare two, continue one.
    #[command(subcommand)]
    Task(TaskCommand),
    /// What a file holds, and whether it fits a task. Nothing leaves this machine.
    #[command(subcommand)]
    Data(DataCommand),
    /// Writes a commented peerlearn.toml.
    Init(InitArgs),
    /// Runs a node until it is stopped.
    Run(Box<RunArgs>),
    /// Prints a ticket with which others can join the running node.
    Ticket(TicketArgs),
    /// Prints a ticket that makes whoever has it a member, where not everybody is; only an owner can.
    Invite(InviteArgs),
    /// Lists members, those that wait to be let in, and those refused; lets somebody in.
    Members(MembersArgs),
    /// Runs a node that starts by dialling the peer of a ticket; a node that runs there already dials it.
    Join(Box<JoinArgs>),
    /// Asks the running node how it is.
    Status(StatusArgs),
    /// Asks the running node for its peers: the path to each, round-trip time, bytes, models, faults.
    Peers(StatusArgs),
    /// Looks for what is wrong with home, machine, network and learning, and says what to do; a node need not run.
    Doctor(DoctorArgs),
    /// Tells the running node to stop, and waits until it has.
    Stop(HomeArgs),
    /// Measures the model on disk: on the own rows kept apart, and with --data on all rows of another file.
    Eval(EvalArgs),
    /// Answers for the rows of a file with the model on disk: class and probabilities, one line a row.
    Predict(PredictArgs),
    /// Writes the model as safetensors and a JSON manifest.
    Export(ExportArgs),
}

const DEMO_EXAMPLES: &str = "Examples:
  peerlearn demo
  peerlearn demo --peers 32 --partition shards:2 --rounds 300
  peerlearn demo --data ../mnist --model cnn --peers 6 --until-accuracy 0.95
  peerlearn demo --json | jq .worst
  peerlearn demo --out result --set exchange.codec=f32 --set round.fan_out=2";

/// Arguments of `demo`.
#[derive(Debug, Args)]
#[command(after_help = DEMO_EXAMPLES)]
pub struct DemoArgs {
    /// Number of peers.
    #[arg(long, default_value_t = 8, value_name = "N")]
    pub peers: usize,
    /// How rows are partitioned among peers: iid, dirichlet:ALPHA (label skew, stronger for smaller ALPHA), shards:K (K
    /// pieces of label-sorted rows each).
    #[arg(long, default_value = "dirichlet:0.1", value_name = "HOW")]
    pub partition: Partition,
    /// The model: linear, mlp:SIZES or cnn.
    #[arg(long, default_value = "mlp:64,32", value_name = "MODEL")]
    pub model: ModelFamily,
    /// A directory with IDX files (MNIST, Fashion-MNIST) or a CSV file with a header; without it, the built-in digits.
    #[arg(long, value_name = "PATH")]
    pub data: Option<PathBuf>,
    /// For CSV: the column with the label.
    #[arg(long, value_name = "COLUMN")]
    pub label: Option<String>,
    /// For CSV: a second file to measure on.
    #[arg(long, value_name = "PATH")]
    pub test: Option<PathBuf>,
    /// Rounds of each peer [default: 300, or 10000 with --until-accuracy].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub rounds: Option<u64>,
    /// Stop when the worst peer's accuracy on the test rows reaches this fraction, for example 0.95.
    #[arg(long, value_name = "FRACTION", value_parser = fraction)]
    pub until_accuracy: Option<f32>,
    /// Seeds partition, split and order of rows. (Which peers meet when is up to the machine.)
    #[arg(long, default_value_t = 0, value_name = "SEED")]
    pub seed: u64,
    /// Write events.jsonl, curves.csv, accuracy.svg and outcome.json to this directory.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Print the result as one JSON object.
    #[arg(long)]
    pub json: bool,
    /// Any setting of the nodes, as in peerlearn.toml. May be repeated.
    #[arg(long = "set", value_name = "SECTION.KEY=VALUE")]
    pub set: Vec<String>,
}

/// Where a node lives.
#[derive(Debug, Args, Clone)]
pub struct HomeArgs {
    /// The directory with identity, checkpoint and address book.
    #[arg(long, env = "PEERLEARN_HOME", default_value = ".peerlearn", value_name = "DIR")]
    pub home: PathBuf,
}

/// Where settings come from.
#[derive(Debug, Args, Clone)]
pub struct ConfigArgs {
    /// The settings file [default: peerlearn.toml, if there is one].
    #[arg(long, env = "PEERLEARN_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Any setting, as in peerlearn.toml; stronger than file and environment. May be repeated.
    #[arg(long = "set", value_name = "SECTION.KEY=VALUE")]
    pub set: Vec<String>,
}

/// Arguments of `init`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  peerlearn init\n  peerlearn init --to node.toml")]
pub struct InitArgs {
    /// Where to write it; an existing file is never replaced.
    #[arg(long = "to", default_value = "peerlearn.toml", value_name = "FILE")]
    pub file: PathBuf,
}

/// Which data, and how they differ from what the task expects.
#[derive(Debug, Args, Clone, Default)]
pub struct DataArgs {
    /// Your data: a table (CSV, TSV, JSON lines, Parquet, packed or not), a folder of tables, of IDX files (MNIST) or of pictures,
    /// an .npz file, or - for a table on standard input.
    #[arg(long, value_name = "PATH")]
    pub data: Option<PathBuf>,
    /// For tables: the column with the answer, where it has another name than in the task.
    #[arg(long, value_name = "COLUMN")]
    pub label: Option<String>,
    /// For tables: a second file to measure on.
    #[arg(long, value_name = "PATH")]
    pub test: Option<PathBuf>,
    /// Where your file differs from the task: COLUMN=NAME-IN-FILE, COLUMN:VALUE=WORD-IN-FILE, COLUMN@UNIT (@task is the task's own), or COLUMN!WORD for
    /// rows to leave out. May be repeated.
    #[arg(long = "map", value_name = "WHAT")]
    pub map: Vec<String>,
}

const RUN_EXAMPLES: &str = "Examples:
  peerlearn run --task digits
  peerlearn run --task task.toml --data patients.csv
  peerlearn run --home ant --set data.partition=dirichlet:0.1
  PEERLEARN_NETWORK__LISTEN=/ip4/0.0.0.0/tcp/4001 peerlearn run";

/// Arguments of `run`.
#[derive(Debug, Args)]
#[command(after_help = RUN_EXAMPLES)]
pub struct RunArgs {
    #[command(flatten)]
    pub(super) home: HomeArgs,
    #[command(flatten)]
    pub(super) config: ConfigArgs,
    #[command(flatten)]
    pub(super) data: DataArgs,
    /// What to learn: a task.toml, or digits for the public network of the built-in digits [default: that of --home, else a
    /// network of its own until others join].
    #[arg(long, env = "PEERLEARN_TASK", value_name = "FILE|digits")]
    pub task: Option<String>,
    /// What this node calls itself to members, where not everybody takes part [default: as before, else the user's name].
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Append everything that happens to this file, one JSON object a line. Beyond 64 MiB it becomes FILE.1.
    #[arg(long, env = "PEERLEARN_EVENTS", value_name = "FILE")]
    pub events: Option<PathBuf>,
}

/// Arguments of `join`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  peerlearn join peerlearn2AAAA… --data mine.csv --label diagnosis\n  peerlearn join --home bat \"$(cat ticket)\""
)]
pub struct JoinArgs {
    /// The ticket, as `peerlearn ticket` prints it, or a multiaddress.
    pub ticket: String,
    #[command(flatten)]
    pub(super) run: RunArgs,
    /// Join without asking, also where nobody is there to be asked. Without it and without a terminal, joining goes on where nothing
    /// was guessed, and is refused where something was.
    #[arg(long, short)]
    pub yes: bool,
}

/// Arguments of `ticket`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  peerlearn ticket\n  peerlearn ticket --qr")]
pub struct TicketArgs {
    #[command(flatten)]
    pub(super) home: HomeArgs,
    /// Also show it as a QR code.
    #[arg(long)]
    pub qr: bool,
}

/// Arguments of `status` and `peers`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  peerlearn status\n  peerlearn status --json | jq .round\n  peerlearn peers --watch"
)]
pub struct StatusArgs {
    #[command(flatten)]
    pub(super) home: HomeArgs,
    /// Print everything as one JSON object.
    #[arg(long)]
    pub json: bool,
    /// Go on, once a second, until Ctrl-C.
    #[arg(long, short)]
    pub watch: bool,
}

/// Arguments of `doctor`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit code 0 when nothing is at fault, 1 otherwise.\n\nExamples:\n  peerlearn doctor\n  peerlearn doctor --json | jq '.findings[] | select(.severity == \"fault\")'"
)]
pub struct DoctorArgs {
    #[command(flatten)]
    pub(super) home: HomeArgs,
    #[command(flatten)]
    pub(super) config: ConfigArgs,
    /// Print everything as one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `eval`.
#[derive(Debug, Args)]
#[command(
    after_help = "Without --data, and with the very file that the home learns from, only the own rows that were kept apart are measured \
(data.validation, a tenth). Of any other file that --data names, all rows are. Files may have the names of the task where the home \
learns from others.\n\nExamples:\n  peerlearn eval --home ant\n  peerlearn eval --data other.csv --json"
)]
pub struct EvalArgs {
    #[command(flatten)]
    pub(super) home: HomeArgs,
    #[command(flatten)]
    pub(super) config: ConfigArgs,
    #[command(flatten)]
    pub(super) data: DataArgs,
    /// Print the result as one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `predict`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  peerlearn predict --input patients.csv\n  peerlearn predict --input t10k-images-idx3-ubyte.gz --output answers.csv --home ant"
)]
pub struct PredictArgs {
    /// A table with the columns that the model has learnt from, in any order (- is standard input), or for pictures a folder, one
    /// picture, an IDX or an .npz file.
    #[arg(long, short, value_name = "FILE")]
    pub input: PathBuf,
    /// Where to write the answers as CSV [default: standard output].
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub(super) home: HomeArgs,
    #[command(flatten)]
    pub(super) config: ConfigArgs,
    /// Where your file differs from the task, as of `join`. May be repeated.
    #[arg(long = "map", value_name = "WHAT")]
    pub map: Vec<String>,
}

/// Arguments of `export`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  peerlearn export model\n  python3 -c 'from safetensors.numpy import load_file; print(load_file(\"model/model.safetensors\"))'"
)]
pub struct ExportArgs {
    /// Where to write model.safetensors and manifest.json.
    pub directory: PathBuf,
    #[command(flatten)]
    pub(super) home: HomeArgs,
    #[command(flatten)]
    pub(super) config: ConfigArgs,
    #[command(flatten)]
    pub(super) data: DataArgs,
}

fn fraction(text: &str) -> Result<f32, String> {
    let value: f32 = text.parse().map_err(|_| "it is no number".to_owned())?;
    match (0.0..=1.0).contains(&value) {
        true => Ok(value),
        false => Err("it is a fraction, from 0 to 1".to_owned()),
    }
}
