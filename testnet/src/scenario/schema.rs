//! The keys of a scenario, as written.

use serde::{Deserialize, Serialize};
use toml::Table;

use super::expect::Expect;
use super::units::{Bytes, Span};

/// A scenario, as written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Its name; runs are named after it.
    pub name: String,
    /// What it is to show.
    #[serde(default)]
    pub about: String,
    /// One run each.
    #[serde(default = "one_seed")]
    pub seeds: Vec<u64>,
    /// Rounds of every peer.
    pub rounds: u64,
    /// Ends as soon as the worst honest peer that is up has this accuracy and nothing more is to happen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_accuracy: Option<f64>,
    /// Longest time a run may take.
    #[serde(default = "two_minutes")]
    pub time_limit: Span,
    /// Least time of a round, of a peer that is not slow: what makes times comparable between drivers.
    #[serde(default = "tenth_of_a_second")]
    pub pace: Span,
    /// What is learnt from.
    #[serde(default)]
    pub data: DataSetup,
    /// Settings of every node, as in `peerlearn.toml`.
    #[serde(default)]
    pub node: Table,
    /// The links between all peers.
    #[serde(default)]
    pub links: LinkSetup,
    /// Who is there.
    #[serde(rename = "group")]
    pub groups: Vec<Group>,
    /// What goes wrong when.
    #[serde(default, rename = "fault", skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<FaultSetup>,
    /// Coming and going.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub churn: Option<ChurnSetup>,
    /// Faults at random.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub random_faults: Option<RandomFaults>,
    /// What is expected.
    #[serde(default)]
    pub expect: Expect,
}

fn one_seed() -> Vec<u64> {
    vec![0]
}

fn two_minutes() -> Span {
    Span(std::time::Duration::from_secs(120))
}

fn tenth_of_a_second() -> Span {
    Span(std::time::Duration::from_millis(100))
}

/// What is learnt from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataSetup {
    /// `digits` (built in), a directory with IDX files, or a CSV file with a header; paths start at the scenario's
    /// folder.
    pub source: String,
    /// For CSV: the column with the label.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub label: String,
    /// For CSV: columns that are no features.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub skip: Vec<String>,
    /// For CSV: rows to measure on, as `column=value`; that column is no feature.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub test_where: String,
    /// How raw values become inputs: `auto`, `none`, `standard`, `unit:MAX`.
    pub scaling: String,
    /// Use only so many training rows, chosen by the seed; 0 is all.
    pub rows: usize,
    /// Fraction of each peer's rows kept apart to measure on.
    pub validation: f64,
    /// How rows are partitioned: `iid`, `dirichlet:ALPHA`, `shards:K`, `quantity:ALPHA`, `column:NAME`, `features:K`,
    /// `file:PATH`.
    pub partition: String,
}

impl Default for DataSetup {
    fn default() -> Self {
        Self {
            source: "digits".to_owned(),
            label: String::new(),
            skip: Vec::new(),
            test_where: String::new(),
            scaling: "auto".to_owned(),
            rows: 0,
            validation: 0.1,
            partition: "dirichlet:0.1".to_owned(),
        }
    }
}

/// Links: what a message bears on its way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct LinkSetup {
    /// Shortest and longest delay one way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay: Option<(Span, Span)>,
    /// Chance that a packet is lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<f64>,
    /// Bytes a second of a peer's uplink.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<Bytes>,
}

impl LinkSetup {
    /// Whether nothing is set.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// This one, with what it leaves open from another.
    #[must_use]
    pub fn over(&self, other: &Self) -> Self {
        Self { delay: self.delay.or(other.delay), loss: self.loss.or(other.loss), rate: self.rate.or(other.rate) }
    }
}

/// Peers of one kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Its name. Peers are `NAME-1`, `NAME-2`, ...; with several groups of no name, animals.
    pub name: String,
    /// How many.
    pub count: usize,
    /// How many times slower their rounds are.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub slow: f64,
    /// Set for attackers: `sign-flip`, `gaussian:S`, `label-flip`, `ipm:E`, `alie:Z`, `dissensus:E`, `isolation`,
    /// `replacement:L`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attack: Option<String>,
    /// When they come; the default is from the start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub joins_at: Option<Span>,
    /// Their links, where they differ.
    #[serde(default, skip_serializing_if = "LinkSetup::is_empty")]
    pub links: LinkSetup,
    /// Their settings, where they differ.
    #[serde(default, skip_serializing_if = "Table::is_empty")]
    pub node: Table,
}

fn one() -> f64 {
    1.0
}

fn is_one(slow: &f64) -> bool {
    *slow == 1.0
}

/// What can go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// kill -9; back after `lasts`, from its disk.
    Crash,
    /// The same, and the disk is lost: back as a newcomer.
    LostDisk,
    /// A polite end; back after `lasts`.
    Leave,
    /// A suspended laptop: stopped, and continued after `lasts`.
    Freeze,
    /// The network falls into `pieces`, for `lasts`.
    Partition,
    /// Nothing goes from `peers` to `to`, for `lasts`.
    OneWay,
    /// Worse `links` of `peers`, for `lasts`.
    SlowLink,
    /// Another network: all connections end, and the addresses change.
    Move,
    /// The clock jumps by `jump` and goes at `rate`, for `lasts`.
    Clock,
    /// No byte more on the disk, for `lasts`.
    FullDisk,
}

/// One thing that goes wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultSetup {
    /// When, from the start of the run.
    pub at: Span,
    /// What.
    pub kind: FaultKind,
    /// Whom: names of peers or groups. Without it, everybody can be hit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub peers: Vec<String>,
    /// Only so many of them, chosen by the seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<usize>,
    /// How long. Without it, for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lasts: Option<Span>,
    /// For `partition`: the pieces, each with names of peers or groups. Whoever is in none is in the first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pieces: Vec<Vec<String>>,
    /// For `one-way`: who hears nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<String>,
    /// For `slow-link`: the links.
    #[serde(default, skip_serializing_if = "LinkSetup::is_empty")]
    pub links: LinkSetup,
    /// For `clock`: seconds it shows a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// For `clock`: how far it jumps ahead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jump: Option<Span>,
}

/// Coming and going, at random or from a trace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChurnSetup {
    /// Who comes and goes; the default is everybody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub peers: Vec<String>,
    /// Mean time there (exponential).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub there: Option<Span>,
    /// Mean time gone (exponential).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone: Option<Span>,
    /// From when; the default is from the start.
    #[serde(default)]
    pub from: Span,
    /// Until when; then everybody comes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Span>,
    /// Whether they crash instead of leaving politely.
    #[serde(default)]
    pub crash: bool,
    /// Instead of all the others but `crash`: a CSV file with the columns `name,at_s,up`, in the order of time.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub trace: String,
}

/// Faults at random from the seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RandomFaults {
    /// Mean time between two (exponential).
    pub every: Span,
    /// Which: `crash`, `lost-disk`, `leave`, `freeze`, `move`.
    pub kinds: Vec<FaultKind>,
    /// How long each lasts.
    pub lasts: Span,
    /// Until when.
    pub until: Span,
    /// Whom; the default is everybody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub peers: Vec<String>,
}
