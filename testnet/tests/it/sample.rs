//! Runs made up for tests of what shows them: curves that rise, peers that crash, a network that is cut in two. Nothing
//! in them was measured.

use std::path::Path;

use peerlearn_harness::name;
use peerlearn_testnet::record::{
    Expectation, FaultRow, LinkRow, Machine, MixRow, NetworkRow, PeerRow, RoundRow, RunInfo, RunOutcome, RunWriter,
    SeedWriter, utc,
};

/// What to make up.
pub struct Sample {
    pub peers: usize,
    pub seconds: u64,
    pub seeds: u64,
    /// Milliseconds of a round.
    pub round_ms: u64,
    /// How fast accuracy rises; 1 is as fast as seconds allow.
    pub speed: f64,
    /// Whether the last seed ends half way, with a half line.
    pub cut: bool,
    /// Put into every text.
    pub salt: &'static str,
}

impl Default for Sample {
    fn default() -> Self {
        Self { peers: 20, seconds: 60, seeds: 3, round_ms: 600, speed: 1.0, cut: false, salt: "" }
    }
}

/// Numbers from 0 to 1 that look random and are the same every time.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as f64 / (1u64 << 31) as f64
    }

    fn below(&mut self, most: usize) -> usize {
        ((self.next() * most as f64) as usize).min(most - 1)
    }
}

impl Sample {
    pub fn write(&self, directory: &Path) {
        let info = RunInfo {
            name: format!("two halves meet again{}", self.salt),
            about: format!(
                "A made-up run: peers learn from skewed data, one crashes, the network is cut in two and heals.{}",
                self.salt
            ),
            driver: "sim".into(),
            command: "peerlearn-testnet run scenarios/halves.toml --driver sim".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            commit: "0000000".into(),
            machine: Machine::here(),
            started: utc(std::time::UNIX_EPOCH),
            seeds: (0..self.seeds).collect(),
            link_faults: "simulated".into(),
            notes: vec!["Nothing here was measured: the rows come from a formula.".into()],
        };
        let writer = RunWriter::create(directory, &info, &format!("name = \"halves\"\n# {}\n", self.salt)).unwrap();
        let mut outcomes = Vec::new();
        for number in 0..self.seeds {
            let mut seed = writer.seed(number).unwrap();
            let half = self.cut && number + 1 == self.seeds;
            self.seed(&mut seed, number, if half { self.seconds / 2 } else { self.seconds });
            if half {
                let table = seed.directory().join("rounds.csv");
                let text = std::fs::read(&table).unwrap();
                std::fs::write(&table, &text[..text.len() - 7]).unwrap();
                return;
            }
            let outcome = seed.standings().outcome(true, "the time of the scenario is over");
            seed.finish(&outcome).unwrap();
            outcomes.push(outcome);
        }
        let expectation = |words: &str, passed: bool, measured: &str| Expectation {
            words: words.into(),
            passed,
            measured: measured.into(),
        };
        let expectations = vec![
            expectation("The worst honest peer reaches 85 % in every seed.", true, "90.1 %, 90.4 %, 89.9 %"),
            expectation("The two halves agree again within 2 s of the healing.", false, "3.4 s in seed 1"),
        ];
        writer.finish(&RunOutcome::new(&outcomes, expectations)).unwrap();
    }

