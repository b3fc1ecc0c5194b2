//! What each ingredient of the default recipe is worth: the demo again and again, with one setting changed at a time.
//!
//! Run it with: `cargo run --release --example ablations` (a quarter of an hour on two cores), or with other seeds and
//! fewer rows: `cargo run --release --example ablations -- --seeds 0,1 momentum`
//!
//! Prints a Markdown table: accuracy on the 1,797 test digits of the worst peer and of the mean peer, mean and standard
//! deviation over the seeds, and megabytes received a peer.

use peerlearn::config::Layers;
use peerlearn_harness::{DemoPlan, Ending, Outcome, run};
use tokio::sync::watch;

const ROUNDS: u64 = 300;

/// What changes, and to what.
const ROWS: [(&str, &[&str]); 18] = [
    ("default recipe", &[]),
    ("no control variate", &["training.control_variate=0"]),
    ("control variate 0.1", &["training.control_variate=0.1"]),
    ("no momentum", &["training.momentum=0"]),
    ("gradients not clipped", &["training.clip_norm=0"]),
    ("the newest model, no moving average", &["mixing.moving_average=0"]),
    ("waits for all models of a round", &["round.straggler_timeout=0"]),
    ("constant step size", &["training.decay_rounds=0"]),
    ("plain: none of the three", &["training.control_variate=0", "training.momentum=0", "training.decay_rounds=0"]),
    (
        "outer Nesterov, eta 0.05, no control variate",
        &["mixing.outer.enabled=true", "training.control_variate=0", "training.learning_rate=0.05"],
    ),
    ("FedProx 0.1, no control variate", &["training.proximal=0.1", "training.control_variate=0"]),
    ("f32 on the wire", &["exchange.codec=f32"]),
    ("f16 on the wire", &["exchange.codec=f16"]),
    ("1 peer a round", &["round.fan_out=1"]),
    ("2 peers a round", &["round.fan_out=2"]),
    ("1 peer a round, f32 (the bytes of 4 in int8)", &["round.fan_out=1", "exchange.codec=f32"]),
    ("weights by rows", &["mixing.rule=sample-weighted"]),
    ("uniform weights, whatever the age", &["mixing.rule=uniform"]),
];

async fn demo(settings: &[&str], seed: u64) -> Result<Outcome, Box<dyn std::error::Error>> {
    let settings: Vec<String> = ["round.min_interval=0s"].iter().chain(settings).map(|s| (*s).to_owned()).collect();
    let plan = DemoPlan {
        peers: 8,
        partition: "dirichlet:0.1".parse()?,
        rounds: ROUNDS,
        until_accuracy: None,
        seed,
        config: Layers::new().settings(&settings)?.load()?,
        out: None,
    };
    let (_stop, stopped) = watch::channel(false);
    match run(&plan, stopped, |_| {}).await? {
        Ending::Finished { outcome, .. } => Ok(*outcome),
        Ending::Interrupted => Err("interrupted".into()),
    }
}

/// Mean and sample standard deviation, in percent.
fn spread(values: impl Iterator<Item = f32> + Clone) -> String {
    let count = values.clone().count() as f32;
    let mean = values.clone().sum::<f32>() / count;
    let variance = values.map(|value| (value - mean).powi(2)).sum::<f32>() / (count - 1.0).max(1.0);
    format!("{:.2} ± {:.2}", mean * 100.0, variance.sqrt() * 100.0)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1).peekable();
    let mut seeds = vec![0, 1, 2];
    if arguments.next_if(|argument| argument == "--seeds").is_some() {
        let list = arguments.next().ok_or("--seeds needs a list such as 0,1,2")?;
        seeds = list.split(',').map(str::parse).collect::<Result<_, _>>()?;
    }
    let words: Vec<String> = arguments.collect();
    println!("| 8 peers, Dirichlet 0.1, {ROUNDS} rounds | worst peer % | mean peer % | pooled % | MB a peer | s |");
    println!("|---|---|---|---|---|---|");
    for (label, settings) in ROWS {
        if !words.is_empty() && !words.iter().any(|word| label.contains(word.as_str())) {
            continue;
        }
        let mut outcomes = Vec::new();
        for &seed in &seeds {
            outcomes.push(demo(settings, seed).await?);
        }
        let column = |pick: fn(&Outcome) -> f32| spread(outcomes.iter().map(pick));
        let megabytes = outcomes.iter().map(|o| o.bytes_in as f64).sum::<f64>() / (8e6 * outcomes.len() as f64);
        let seconds = outcomes.iter().map(|o| o.seconds).sum::<f64>() / outcomes.len() as f64;
        println!(
            "| {label} | {} | {} | {} | {megabytes:.1} | {seconds:.1} |",
            column(|o| o.worst),
            column(|o| o.mean),
            column(|o| o.pooled),
        );
    }
    Ok(())
}
