//! A learner without burn: softmax regression in plain Rust, learnt by two peers.
//!
//! Run it with: `cargo run --release --example no_burn`
//!
//! This is all that [`Learner`] asks for; anything that has flat parameters and can be trained fits behind it, also a
//! model in another process or on another device.

use std::sync::Arc;

use peerlearn::learner::{ClassTally, Evaluation, LearnError, Learner, TrainPlan, TrainReport};
use peerlearn::protocols::params::{Layout, TensorSpec};
use peerlearn::{Dataset, Node, NodeConfig, NodeEvent};

/// `scores = features * weights + biases`; weights are `[width, classes]`, row by row, biases come last.
struct Softmax {
    layout: Layout,
    width: usize,
    classes: usize,
    params: Vec<f32>,
}

impl Softmax {
    fn new(width: usize, classes: usize) -> Result<Self, LearnError> {
        let tensor = |name: &str, shape: &[usize]| TensorSpec { name: name.to_owned(), shape: shape.to_vec() };
        let layout = Layout::new(vec![tensor("weights", &[width, classes]), tensor("biases", &[classes])])?;
        Ok(Self { params: vec![0.0; layout.len()], layout, width, classes })
    }

    /// Class probabilities of one row.
    fn probabilities(&self, row: &[f32]) -> Vec<f32> {
        let (weights, biases) = self.params.split_at(self.width * self.classes);
        let mut scores = biases.to_vec();
        for (value, weights) in row.iter().zip(weights.chunks(self.classes)) {
            scores.iter_mut().zip(weights).for_each(|(score, weight)| *score += value * weight);
        }
        let most = scores.iter().copied().fold(f32::MIN, f32::max);
        scores.iter_mut().for_each(|score| *score = (*score - most).exp());
        let sum: f32 = scores.iter().sum();
        scores.iter().map(|score| score / sum).collect()
    }

    /// Adds the gradient of one row to `gradient`; answers the loss.
    fn add_gradient(&self, row: &[f32], label: usize, gradient: &mut [f32]) -> f32 {
        let mut errors = self.probabilities(row);
        let loss = -errors[label].max(f32::MIN_POSITIVE).ln();
        errors[label] -= 1.0;
        let (weights, biases) = gradient.split_at_mut(self.width * self.classes);
        for (value, weights) in row.iter().zip(weights.chunks_mut(self.classes)) {
            weights.iter_mut().zip(&errors).for_each(|(weight, error)| *weight += value * error);
        }
        biases.iter_mut().zip(&errors).for_each(|(bias, error)| *bias += error);
        loss
    }
}

impl Learner for Softmax {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn read(&self, out: &mut [f32]) {
        out.copy_from_slice(&self.params);
    }

    fn write(&mut self, params: &[f32]) -> Result<(), LearnError> {
        self.layout.check(params)?;
        self.params.copy_from_slice(params);
        Ok(())
    }

    fn train(&mut self, data: &Dataset, plan: &TrainPlan<'_>) -> Result<TrainReport, LearnError> {
        let mut batches = plan.batches_of(data);
        let mut velocity = vec![0.0f32; self.params.len()];
        let (mut samples, mut loss) = (0, 0.0);
        for _ in 0..plan.steps {
            let rows = batches.next_batch().to_vec();
            let mut gradient = vec![0.0; self.params.len()];
            for &row in &rows {
                loss += self.add_gradient(&data.row(row), data.labels()[row] as usize, &mut gradient);
            }
            gradient.iter_mut().for_each(|value| *value /= rows.len() as f32);
            let norm = gradient.iter().map(|value| value * value).sum::<f32>().sqrt();
            let scale = if plan.clip_norm > 0.0 && norm > plan.clip_norm { plan.clip_norm / norm } else { 1.0 };
            for (index, param) in self.params.iter_mut().enumerate() {
                let drift = plan.correction.map_or(0.0, |correction| correction[index]);
                let step = scale * gradient[index] + plan.weight_decay * *param + drift;
                velocity[index] = plan.momentum * velocity[index] + step;
                *param -= plan.learning_rate * velocity[index];
            }
            samples += rows.len() as u64;
        }
        Ok(TrainReport { steps: plan.steps, samples, loss: loss / samples.max(1) as f32 })
    }

    fn evaluate(&mut self, data: &Dataset) -> Result<Evaluation, LearnError> {
        let mut tally = ClassTally::new(self.classes);
        for (row, &label) in data.labels().iter().enumerate() {
            let probabilities = self.probabilities(&data.row(row));
            let loss = -probabilities[label as usize].max(f32::MIN_POSITIVE).ln();
            tally.add(&probabilities, label, loss.into());
        }
        Ok(tally.evaluation())
    }

    fn predict(&mut self, features: &[f32]) -> Result<Vec<f32>, LearnError> {
        Ok(features.chunks(self.width).flat_map(|row| self.probabilities(row)).collect())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut contact = Vec::new();
    let mut nodes = Vec::new();
    for part in 0..2 {
        let mut config = NodeConfig::default();
        config.network.listen = vec!["/ip4/127.0.0.1/tcp/0".to_owned()];
        config.network.mdns = false;
        config.network.contacts = contact;
        config.data.partition = Some("shards:2".parse()?);
        config.data.parts = 2;
        config.data.part = Some(part);
        config.round.min_interval = std::time::Duration::ZERO;
        config.training.learning_rate = 0.1;
        let learner = Arc::new(|| Ok(Box::new(Softmax::new(64, 10)?) as Box<dyn Learner>));
        let node = Node::builder(config).learner("plain-softmax", learner).spawn().await?;
        contact = node.addresses().await.into_iter().take(1).collect();
        nodes.push(node);
    }
    let mut events = nodes[0].subscribe();
    loop {
        if let NodeEvent::RoundClosed { round, mixed, test: Some(test), .. } = events.recv().await?.event {
            println!("round {round}: mixed {mixed}, {:.1} % of the test digits", test.accuracy * 100.0);
            if round >= 100 {
                break;
            }
        }
    }
    for node in &nodes {
        node.stop().await;
    }
    Ok(())
}