    fn seed(&self, seed: &mut SeedWriter, number: u64, seconds: u64) {
        let mut noise = Noise(number * 977 + 13);
        let names: Vec<String> =
            (0..self.peers).map(|index| name(index) + &self.salt.trim().replace(' ', "/")).collect();
        let attackers = self.peers / 10;
        for (index, name) in names.iter().enumerate() {
            let classes: Vec<u64> = (0..10).map(|_| (noise.next().powi(6) * 120.0) as u64).collect();
            let group = ["north", "south", "phones"][index * 3 / self.peers].into();
            let attack = (index >= self.peers - attackers).then(|| "sign flip".to_owned());
            let (peer, rows) = (format!("{index:064x}"), classes.iter().sum());
            seed.peer(PeerRow { peer, name: name.clone(), group, attack, rows, classes }).unwrap();
        }
        self.links(seed, &names, &mut noise);
        let whole = self.seconds * 1000;
        let (crash, restart, cut, heal) = (whole / 5, whole / 3, whole * 45 / 100, whole * 70 / 100);
        let faults = [
            (crash, "crash", &names[1..2], "crashes"),
            (restart, "restart", &names[1..2], "starts again from its checkpoint"),
            (cut, "partition", &names[..self.peers / 2], "and those after it are cut off from the others"),
            (heal, "heal", &names[..], "and all others see each other again"),
        ];
        let mut told = 0;
        let mut next: Vec<u64> = (0..self.peers).map(|index| index as u64 * self.round_ms / 20).collect();
        let mut rounds = vec![0u64; self.peers];
        for t_ms in (0..=seconds * 1000).step_by(250) {
            while let Some((at, kind, of, what)) = faults.get(told).filter(|fault| fault.0 <= t_ms) {
                let words = format!("{} {what}{}", of[0], self.salt);
                let names = of.to_vec();
                seed.fault(FaultRow { t_ms: *at, kind: (*kind).into(), names, words }).unwrap();
                told += 1;
            }
            for index in 0..self.peers {
                if next[index] > t_ms || (index == 1 && (crash..restart).contains(&t_ms)) {
                    continue;
                }
                next[index] = t_ms + self.round_ms;
                rounds[index] += 1;
                let parted = (cut..heal).contains(&t_ms);
                self.round(seed, &names, index, rounds[index], t_ms, parted, &mut noise);
            }
            let spread = 2.0 * (-4.0 * t_ms as f64 / whole as f64).exp() + 0.01 * noise.next();
            let parted = if (cut..heal).contains(&t_ms) { 0.4 } else { 0.0 };
            let row = seed.standings().network(t_ms);
            let disagreement = Some(spread + parted);
            seed.network(NetworkRow { disagreement, rss_mb: Some(31.0 * self.peers as f64), ..row }).unwrap();
        }
    }

    fn links(&self, seed: &mut SeedWriter, names: &[String], noise: &mut Noise) {
        for name in names {
            for _ in 0..6 {
                let (t_ms, other) = ((noise.next() * 2000.0) as u64, names[noise.below(names.len())].clone());
                seed.link(LinkRow { t_ms, name: name.clone(), other, up: true }).unwrap();
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "a helper of one test")]
    fn round(
        &self,
        seed: &mut SeedWriter,
        names: &[String],
        index: usize,
        round: u64,
        t_ms: u64,
        parted: bool,
        noise: &mut Noise,
    ) {
        let name = names[index].clone();
        for _ in 0..4 {
            let from = noise.below(names.len());
            let same_half = (from < names.len() / 2) == (index < names.len() / 2);
            if from == index || (parted && !same_half) {
                continue;
            }
            let (bytes, ms) = (16_400, 3 + (noise.next() * 20.0) as u64);
            seed.mix(MixRow { t_ms, name: name.clone(), round, from: names[from].clone(), bytes, ms }).unwrap();
        }
        let learned = 1.0 - (-7.0 * self.speed * t_ms as f64 / (self.seconds as f64 * 1000.0)).exp();
        let skill = 0.96 - 0.06 * index as f64 / names.len() as f64;
        let drop = if parted { 0.03 } else { 0.0 };
        let accuracy = (0.1 + (skill - 0.1) * learned - drop + 0.01 * (noise.next() - 0.5)).clamp(0.0, 1.0);
        let row = RoundRow {
            t_ms,
            name,
            round,
            drawn: 4,
            mixed: 4,
            refused: 0,
            age: round * 640,
            own_accuracy: Some(accuracy),
            own_loss: Some(1.0 - accuracy),
            test_accuracy: Some((accuracy * 1e4).round() / 1e4),
            test_loss: Some(1.0 - accuracy),
            bytes_in: round * 65_600,
            bytes_out: round * (60_000 + 500 * index as u64),
            cpu_s: round as f64 * 0.04,
            own_balanced: None,
            test_balanced: None,
        };
        seed.round(row).unwrap();
    }
}
