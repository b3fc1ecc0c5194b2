//! Runs the random world of one seed again: `cargo run --release -p peerlearn-sim --example trial -- SEED`.

use peerlearn_sim::trial;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let seed = std::env::args().nth(1).ok_or("which seed?")?.parse()?;
    let trial = trial::run(seed).ok_or("the task is impossible")?;
    println!("seed {seed}: {}", trial.world);
    println!("disagreement {:.3} -> {:.3}, hash {:#018x}", trial.disagreement.0, trial.disagreement.1, trial.digest);
    for (peer, (stats, lie)) in trial.stats.iter().zip(&trial.lies).enumerate() {
        let lie = lie.map_or(String::new(), |lie| format!(", {lie:?}"));
        println!(
            "peer {peer:2}: {} rounds, {} mixed, {} refused, {} failed, {} faults, longest wait {:?}{lie}",
            stats.rounds, stats.mixed, stats.refused, stats.failed, stats.faults, stats.longest_wait
        );
    }
    match trial.violation() {
        None => println!("everything holds; nobody may wait longer than {:?}", trial.bound),
        Some(violation) => return Err(violation.into()),
    }
    Ok(())
}
