//! What can be asked of data and tasks.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use peerlearn::learner::ModelFamily;

use super::HomeArgs;

const NEW_EXAMPLES: &str = "Examples:
  peerlearn new patients.csv --label disease
  peerlearn new houses.parquet --label price --name house-prices --to houses.toml
  peerlearn new pictures/ --size 64x64
Then: read and edit task.toml, peerlearn run --task task.toml --data patients.csv, peerlearn ticket";

/// Arguments of `new`.
#[derive(Debug, Args)]
#[command(after_help = NEW_EXAMPLES)]
pub struct NewArgs {
    /// Your data; without any, a task for the built-in digits is written, to look at.
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// The column with the answer [default: guessed, and said].
    #[arg(long, value_name = "COLUMN")]
    pub label: Option<String>,
    /// Name of the task [default: that of the file].
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// The model: linear, mlp:SIZES or cnn [default: mlp:64,32].
    #[arg(long, value_name = "MODEL")]
    pub model: Option<ModelFamily>,
    /// Whether the answer is one of a list of classes or a number [default: guessed, and said].
    #[arg(long, value_enum, value_name = "KIND")]
    pub output: Option<OutputChoice>,
    /// Columns to learn from, separated by commas [default: all that can be].
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub columns: Vec<String>,
    /// For pictures: height and width of an input, for example 64x64.
    #[arg(long, value_name = "HxW", value_parser = size)]
    pub size: Option<[usize; 2]>,
    /// Who may join: open (anyone who has the ticket), invited, approved.
    #[arg(long, value_enum, default_value_t = JoinChoice::Invited, value_name = "WHO")]
    pub join: JoinChoice,
    /// Leave out mean and deviation of your columns; others then need an agreed frame before they can learn well.
    #[arg(long)]
    pub no_numbers: bool,
    /// Take the columns from a Frictionless Table Schema instead of guessing them.
    #[arg(long, value_name = "FILE")]
    pub schema: Option<PathBuf>,
    /// Where to write it; an existing file is never replaced.
    #[arg(long = "to", default_value = "task.toml", value_name = "FILE")]
    pub to: PathBuf,
    #[command(flatten)]
    pub(crate) home: HomeArgs,
    /// How the file is read, as in peerlearn.toml: data.dialect.… May be repeated.
    #[arg(long = "set", value_name = "SECTION.KEY=VALUE")]
    pub set: Vec<String>,
}

/// The kind of answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum OutputChoice {
    /// One of a list.
    Classes,
    /// A number: regression.
    Number,
}

/// Who may join.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum JoinChoice {
    /// Anyone who has the ticket.
    Open,
    /// Whoever has an invitation.
    Invited,
    /// Whoever an owner has approved.
    Approved,
}

/// What can be asked of a task.
#[derive(Debug, Subcommand)]
pub enum TaskCommand {
    /// Checks a task.toml: every key, with the line of what is wrong.
    Check {
        /// The file.
        #[arg(default_value = "task.toml", value_name = "FILE")]
        file: PathBuf,
    },
    /// Shows a task: a file's, a ticket's, or that of a home directory.
    Show {
        /// A task.toml or a ticket [default: the task of --home, else task.toml].
        #[arg(value_name = "FILE|TICKET")]
        what: Option<String>,
        /// How: words, toml, json (the bytes that are hashed), or tableschema (Frictionless).
        #[arg(long = "as", value_enum, default_value_t = ShowAs::Words, value_name = "FORM")]
        form: ShowAs,
        #[command(flatten)]
        home: HomeArgs,
    },
    /// Continues a task with an edited one: more classes, a column, other numbers. The home keeps the weights that still mean the
    /// same; hand on a new ticket afterwards.
    Upgrade {
        /// The edited task.toml; its parent is filled in.
        file: PathBuf,
        #[command(flatten)]
        home: HomeArgs,
    },
    /// Says in what two tasks differ, and what that means for weights.
    Diff {
        /// The one.
        one: PathBuf,
        /// The other.
        other: PathBuf,
    },
}

/// Forms of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ShowAs {
    /// For people.
    Words,
    /// As a task.toml.
    Toml,
    /// The bytes that are hashed.
    Json,
    /// A Frictionless Table Schema v2.
    Tableschema,
}

/// What can be asked of a file.
#[derive(Debug, Subcommand)]
pub enum DataCommand {
    /// Says what was understood of a file, and whether it fits a task. Exit code 4 where it does not.
    Check(DataCheckArgs),
    /// Shows columns, ranges, class counts, a few rows, and what goes where.
    Show(DataCheckArgs),
}

/// Arguments of `data check` and `data show`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  peerlearn data check mine.csv --task task.toml\n  peerlearn data show mine.csv --picture mine.svg"
)]
pub struct DataCheckArgs {
    /// The file.
    pub file: PathBuf,
    /// The task it is to fit: a task.toml or a ticket [default: the task of --home, if there is one].
    #[arg(long, value_name = "FILE|TICKET")]
    pub task: Option<String>,
    /// The column with the answer.
    #[arg(long, value_name = "COLUMN")]
    pub label: Option<String>,
    /// As of `join`. May be repeated.
    #[arg(long = "map", value_name = "WHAT")]
    pub map: Vec<String>,
    /// Draw how the values of each column are spread, to this SVG file.
    #[arg(long, value_name = "FILE")]
    pub picture: Option<PathBuf>,
    /// Print the result as one JSON object.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub(crate) home: HomeArgs,
    /// How the file is read, as in peerlearn.toml: data.dialect.… May be repeated.
    #[arg(long = "set", value_name = "SECTION.KEY=VALUE")]
    pub set: Vec<String>,
}

fn size(text: &str) -> Result<[usize; 2], String> {
    let wrong = || "height and width, for example 64x64".to_owned();
    let (height, width) = text.split_once('x').ok_or_else(wrong)?;
    Ok([height.parse().map_err(|_| wrong())?, width.parse().map_err(|_| wrong())?])
}
