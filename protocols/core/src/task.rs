//! What all peers of a network agree on before they ever meet.

use serde::{Deserialize, Serialize};

use crate::id::TaskId;
use crate::params::Layout;

/// A task: two peers learn together exactly when their tasks have the same [`Task::id`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// A word chosen by people that keeps otherwise equal networks apart, for example `digits` or `ward-7`.
    pub network: String,
    /// Model family with its sizes, for example `mlp:64,32`.
    pub model: String,
    /// Shape of one example, for example `[1, 8, 8]`.
    pub input: Vec<usize>,
    /// Names of the features of a table, in the order of the inputs; empty for images. Weights of one column are not averaged
    /// with those of another.
    pub columns: Vec<String>,
    /// Names of the classes, in the order of the outputs: `cat` and `wolf` are not averaged because both are class 0.
    pub classes: Vec<String>,
    /// How raw values become model inputs, for example `unit:16`; peers with other scales cannot average.
    pub scaling: String,
    /// Name of the loss, for example `cross-entropy`.
    pub loss: String,
    /// Names and shapes of the shared parameters.
    pub layout: Layout,
}

/// The parts of a task that people can read, for tickets, `status` and refusals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskSummary {
    /// Hash of the task.
    pub id: TaskId,
    /// See [`Task::network`].
    pub network: String,
    /// See [`Task::model`].
    pub model: String,
    /// See [`Task::input`].
    pub input: Vec<usize>,
    /// Number of [`Task::classes`].
    pub classes: usize,
    /// See [`Task::scaling`].
    pub scaling: String,
}

impl Task {
    /// The name of the task: a hash over every field. It names the gossip topic and seeds the initial weights.
    pub fn id(&self) -> TaskId {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"peerlearn task 2");
        let number = |hasher: &mut blake3::Hasher, number: usize| {
            hasher.update(&(number as u64).to_le_bytes());
        };
        let texts = |hasher: &mut blake3::Hasher, texts: &[&String]| {
            number(hasher, texts.len());
            for text in texts {
                number(hasher, text.len());
                hasher.update(text.as_bytes());
            }
        };
        texts(&mut hasher, &[&self.network, &self.model, &self.scaling, &self.loss]);
        texts(&mut hasher, &self.columns.iter().collect::<Vec<_>>());
        texts(&mut hasher, &self.classes.iter().collect::<Vec<_>>());
        number(&mut hasher, self.input.len());
        self.input.iter().for_each(|&size| number(&mut hasher, size));
        hasher.update(self.layout.hash().as_bytes());
        TaskId(*hasher.finalize().as_bytes())
    }

    /// The readable part.
    pub fn summary(&self) -> TaskSummary {
        TaskSummary {
            id: self.id(),
            network: self.network.clone(),
            model: self.model.clone(),
            input: self.input.clone(),
            classes: self.classes.len(),
            scaling: self.scaling.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::TensorSpec;

    fn digits() -> Task {
        let layout = Layout::new(vec![TensorSpec { name: "w".into(), shape: vec![64, 10] }]).unwrap();
        Task {
            network: "digits".into(),
            model: "linear".into(),
            input: vec![1, 8, 8],
            columns: Vec::new(),
            classes: (0..10).map(|digit| digit.to_string()).collect(),
            scaling: "unit:16".into(),
            loss: "cross-entropy".into(),
            layout,
        }
    }

    #[test]
    fn every_field_changes_the_id() {
        let mut ids = vec![digits().id()];
        let changes: [fn(&mut Task); 9] = [
            |task| task.network.push('x'),
            |task| task.model.push('x'),
            |task| task.input = vec![8, 8, 1],
            |task| task.classes.push("10".into()),
            |task| task.classes.swap(0, 1),
            |task| task.columns.push("age".into()),
            |task| task.classes[3].push('x'),
            |task| task.scaling.push('x'),
            |task| task.loss.push('x'),
        ];
        for change in changes {
            let mut task = digits();
            change(&mut task);
            ids.push(task.id());
        }
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 10);
    }
}
