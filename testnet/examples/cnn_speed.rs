//! Prints how long one gradient of the ClippedGossip network takes on one core.

use std::time::Instant;

use peerlearn_protocols::dataset::Dataset;
use peerlearn_sim::Model;
use peerlearn_testnet::cnn::{ClippedGossipCnn, Dropout};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Images in a batch, as in the paper.
const BATCH: usize = 32;
/// Multiply-adds for one image: forward, gradient of the weights, and (but for the first layer) of the input.
const MULTIPLY_ADDS: usize = 2 * 676 * 9 * 32 + 3 * (576 * 288 * 64 + 9216 * 128 + 128 * 10);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let model = ClippedGossipCnn::new(Dropout::Fresh)?;
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let features = (0..BATCH * 784).map(|_| rng.random_range(0.0..1.0)).collect();
    let labels = (0..BATCH).map(|_| rng.random_range(0..10)).collect();
    let rows = Dataset::new(vec![784], 10, features, labels)?;
    let params = model.initial(1);
    let mut gradient = vec![0.0; params.len()];
    let batch: Vec<usize> = (0..BATCH).collect();
    let mut times: Vec<f64> = Vec::new();
    for _ in 0..60 {
        let start = Instant::now();
        std::hint::black_box(model.gradient(&params, &rows, &batch, &mut rng, &mut gradient));
        times.push(start.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    let start = Instant::now();
    std::hint::black_box(model.scores(&params, &rows, &batch));
    let scores = start.elapsed().as_secs_f64();
    let flops = 2.0 * (MULTIPLY_ADDS * BATCH) as f64;
    for (name, seconds) in [("best", times[0]), ("median", times[times.len() / 2])] {
        println!("gradient, batch {BATCH}, {name}: {:.1} ms, {:.1} GFLOP/s", 1e3 * seconds, 1e-9 * flops / seconds);
    }
    println!("scores, batch {BATCH}: {:.1} ms", 1e3 * scores);
    Ok(())
}
