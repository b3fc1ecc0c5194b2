//! `run`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use peerlearn_cli::interrupted;
use peerlearn_harness::{accuracy_table, percent};
use peerlearn_testnet::experiment::{Driver, Experiment, Finished, fresh_directory};
use peerlearn_testnet::fleet::DockerSetup;
use peerlearn_testnet::record::{Row, RunOutcome};
use peerlearn_testnet::report::write_report;
use peerlearn_testnet::scenario::Document;
use peerlearn_testnet::view::TerminalView;
use tokio::sync::watch;

use super::error::CliError;

const EXAMPLES: &str = "Examples:
  peerlearn-testnet run testnet/scenarios/smoke.toml
  peerlearn-testnet run testnet/scenarios/churn.toml --driver process --out runs/churn
  peerlearn-testnet run smoke.toml --driver inproc --set seeds=[0,1,2] --set node.mixing.rule=ios:1";

/// Arguments of `run`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct RunArgs {
    /// The scenario.
    scenario: PathBuf,
    #[command(flatten)]
    pub how: HowArgs,
    /// Change a key of the scenario. May be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Where records go [default: runs/NAME-DRIVER-TIME].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// How scenarios are run.
#[derive(Args)]
pub struct HowArgs {
    /// Where peers live.
    #[arg(long, value_enum, default_value_t = Driver::Sim)]
    pub driver: Driver,
    /// For docker: the image, as scripts/image.sh makes it.
    #[arg(long, default_value = "peerlearn:local", value_name = "IMAGE")]
    pub image: String,
    /// For docker: most memory of a container.
    #[arg(long, default_value = "256m", value_name = "BYTES")]
    pub memory: String,
    /// For docker: most processors of a container.
    #[arg(long, default_value = "1", value_name = "N")]
    pub cpus: String,
    /// Compare with the same model trained alone on each part and on all rows pooled.
    #[arg(long)]
    pub baselines: bool,
    /// Say nothing on the way.
    #[arg(long, short)]
    pub quiet: bool,
}

impl HowArgs {
    /// Checks a scenario; nothing is started.
    pub fn prepare(&self, document: Document) -> Result<Experiment, CliError> {
        let docker = DockerSetup { image: self.image.clone(), memory: self.memory.clone(), cpus: self.cpus.clone() };
        let experiment = Experiment::prepare(document, self.driver, docker, command_line())?;
        Ok(if self.baselines { experiment.with_baselines()? } else { experiment })
    }
}

/// Runs a scenario.
pub fn run(args: &RunArgs) -> Result<ExitCode, CliError> {
    let document = Document::read(&args.scenario)?.set(&args.set)?;
    let experiment = args.how.prepare(document)?;
    let directory = args.out.clone().unwrap_or_else(|| fresh_directory(experiment.name(), args.how.driver));
    let finished = carry_out(&experiment, &directory, args.how.quiet)?;
    conclude(&finished)
}

/// The command as it was given.
pub fn command_line() -> String {
    let words =
        std::env::args().map(|word| match word.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:=,".contains(c)) {
            true => word,
            false => format!("'{}'", word.replace('\'', r"'\''")),
        });
    words.collect::<Vec<_>>().join(" ")
}

/// Runs an experiment, with Ctrl-C to stop it.
pub fn carry_out(experiment: &Experiment, directory: &Path, quiet: bool) -> Result<Finished, CliError> {
    let runtime = tokio::runtime::Runtime::new().map_err(CliError::Runtime)?;
    let (stop, stopped) = watch::channel(false);
    runtime.spawn(async move {
        interrupted().await;
        stop.send_replace(true);
        // Held: a dropped sender would look like a wish to stop.
        std::future::pending::<()>().await;
    });
    let mut view: Option<(u64, TerminalView)> = None;
    let mut watch = |seed: u64, row: &Row| {
        if quiet {
            return;
        }
        // Simulated seeds go on side by side; the first of them stands for all.
        let first = view.as_ref().map_or(seed, |(first, _)| *first);
        if first != seed && experiment.is_side_by_side() {
            return;
        }
        if let Some((_, ended)) = view.take_if(|(shown, _)| *shown != seed) {
            ended.finish();
        }
        let new =
            || (seed, TerminalView::new(&format!("{} seed {seed}", experiment.name()), experiment.time_limit_ms()));
        view.get_or_insert_with(new).1.row(row);
    };
    let finished = runtime.block_on(experiment.run(directory, stopped, &mut watch));
    runtime.shutdown_background();
    view.into_iter().for_each(|(_, view)| view.finish());
    let finished = finished?;
    write_report(directory)?;
    Ok(finished)
}

/// The same closing table as that of `peerlearn demo`, over seeds.
fn table(outcome: &RunOutcome, seeds: usize) -> String {
    let cell = |[mean, deviation]: [f64; 2]| match seeds {
        1 => percent(mean),
        _ => format!("{:.2} ± {:.2} %", mean * 100.0, deviation * 100.0),
    };
    let mut rows = vec![("peers together".to_owned(), [outcome.worst, outcome.mean, outcome.best].map(cell))];
    rows.extend(outcome.balanced.map(|balanced| ("  balanced accuracy".to_owned(), balanced.map(cell))));
    if let Some([worst, mean, best, pooled]) = outcome.baselines {
        rows.push(("each alone".to_owned(), [worst, mean, best].map(cell)));
        rows.push(("all rows pooled".to_owned(), [String::new(), cell(pooled), String::new()]));
    }
    let head = if seeds == 1 { "accuracy, one seed".to_owned() } else { format!("accuracy, {seeds} seeds") };
    accuracy_table(&head, &rows)
}

/// Prints what came of it.
pub fn conclude(finished: &Finished) -> Result<ExitCode, CliError> {
    let outcome = &finished.outcome;
    peerlearn_cli::show(&table(outcome, finished.seeds))?;
    for expectation in &outcome.expectations {
        say!("{} {}", if expectation.passed { "ok    " } else { "FAILED" }, expectation.words)?;
    }
    say!("records in {0}, to look at in {0}/report.html", finished.directory.display())?;
    Ok(match (finished.interrupted, outcome.passed) {
        (true, _) => ExitCode::from(130),
        (false, true) => ExitCode::SUCCESS,
        (false, false) => ExitCode::from(1),
    })
}
