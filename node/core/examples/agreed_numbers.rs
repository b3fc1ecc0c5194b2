//! What agreeing on numbers is worth: eight nodes on badly skewed parts of a table, with the numbers that one of them wrote into the
//! task, with numbers that all agree on, and with none in the task.
//!
//! `cargo run --release -p peerlearn --example agreed_numbers -- TABLE.csv TEST.csv [rounds] [seeds]`; the last column is the label.

use std::path::{Path, PathBuf};
use std::time::Duration;

use peerlearn::data::{Known, Partition, Preprocessing, Survey, Wishes, load, propose};
use peerlearn::learner::Part;
use peerlearn::network::NetworkConfig;
use peerlearn::status::Phase;
use peerlearn::task::{Charter, Definition, Document, FrameRule, ModelSpec, Schema};
use peerlearn::{Node, NodeConfig};

type Failed = Box<dyn std::error::Error>;

const PEERS: usize = 8;

fn config(table: &Path, test: &Path, part: usize, rounds: u64, seed: u64, contacts: Vec<String>) -> NodeConfig {
    let mut config = NodeConfig::default();
    config.network =
        NetworkConfig { listen: NetworkConfig::any_port("127.0.0.1"), contacts, mdns: false, ..config.network };
    config.round.min_interval = Duration::ZERO;
    config.round.rounds = rounds;
    config.training.seed = seed * 1000 + part as u64;
    config.data.source = table.display().to_string();
    config.data.test = test.display().to_string();
    config.data.partition = Some(Partition::Dirichlet(0.1));
    (config.data.parts, config.data.part, config.data.seed) = (PEERS, Some(part), seed);
    config
}

/// A task with the numbers that peer `owner` has by its own rows; with none, where there is none.
fn task(schema: &Schema, rule: FrameRule, config: &NodeConfig, has_owner: bool) -> Result<Document, Failed> {
    let mut schema = schema.clone();
    schema.frame.rule = FrameRule::Agreed;
    schema.columns.values_mut().for_each(|column| (column.mean, column.sd) = (None, None));
    if has_owner {
        let (preprocessing, charter) = (Preprocessing::of(schema.clone()), Charter::default());
        let own = load(&config.data, &[0; 32], Some(Known { preprocessing: &preprocessing, charter: &charter }))?;
        for (name, column) in &mut schema.columns {
            let numbers = own.moments.get(name).and_then(|moments| moments.rounded());
            (column.mean, column.sd) = numbers.unzip();
        }
    }
    schema.frame.rule = rule;
    let model = ModelSpec { net: "mlp:64,32".to_owned(), loss: schema.usual_loss().to_owned(), layout: None };
    Ok(Document { definition: Definition::new("agreed-numbers", model, schema)?, charter: Charter::default() })
}

/// Worst and mean accuracy on the test rows, and peers in the frame at the end.
async fn run(
    document: &Document,
    table: &Path,
    test: &Path,
    rounds: u64,
    seed: u64,
) -> Result<(f32, f32, usize), Failed> {
    let mut nodes: Vec<Node> = Vec::new();
    for part in 0..PEERS {
        let contacts = match nodes.last() {
            Some(node) => node.addresses().await.into_iter().take(1).collect(),
            None => Vec::new(),
        };
        let config = config(table, test, part, rounds, seed, contacts);
        nodes.push(Node::builder(config).task(document.clone()).spawn().await?);
    }
    let mut all = Vec::new();
    for node in &nodes {
        while node.status().await.phase != Phase::Finished {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    for node in &nodes {
        all.push(node.evaluate(Part::Test).await?.ok_or("no test rows")?.accuracy);
    }
    let voices = nodes.iter().filter_map(Node::frame).map(|frame| frame.voices).min().unwrap_or(0);
    for node in &nodes {
        node.stop().await;
    }
    Ok((all.iter().copied().fold(1.0, f32::min), all.iter().sum::<f32>() / all.len() as f32, voices))
}

fn main() -> Result<(), Failed> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [table, test, ..] = &arguments[..] else { return Err("say a table and rows to measure on".into()) };
    let (table, test) = (PathBuf::from(table), PathBuf::from(test));
    let number = |at: usize, usual: u64| arguments.get(at).map_or(Ok(usual), |text| text.parse());
    let (rounds, seeds) = (number(2, 200)?, number(3, 3)?);
    let survey = Survey::of(&table, &Default::default())?;
    let label = survey.columns.last().ok_or("no columns")?.name.clone();
    let wishes = Wishes { label: Some(label.clone()), number: Some(false), ..Wishes::default() };
    let schema = propose(&survey, &wishes).map_err(|finding| finding.to_string())?.schema;
    let runtime = tokio::runtime::Runtime::new()?;
    for (numbers, has_owner) in [("of one peer", true), ("none", false)] {
        for rule in [FrameRule::Declared, FrameRule::Agreed] {
            let (mut worst, mut mean, mut least) = (Vec::new(), Vec::new(), usize::MAX);
            for seed in 0..seeds {
                let owner = config(&table, &test, 0, rounds, seed, Vec::new());
                let mut owner = owner;
                owner.data.label.clone_from(&label);
                let document = task(&schema, rule, &owner, has_owner)?;
                let (a, b, voices) = runtime.block_on(run(&document, &table, &test, rounds, seed))?;
                worst.push(a);
                mean.push(b);
                least = least.min(voices);
            }
            let percent = |of: &[f32]| 100.0 * of.iter().sum::<f32>() / of.len() as f32;
            println!(
                "numbers in the task {numbers:<12} rule {rule:?}: worst {:.2} {worst:?}, mean {:.2}, frame of {least} or more",
                percent(&worst),
                percent(&mean)
            );
        }
    }
    Ok(())
}
