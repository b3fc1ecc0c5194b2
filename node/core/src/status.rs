//! What a running node says of itself when asked: over its handle, over the control socket, in `peerlearn status`.

use std::collections::BTreeMap;

use peerlearn_learner::Evaluation;
use peerlearn_protocols::estimate::Estimate;
use peerlearn_protocols::id::PeerId;
use peerlearn_protocols::invariant::Invariant;
use peerlearn_protocols::round;
use peerlearn_protocols::time::Time;
use peerlearn_task::TaskSummary;
use serde::{Deserialize, Serialize};

/// A snapshot of a node. Field names are stable; new fields may be added.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// This node, as 64 hexadecimal digits.
    pub peer: PeerId,
    /// This node, as libp2p writes it (`12D3Koo…`).
    pub libp2p_peer: String,
    /// Version of the program.
    pub version: String,
    /// The task.
    pub task: TaskSummary,
    /// Addresses others can dial, with the peer id at the end.
    pub addresses: Vec<String>,
    /// Milliseconds since the node started.
    pub uptime_ms: u64,
    /// Rounds closed.
    pub round: u64,
    /// Round on disk; `None` when nothing was ever written.
    pub committed_round: Option<u64>,
    /// Age of the own model: sample-steps over its ancestry.
    pub age: u64,
    /// Rows trained on.
    pub samples: usize,
    /// What the node does now.
    pub phase: Phase,
    /// What it is waiting for, in words; empty when it waits for nothing.
    pub waiting_for: String,
    /// On the own validation part, newest first measured.
    pub own: Option<Evaluation>,
    /// On the shared test data.
    pub test: Option<Evaluation>,
    /// Bytes received since the start.
    pub bytes_in: u64,
    /// Bytes sent since the start.
    pub bytes_out: u64,
    /// CPU seconds of the training thread since the start.
    pub cpu_seconds: f64,
    /// Messages and models refused since the start.
    pub refused: u64,
    /// What the node makes of the whole network: number of peers, disagreement, verdict.
    #[serde(default)]
    pub estimate: Estimate,
    /// Mass of the model under push-sum, in that of a fresh peer; `None` under every other rule.
    #[serde(default)]
    pub mass: Option<f64>,
    /// How often an invariant did not hold since the start, by its name; empty in a sound node.
    #[serde(default)]
    pub broken: BTreeMap<Invariant, u64>,
    /// Where peers agree on the numbers that columns are scaled by: what has become of that.
    #[serde(default)]
    pub agreed: Option<AgreedStatus>,
    /// Known peers, most recently heard first.
    pub peers: Vec<PeerStatus>,
    /// The last problems, newest first, at most 16.
    pub problems: Vec<String>,
}

/// Numbers that peers agree on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgreedStatus {
    /// Peers that told of their columns, this one among them.
    pub voices: usize,
    /// Peers whose numbers this node trains in; 0 for those of the task.
    pub taken: usize,
    /// Columns of which this node told mean and deviation.
    pub columns: usize,
    /// Whether the model takes no other numbers than those of the task.
    pub is_fixed: bool,
}

/// What a node does now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Before the first round: looking for peers to pull a first model from.
    Joining,
    /// Minibatch steps.
    Training,
    /// Waiting for models of drawn peers.
    Gathering,
    /// Averaging.
    Mixing,
    /// All rounds asked for are done; the node serves what it has.
    Finished,
    /// Between rounds, as the settings ask.
    Resting,
    /// Going down.
    Stopping,
}

impl Phase {
    /// The phase of the machine, and what it waits for, in words.
    pub(crate) fn of(phase: &round::Phase, now: Time) -> (Self, String) {
        let seconds = |until: &Time| format!("{:.1} s", until.since(now).as_secs_f64());
        match phase {
            round::Phase::Idle => (Phase::Joining, String::new()),
            round::Phase::Joining { until } => (Phase::Joining, format!("a first peer, for {} more", seconds(until))),
            round::Phase::Training => (Phase::Training, String::new()),
            round::Phase::Drawing { .. } => (Phase::Gathering, "a draw of peers".to_owned()),
            round::Phase::Gathering { deadline, pending, .. } => {
                let names: Vec<String> = pending.iter().map(PeerId::short).collect();
                (Phase::Gathering, format!("models of {}, for {} at most", names.join(", "), seconds(deadline)))
            }
            round::Phase::Mixing => (Phase::Mixing, String::new()),
            round::Phase::Finished => (Phase::Finished, String::new()),
            round::Phase::Resting { until } => (Phase::Resting, format!("the next round, in {}", seconds(until))),
        }
    }
}

/// A known peer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PeerStatus {
    /// The peer.
    pub peer: PeerId,
    /// What it calls itself, once it was let in; in a task that is open to everybody nobody says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether a connection is up.
    pub connected: bool,
    /// Its round, as last announced.
    pub round: u64,
    /// Its model's age, as last announced.
    pub age: u64,
    /// Its rows, as announced.
    pub samples: u32,
    /// Milliseconds since it was last heard.
    pub heard_ms: u64,
    /// Models mixed from it since the start.
    pub mixed: u64,
    /// Faults counted against it; it is banned at 100.
    pub score: u32,
    /// First announced address.
    pub address: Option<String>,
}
