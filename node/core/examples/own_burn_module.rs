//! A burn module of your own, learnt by three peers that each keep their part of the digits.
//!
//! Run it with: `cargo run --release --example own_burn_module`
//!
//! All that peerlearn asks of a module is a forward pass to class scores. Names, shapes, initial weights, training,
//! drift correction, mixing and the wire follow from the module itself.

use std::sync::Arc;

use burn::module::Module;
use burn::nn::{LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::activation::gelu;
use burn::tensor::{Device, Tensor};
use peerlearn::learner::{BurnLearner, BurnModel, LearnError, Learner, burn};
use peerlearn::{Node, NodeConfig, NodeEvent};

/// Two dense layers around a residual block.
#[derive(Module, Debug)]
struct Residual {
    enter: Linear,
    norm: LayerNorm,
    block: Linear,
    leave: Linear,
}

impl Residual {
    fn new(width: usize, hidden: usize, classes: usize, device: &Device) -> Self {
        Self {
            enter: LinearConfig::new(width, hidden).init(device),
            norm: LayerNormConfig::new(hidden).init(device),
            block: LinearConfig::new(hidden, hidden).init(device),
            leave: LinearConfig::new(hidden, classes).init(device),
        }
    }
}

impl BurnModel for Residual {
    fn forward(&self, features: Tensor<2>) -> Tensor<2> {
        let x = gelu(self.enter.forward(features));
        let x = x.clone() + gelu(self.block.forward(self.norm.forward(x)));
        self.leave.forward(x)
    }
}

fn learner() -> Result<Box<dyn Learner>, LearnError> {
    let device = Device::flex().autodiff();
    Ok(Box::new(BurnLearner::new(Residual::new(64, 48, 10, &device), &[1, 8, 8], 10)?))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut contact = Vec::new();
    let mut nodes = Vec::new();
    for part in 0..3 {
        let mut config = NodeConfig::default();
        config.network.listen = vec!["/ip4/127.0.0.1/tcp/0".to_owned()];
        config.network.mdns = false;
        config.network.contacts = contact;
        config.data.partition = Some("dirichlet:0.5".parse()?);
        config.data.parts = 3;
        config.data.part = Some(part);
        config.round.min_interval = std::time::Duration::ZERO;
        config.training.learning_rate = 0.05;
        // The name is part of the task: peers with another module under another name are refused.
        let node = Node::builder(config).learner("residual:48", Arc::new(learner)).spawn().await?;
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
