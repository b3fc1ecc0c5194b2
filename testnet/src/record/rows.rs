//! One row of each table. Column names are the field names, in this order; new columns may be added at the end.
//!
//! Units: `t_ms` are milliseconds since the start of the seed (virtual ones in the simulator), accuracies are
//! fractions, bytes and CPU seconds count from the start of the seed and never fall, not even when a peer restarts.

use serde::{Deserialize, Serialize};

/// A peer of the run; `peers.csv`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PeerRow {
    /// Its id, 64 hexadecimal digits.
    pub peer: String,
    /// Its name, used in all other tables; without spaces, because `faults.csv` joins names by them.
    pub name: String,
    /// The group of the scenario it belongs to.
    pub group: String,
    /// What it does to harm others; nothing for an honest peer.
    pub attack: Option<String>,
    /// Rows it trains on.
    pub rows: u64,
    /// Rows of each class, in the order of the classes.
    #[serde(with = "spaced")]
    pub classes: Vec<u64>,
}

/// A round that a peer closed; `rounds.csv`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct RoundRow {
    /// When.
    pub t_ms: u64,
    /// Whose.
    pub name: String,
    /// Its number, counted by the peer.
    pub round: u64,
    /// Peers drawn.
    pub drawn: u64,
    /// Models that arrived in time and were mixed.
    pub mixed: u64,
    /// Models that arrived and were refused.
    pub refused: u64,
    /// Age of the model, sample-steps over its ancestry.
    pub age: u64,
    /// On the own validation rows, where measured.
    pub own_accuracy: Option<f64>,
    /// On the own validation rows, where measured.
    pub own_loss: Option<f64>,
    /// On the shared test rows, where measured.
    pub test_accuracy: Option<f64>,
    /// On the shared test rows, where measured.
    pub test_loss: Option<f64>,
    /// Bytes received by the peer so far.
    pub bytes_in: u64,
    /// Bytes sent by the peer so far.
    pub bytes_out: u64,
    /// CPU seconds of the peer so far.
    pub cpu_s: f64,
    /// Mean recall of the classes on the own validation rows, where measured.
    #[serde(default)]
    pub own_balanced: Option<f64>,
    /// Mean recall of the classes on the shared test rows, where measured.
    #[serde(default)]
    pub test_balanced: Option<f64>,
}

/// A model that one peer took from another; `mixes.csv`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct MixRow {
    /// When it had arrived.
    pub t_ms: u64,
    /// Who took it.
    pub name: String,
    /// In which round of the taker.
    pub round: u64,
    /// Whose model it is.
    pub from: String,
    /// Encoded bytes.
    pub bytes: u64,
    /// Milliseconds from request to last byte.
    pub ms: u64,
}

/// A connection that came up or ended, as one side saw it; `links.csv`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct LinkRow {
    /// When.
    pub t_ms: u64,
    /// Who saw it.
    pub name: String,
    /// The other side.
    pub other: String,
    /// 1: came up, 0: ended.
    #[serde(with = "bit")]
    pub up: bool,
}

/// Something done to the network on purpose; `faults.csv`. [`super::fault_moves`] says which kinds take peers down.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct FaultRow {
    /// When.
    pub t_ms: u64,
    /// Which, one word: `crash`, `restart`, `partition`, `heal`, …
    pub kind: String,
    /// The peers it is done to.
    #[serde(with = "words")]
    pub names: Vec<String>,
    /// The same in words for people.
    pub words: String,
}

/// All peers at one moment; `network.csv`. Attackers and peers that are down do not count in the accuracies.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct NetworkRow {
    /// When.
    pub t_ms: u64,
    /// Peers that are up.
    pub up: u64,
    /// Rounds of the slowest honest peer that is up.
    pub rounds_min: u64,
    /// Mean rounds of the honest peers that are up.
    pub rounds_mean: f64,
    /// Accuracy of the worst peer.
    pub worst: Option<f64>,
    /// Mean accuracy.
    pub mean: Option<f64>,
    /// Accuracy of the best peer.
    pub best: Option<f64>,
    /// Root mean square distance of the models to their mean, where known.
    pub disagreement: Option<f64>,
    /// Bytes received by all peers so far.
    pub bytes_in: u64,
    /// Bytes sent by all peers so far.
    pub bytes_out: u64,
    /// CPU seconds of all peers so far.
    pub cpu_s: f64,
    /// Resident memory of all peers, megabytes, where known.
    pub rss_mb: Option<f64>,
}

/// A row of any table.
#[derive(Debug, Clone, PartialEq)]
pub enum Row {
    /// Of `peers.csv`.
    Peer(PeerRow),
    /// Of `rounds.csv`.
    Round(RoundRow),
    /// Of `mixes.csv`.
    Mix(MixRow),
    /// Of `links.csv`.
    Link(LinkRow),
    /// Of `faults.csv`.
    Fault(FaultRow),
    /// Of `network.csv`.
    Network(NetworkRow),
}

/// A list in one cell, joined by spaces.
mod spaced {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(list: &[u64], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&list.iter().map(u64::to_string).collect::<Vec<_>>().join(" "))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u64>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let number = |word: &str| word.parse().map_err(|_| D::Error::custom(format!("{word:?} is no number of rows")));
        text.split_whitespace().map(number).collect()
    }
}

/// Words in one cell, joined by spaces.
mod words {
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(list: &[String], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&list.join(" "))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
        Ok(String::deserialize(deserializer)?.split_whitespace().map(str::to_owned).collect())
    }
}

/// Yes and no as 1 and 0.
mod bit {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(up: &bool, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(u8::from(*up))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
        match u8::deserialize(deserializer)? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(D::Error::custom(format!("up is 0 or 1, not {other}"))),
        }
    }
}
