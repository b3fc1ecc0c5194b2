//! `sweep`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use peerlearn_testnet::experiment::{Experiment, Sweep, Varied};
use peerlearn_testnet::record::{RunOutcome, read_run};
use peerlearn_testnet::scenario::Document;

use super::error::CliError;
use super::run::{HowArgs, carry_out};

const EXAMPLES: &str = "Examples:
  peerlearn-testnet sweep smoke.toml --out runs/rules --vary node.mixing.rule=median,ios:1,age-limited
  peerlearn-testnet sweep smoke.toml --out runs/loss --vary links.loss=0,0.05,0.2 --vary node.round.fan_out=2,4
  peerlearn-testnet sweep smoke.toml --out runs/pairs --list --vary a=1,2 --vary b=3,4";

/// Arguments of `sweep`. A run whose folder has an outcome is not run again, so a sweep that was stopped goes on.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct SweepArgs {
    /// The scenario.
    scenario: PathBuf,
    #[command(flatten)]
    how: HowArgs,
    /// A key with the values it takes. May be repeated; without --list, every combination is run.
    #[arg(long, required = true, value_name = "KEY=VALUE,VALUE")]
    vary: Vec<String>,
    /// The first values together, then the second ones, and so on.
    #[arg(long)]
    list: bool,
    /// Runs at a time; only the simulator gives the same with several.
    #[arg(long, default_value_t = 1, value_name = "N")]
    jobs: usize,
    /// Change a key for all runs. May be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Where records go, one folder a run.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Runs a scenario with every value.
pub fn sweep(args: &SweepArgs) -> Result<ExitCode, CliError> {
    let varied = args.vary.iter().map(|text| Varied::parse(text)).collect::<Result<Vec<_>, _>>()?;
    let sweep = if args.list { Sweep::list(&varied)? } else { Sweep::grid(&varied)? };
    // All of them are checked before the first one starts.
    let prepare = |run: &Vec<String>| -> Result<(String, Experiment), CliError> {
        let document = Document::read(&args.scenario)?.set(&[&args.set[..], run].concat())?;
        let experiment = args.how.prepare(document)?;
        Ok((Sweep::name(run), experiment))
    };
    let runs = sweep.runs.iter().map(prepare).collect::<Result<Vec<_>, _>>()?;
    let (jobs, next) = (args.jobs.clamp(1, 64), std::sync::atomic::AtomicUsize::new(0));
    let results: Vec<std::sync::Mutex<Option<Result<RunOutcome, CliError>>>> =
        runs.iter().map(|_| std::sync::Mutex::new(None)).collect();
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    let Some((name, experiment)) = runs.get(at) else { return };
                    let result = once(args, name, experiment);
                    *results[at].lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(result);
                }
            });
        }
    });
    let mut table = String::from("run,passed,worst,worst_sd,mean,mean_sd,bytes_out,seconds\n");
    say!("{:<50} {:>6} {:>16} {:>16}", "run", "passed", "worst peer %", "mean peer %")?;
    let mut all_passed = true;
    for ((name, _), result) in runs.iter().zip(results) {
        let result = result.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        let Some(outcome) = result.transpose()? else { continue };
        all_passed &= outcome.passed;
        let shown = |[mean, deviation]: [f64; 2]| format!("{:.2} ± {:.2}", mean * 100.0, deviation * 100.0);
        say!("{name:<50} {:>6} {:>16} {:>16}", outcome.passed, shown(outcome.worst), shown(outcome.mean))?;
        table += &format!(
            "\"{name}\",{},{},{},{},{},{},{}\n",
            outcome.passed,
            outcome.worst[0],
            outcome.worst[1],
            outcome.mean[0],
            outcome.mean[1],
            outcome.bytes_out[0],
            outcome.seconds[0]
        );
    }
    let path = args.out.join("sweep.csv");
    std::fs::write(&path, table).map_err(|source| CliError::File { action: "write", path, source })?;
    Ok(if all_passed { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// One run, unless its folder has its outcome already.
fn once(args: &SweepArgs, name: &str, experiment: &Experiment) -> Result<RunOutcome, CliError> {
    let directory = args.out.join(name);
    if directory.exists() {
        if let Some(outcome) = read_run(&directory)?.outcome {
            return Ok(outcome);
        }
        // It was cut; its records would only mix with those of the new run.
        let removed = std::fs::remove_dir_all(&directory);
        removed.map_err(|source| CliError::File { action: "clear", path: directory.clone(), source })?;
    }
    Ok(carry_out(experiment, &directory, true)?.outcome)
}
