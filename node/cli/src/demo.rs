//! `peerlearn demo`.

use std::path::Path;

use peerlearn::config::Layers;
use peerlearn_harness::{Board, DemoPlan, Ending, Outcome, Progress, run};
use tokio::sync::watch;

use super::args::DemoArgs;
use super::ending::interrupted;
use super::error::{CliError, Exit};
use super::picture::accuracy_picture;
use super::setup::readable_twice;
use super::view::View;

/// Rounds of a demo: the accuracy has settled well before.
const ROUNDS: u64 = 300;
/// Rounds after which a demo that waits for an accuracy gives up.
const MOST_ROUNDS: u64 = 10_000;

pub(super) async fn demo(args: Box<DemoArgs>) -> Result<Exit, CliError> {
    let json = args.json;
    let mut args = args;
    args.data = args.data.as_deref().map(readable_twice).transpose()?;
    args.test = args.test.as_deref().map(readable_twice).transpose()?;
    let plan = plan(*args)?;
    let (sender, stop) = watch::channel(false);
    tokio::spawn(async move {
        interrupted().await;
        sender.send_replace(true);
    });
    let mut view = View::new(plan.peers, plan.rounds);
    let ending = run(&plan, stop, |progress| match progress {
        Progress::Data { said } => said.iter().for_each(|line| super::tell(&line.replace('\n', "; "))),
        Progress::Event(board, _) => view.show(board, false),
        Progress::Baselines { models } => view.baselines(models),
    })
    .await?;
    view.finish();
    match ending {
        Ending::Interrupted => {
            super::tell("interrupted");
            Ok(Exit::Interrupted)
        }
        Ending::Finished { outcome, board } => {
            plan.out.as_deref().map(|out| draw(out, &board, &outcome)).transpose()?;
            let text = match json {
                true => serde_json::to_string(&*outcome).map_err(|source| CliError::Json { source })? + "\n",
                false => outcome.table(),
            };
            super::show(&text)?;
            Ok(Exit::Done)
        }
    }
}

/// Puts `accuracy.svg` beside what the demo has left in its directory.
fn draw(out: &Path, board: &Board, outcome: &Outcome) -> Result<(), CliError> {
    let path = out.join("accuracy.svg");
    let picture = accuracy_picture(board, outcome);
    let picture = picture.map_err(|reason| CliError::Picture { path: path.clone(), reason })?;
    std::fs::write(&path, picture).map_err(|source| CliError::File { action: "write", path, source })
}

fn plan(args: DemoArgs) -> Result<DemoPlan, CliError> {
    let mut flags: Vec<(String, String, String)> = Vec::new();
    let mut flag = |key: &str, value: String, name: &str| flags.push((key.to_owned(), value, name.to_owned()));
    // Peers of a demo share processors, so they never rest; settings given with --set come last and win.
    flag("round.min_interval", "0s".to_owned(), "demo");
    flag("task.model", args.model.to_string(), "--model");
    args.data.iter().for_each(|path| flag("data.source", path.display().to_string(), "--data"));
    args.data.iter().for_each(|_| flag("task.network", "demo".to_owned(), "demo"));
    args.label.into_iter().for_each(|label| flag("data.label", label, "--label"));
    args.test.iter().for_each(|path| flag("data.test", path.display().to_string(), "--test"));
    let config = Layers::new().flags(flags)?.settings(&args.set)?.load()?;
    let default = if args.until_accuracy.is_some() { MOST_ROUNDS } else { ROUNDS };
    Ok(DemoPlan {
        peers: args.peers,
        partition: args.partition,
        rounds: args.rounds.unwrap_or(default).max(1),
        until_accuracy: args.until_accuracy,
        seed: args.seed,
        config,
        out: args.out,
    })
}
