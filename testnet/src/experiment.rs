//! A whole experiment: a scenario through one driver, every seed, its records and what comes of its expectations.

mod baselines;
mod driver;
mod sweep;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use peerlearn::data::Loaded;
use tokio::sync::{mpsc, watch};

pub use driver::Driver;
pub use sweep::{Sweep, SweepError, Varied};

use crate::fleet::{Children, Containers, DockerSetup, Here, InProcess};
use crate::record::{Expectation, Machine, Outcome, Row, RunInfo, RunOutcome, RunWriter, SeedWriter, utc};
use crate::run::{Ending, RunError, TOLD, run_real, run_simulated};
use crate::scenario::{Document, Partitioned, Plan, Reached, ScenarioError, judge, partition_rows};

/// Rows that may wait to be shown.
const ROWS: usize = 1024;
/// Most real peers in one experiment: beyond that one machine measures itself.
const MOST_REAL: usize = 1000;

/// An experiment, checked and ready.
#[derive(Debug)]
pub struct Experiment {
    document: Document,
    driver: Driver,
    plans: Vec<(Plan, Partitioned)>,
    docker: DockerSetup,
    command: String,
    /// All rows of a seed in one place, where peers are compared with training alone and pooled.
    pooled: BTreeMap<u64, Loaded>,
}

/// What came of an experiment.
#[derive(Debug)]
pub struct Finished {
    /// Its directory.
    pub directory: PathBuf,
    /// Seeds that were run.
    pub seeds: usize,
    /// Over all of them.
    pub outcome: RunOutcome,
    /// Whether somebody stopped it.
    pub interrupted: bool,
}

impl Experiment {
    /// Checks a scenario with every seed and partitions its rows; nothing is started.
    ///
    /// # Errors
    /// Whatever is wrong with it, or what the driver cannot do.
    pub fn prepare(document: Document, driver: Driver, docker: DockerSetup, command: String) -> Result<Self, RunError> {
        let seeds = document.scenario()?.seeds;
        if seeds.is_empty() {
            return Err(document.wrong("seeds", "at least one seed is needed").into());
        }
        let mut plans = Vec::new();
        for seed in seeds {
            let plan = Plan::new(&document, seed)?;
            if driver != Driver::Sim && plan.peers.len() > MOST_REAL {
                let reason = format!("{} real peers; {MOST_REAL} at most, or use --driver sim", plan.peers.len());
                return Err(document.wrong("group", reason).into());
            }
            let partitioned = partition_rows(&document, &plan.scenario.data, plan.peers.len(), seed)?;
            plans.push((plan, partitioned));
        }
        Ok(Self { document, driver, plans, docker, command, pooled: BTreeMap::new() })
    }

    /// The name of the scenario.
    pub fn name(&self) -> &str {
        self.plans.first().map_or("", |(plan, _)| &plan.scenario.name)
    }

    /// The longest time of a run, in milliseconds.
    pub fn time_limit_ms(&self) -> Option<u64> {
        self.plans.first().map(|(plan, _)| plan.scenario.time_limit.0.as_millis() as u64)
    }

    /// Whether its seeds are run at the same time.
    pub fn is_side_by_side(&self) -> bool {
        self.driver == Driver::Sim
    }

    /// The plans, one a seed, with the rows of their peers.
    pub fn plans(&self) -> &[(Plan, Partitioned)] {
        &self.plans
    }

    /// Runs every seed that `directory` does not have yet, and judges what came of them. `watch` sees every row with
    /// its seed; `stop` ends it early.
    ///
    /// # Errors
    /// A run could not go on. What was measured is in the directory.
    pub async fn run(
        &self,
        directory: &Path,
        stop: watch::Receiver<bool>,
        watch: &mut dyn FnMut(u64, &Row),
    ) -> Result<Finished, RunError> {
        let writer = RunWriter::create(directory, &self.info(), &self.document.resolved())?;
        let (outcomes, interrupted) = match self.driver {
            Driver::Sim => self.simulate(&writer, &stop, watch)?,
            _ => self.run_in_turn(&writer, stop, watch).await?,
        };
        let outcome = self.judged(&outcomes);
        if !interrupted {
            // Without it, a run is one that was cut.
            writer.finish(&outcome)?;
        }
        Ok(Finished { directory: directory.to_owned(), seeds: outcomes.len(), outcome, interrupted })
    }

