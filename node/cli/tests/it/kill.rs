//! kill -9 at a random instant, fifty times.

use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::process::{Running, peerlearn};

fn number_after(line: &str, word: &str) -> Option<u64> {
    let rest = line.split(word).nth(1)?;
    rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok()
}

#[test]
fn every_restart_resumes_from_the_last_committed_round() {
    const SEED: u64 = 4;
    let directory = tempfile::tempdir().unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let mut committed = 0;
    let mut identity = None;
    let mut starts = Vec::new();
    for life in 0..50 {
        let mut command = peerlearn(directory.path());
        command.args(["--log", "warn,peerlearn=info", "run", "--set", "network.mdns=false"]);
        command.args(["--set", "network.listen=[\"/ip4/127.0.0.1/tcp/0\"]", "--set", "round.join_wait=1ms"]);
        command.args(["--set", "round.min_interval=0s", "--set", "round.commit_every=0s", "--set", "training.steps=1"]);
        command.args(["--set", "round.evaluate_every=1000000"]);
        let mut node = Running::start(command);
        // A third of the lives end while the node starts, the others somewhere in its rounds.
        if life % 3 > 0 {
            node.wait_for("others join with");
        }
        std::thread::sleep(Duration::from_micros(rng.random_range(0..60_000)));
        node.kill();
        // Lines of one life may change places: its first commit may be said before where it started from.
        let before = committed;
        for line in node.drain() {
            assert!(!line.contains("panicked") && !line.contains("error:"), "life {life}, seed {SEED}: {line}");
            if let Some(round) = number_after(line, " rows, round ") {
                assert!(round >= before, "life {life}, seed {SEED}: back from {before} to {round}");
                starts.push(round);
                committed = committed.max(round);
            }
            if let Some(peer) = line.strip_prefix("peer 12D3").map(str::to_owned) {
                assert_eq!(*identity.get_or_insert(peer.clone()), peer, "life {life}");
            }
            // Said only after the file was synced and renamed.
            if let Some(round) = number_after(line, "Committed { round: ") {
                committed = committed.max(round);
            }
        }
    }
    assert!(starts.len() >= 33 && committed > 50, "{committed} rounds in {} lives: {starts:?}", starts.len());
}