    /// Real nodes: one seed after the other, because they share the machine.
    async fn run_in_turn(
        &self,
        writer: &RunWriter,
        stop: watch::Receiver<bool>,
        watch: &mut dyn FnMut(u64, &Row),
    ) -> Result<(Vec<Outcome>, bool), RunError> {
        let mut outcomes = Vec::new();
        for (plan, partitioned) in &self.plans {
            let mut seed = writer.seed(plan.seed)?;
            save_partition(&seed, partitioned)?;
            let ending =
                self.run_seed(plan, partitioned, &mut seed, stop.clone(), &mut |row| watch(plan.seed, row)).await?;
            let mut outcome = seed.standings().outcome(ending.is_finished(), ending.words());
            outcome.baselines = self.baselines(plan, partitioned, outcome.rounds_min)?;
            seed.finish(&outcome)?;
            outcomes.push(outcome);
            if ending == Ending::Interrupted {
                return Ok((outcomes, true));
            }
        }
        Ok((outcomes, false))
    }

    /// Simulated peers: seeds side by side, on as many threads as there are.
    fn simulate(
        &self,
        writer: &RunWriter,
        stop: &watch::Receiver<bool>,
        watch: &mut dyn FnMut(u64, &Row),
    ) -> Result<(Vec<Outcome>, bool), RunError> {
        let (rows, shown) = std::sync::mpsc::sync_channel::<(u64, Row)>(ROWS);
        let simulate_one = move |(plan, partitioned): &(Plan, Partitioned)| -> Result<(Outcome, Ending), RunError> {
            let mut seed = writer.seed(plan.seed)?;
            save_partition(&seed, partitioned)?;
            // Nobody watches any more when the main thread has failed.
            let mut show = |row: &Row| drop(rows.send((plan.seed, row.clone())));
            let ending = run_simulated(plan, partitioned, &mut seed, stop, &mut show)?;
            let mut outcome = seed.standings().outcome(ending.is_finished(), ending.words());
            outcome.baselines = self.baselines(plan, partitioned, outcome.rounds_min)?;
            seed.finish(&outcome)?;
            Ok((outcome, ending))
        };
        let results: Vec<Result<(Outcome, Ending), RunError>> = std::thread::scope(|scope| {
            let working = scope.spawn(move || {
                use rayon::prelude::*;
                // Takes the sender with it, so that showing ends with the work.
                let simulate_one = simulate_one;
                self.plans.par_iter().map(simulate_one).collect()
            });
            shown.iter().for_each(|(seed, row)| watch(seed, &row));
            working.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        let ended = results.into_iter().collect::<Result<Vec<_>, _>>()?;
        let interrupted = ended.iter().any(|(_, ending)| *ending == Ending::Interrupted);
        Ok((ended.into_iter().map(|(outcome, _)| outcome).collect(), interrupted))
    }

    async fn run_seed(
        &self,
        plan: &Plan,
        partitioned: &Partitioned,
        seed: &mut SeedWriter,
        stop: watch::Receiver<bool>,
        watch: &mut dyn FnMut(&Row),
    ) -> Result<Ending, RunError> {
        // Homes, rows and logs of nodes; beside the records, and gone at the end.
        let work = seed.directory().join("work");
        let (sender, told) = mpsc::channel(TOLD);
        let ending = match self.driver {
            Driver::Sim => return run_simulated(plan, partitioned, seed, &stop, watch),
            Driver::Inproc => {
                let mut fleet = InProcess::new(partitioned.parts.clone(), &work, sender);
                run_real(plan, partitioned, &mut fleet, told, seed, stop, watch).await
            }
            Driver::Process => {
                let program = std::env::current_exe().map_err(|source| RunError::File {
                    action: "find",
                    path: "this program".into(),
                    source,
                })?;
                let mut fleet = Children::new(Here { program }, &work, &partitioned.parts, sender)?;
                run_real(plan, partitioned, &mut fleet, told, seed, stop, watch).await
            }
            Driver::Docker => {
                let label = format!("peerlearn-{}-{}", std::process::id(), plan.seed);
                let place = Containers::new(self.docker.clone(), &work, &label)?;
                let mut fleet = Children::new(place, &work, &partitioned.parts, sender)?;
                run_real(plan, partitioned, &mut fleet, told, seed, stop, watch).await
            }
        };
        // Logs are worth keeping where something went wrong.
        if ending.as_ref().is_ok_and(Ending::is_finished) {
            let _ = std::fs::remove_dir_all(&work);
        }
        ending
    }

    fn info(&self) -> RunInfo {
        let scenario = self.plans.first().map(|(plan, _)| &plan.scenario);
        let faulty_links = match self.driver {
            Driver::Sim => "simulated",
            Driver::Inproc | Driver::Process | Driver::Docker => "node",
        };
        let mut notes = Vec::new();
        if self.driver == Driver::Docker {
            notes.push("links are made bad by the nodes themselves, not by the kernel (netem)".to_owned());
        }
        RunInfo {
            name: self.name().to_owned(),
            about: scenario.map_or(String::new(), |scenario| scenario.about.clone()),
            driver: self.driver.to_string(),
            command: self.command.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            commit: option_env!("PEERLEARN_COMMIT").unwrap_or_default().to_owned(),
            machine: Machine::here(),
            started: utc(SystemTime::now()),
            seeds: self.plans.iter().map(|(plan, _)| plan.seed).collect(),
            link_faults: faulty_links.to_owned(),
            notes,
        }
    }

    fn judged(&self, outcomes: &[Outcome]) -> RunOutcome {
        let reached: Vec<Reached> = outcomes.iter().map(reached).collect();
        let expect = self.plans.first().map(|(plan, _)| plan.scenario.expect.clone()).unwrap_or_default();
        let mut expectations = vec![Expectation {
            words: "every run was finished".to_owned(),
            passed: outcomes.len() == self.plans.len() && outcomes.iter().all(|outcome| outcome.finished),
            measured: outcomes.iter().map(|outcome| outcome.reason.clone()).collect::<Vec<_>>().join("; "),
        }];
        expectations.extend(judge(&expect, &reached).into_iter().map(|verdict| Expectation {
            words: verdict.words,
            passed: verdict.passed,
            measured: verdict.measured.iter().map(|value| format!("{value:.4}")).collect::<Vec<_>>().join(" "),
        }));
        RunOutcome::new(outcomes, expectations)
    }
}

fn reached(outcome: &Outcome) -> Reached {
    let honest = || outcome.peers.iter().filter(|peer| peer.attack.is_none());
    let up = honest().filter(|peer| peer.up).count();
    let known = honest().any(|peer| peer.up && peer.accuracy.is_some());
    let measured = |value: f64| known.then_some(value);
    Reached {
        worst: measured(outcome.worst),
        mean: measured(outcome.mean),
        worst_tenth: measured(outcome.worst_tenth),
        disagreement: outcome.disagreement,
        rounds: Some(outcome.rounds_min as f64),
        bytes_a_peer: Some(outcome.bytes_out as f64 / outcome.peers.len().max(1) as f64),
        seconds: Some(outcome.seconds),
        up: Some(up as f64),
        memory: outcome.peak_rss_mb.map(|mb| mb * 1e6),
    }
}

fn save_partition(seed: &SeedWriter, partitioned: &Partitioned) -> Result<(), RunError> {
    let path = seed.directory().join("partition.json");
    let text = serde_json::to_string(&partitioned.assignment).map_err(std::io::Error::from);
    text.and_then(|text| std::fs::write(&path, text)).map_err(|source| RunError::File { action: "write", path, source })
}

/// Where a run goes that names no directory: `runs/NAME-DRIVER-TIME`, which nobody has used yet.
pub fn fresh_directory(name: &str, driver: Driver) -> PathBuf {
    let stamp: String = utc(SystemTime::now()).chars().filter(char::is_ascii_alphanumeric).collect();
    let base = Path::new("runs").join(format!("{name}-{driver}-{stamp}"));
    let taken = |path: &PathBuf| path.exists();
    let numbered = (2..).map(|number| PathBuf::from(format!("{}-{number}", base.display())));
    std::iter::once(base.clone()).chain(numbered).find(|path| !taken(path)).unwrap_or(base)
}

impl From<SweepError> for ScenarioError {
    fn from(error: SweepError) -> Self {
        Self::Text { origin: "--vary".to_owned(), reason: error.to_string() }
    }
}
