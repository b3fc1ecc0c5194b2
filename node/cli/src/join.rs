//! `join`: from a ticket or an address to the task behind it, shown before anything leaves this machine.

use std::collections::BTreeMap;
use std::io::{BufRead, IsTerminal};
use std::path::Path;
use std::time::Duration;

use peerlearn::agreed::would_tell;
use peerlearn::data::{Known, Preprocessing, check, load};
use peerlearn::network::{fetch_task, is_multiaddress};
use peerlearn::registry::{self, Home, RegistryError};
use peerlearn::task::{Document, FrameRule, InputKind};
use peerlearn::ticket::Ticket;

use super::access;
use super::args::JoinArgs;
use super::error::{CliError, Exit};
use super::node::{hand_over, run_with};
use super::screen;
use super::setup::{Setup, setup};

/// Longest wait for one answer of the peer of a ticket.
const PATIENCE: Duration = Duration::from_secs(10);
/// Time from one try to the next.
const TRY_EVERY: Duration = Duration::from_secs(1);

pub(super) async fn join(args: JoinArgs) -> Result<Exit, CliError> {
    let home = &args.run.home.home;
    if home.exists() && matches!(Home::open(home), Err(RegistryError::Locked { .. })) {
        return hand_over(home, args.ticket).await;
    }
    let document = match &args.run.task {
        // The start checks that the ticket is for it.
        Some(_) => None,
        None => Some(behind(&args.ticket, home).await?),
    };
    let mut setup = setup(home, &args.run.config, &args.run.data, args.run.task.as_deref(), document)?;
    let turn = args.ticket.parse::<Ticket>().ok().and_then(|ticket| ticket.turn);
    turn.into_iter().for_each(|turn| setup.deal(turn));
    agree(&setup, home, args.yes)?;
    let here = Home::open(home)?;
    follow(&setup, &here)?;
    access::prepare(setup.task.as_ref(), &here, &args.ticket, args.run.name.as_deref())?;
    run_with(args.run, setup, here, Some(args.ticket)).await
}

/// Carries what was learnt here over to the successor of its task.
fn follow(setup: &Setup, home: &Home) -> Result<(), CliError> {
    let Some(next) = &setup.task else { return Ok(()) };
    let kept = registry::task_of(home.path())?.map(|kept| kept.document.definition.id());
    if kept.is_none() || next.definition.parent != kept || !registry::has_checkpoint(home.path()) {
        return Ok(());
    }
    home.upgrade(next)?;
    super::tell("this task continues the one of this home: the weights that mean the same in both are kept");
    Ok(())
}

/// The task behind a ticket or an address: in the ticket, fetched from its peer, or that of the home directory where an address
/// says nothing.
async fn behind(text: &str, home: &Path) -> Result<Document, CliError> {
    if is_multiaddress(text) {
        let kept = registry::task_of(home)?.map(|kept| kept.document);
        return match kept {
            Some(kept) => Ok(kept),
            None => fetched(None, &[text.to_owned()], None).await,
        };
    }
    let ticket: Ticket = text.parse()?;
    match ticket.document {
        Some(document) => Ok(document),
        None => fetched(Some(ticket.peer), &ticket.addresses, Some(ticket.task)).await,
    }
}

/// Asks a peer for its task until it answers; says once a reason why it does not.
async fn fetched(
    peer: Option<peerlearn::protocols::id::PeerId>,
    addresses: &[String],
    task: Option<peerlearn::protocols::id::TaskId>,
) -> Result<Document, CliError> {
    let mut said = String::new();
    loop {
        let reason = match fetch_task(peer, addresses, task, PATIENCE).await {
            Ok(bytes) => match Document::from_bytes(&bytes) {
                Ok(document) if task.is_none_or(|task| task == document.definition.id()) => return Ok(document),
                Ok(_) => "it answered with another task than the ticket names".to_owned(),
                Err(error) => error.to_string(),
            },
            Err(peerlearn::network::TransportFailure::Gone) => {
                let why =
                    "the peer there does not tell its task to somebody who has only its address; ask for a ticket";
                return Err(CliError::Usage { reason: why.to_owned() });
            }
            Err(error) => error.to_string(),
        };
        if said != reason {
            super::tell(&format!("cannot reach {} yet: {reason}; trying again", addresses.join(" or ")));
            said = reason;
        }
        tokio::time::sleep(TRY_EVERY).await;
    }
}

/// Shows task and data, and asks where somebody is there to be asked and the home directory is new to the task.
fn agree(setup: &Setup, home: &Path, yes: bool) -> Result<(), CliError> {
    let Some(document) = &setup.task else { return Ok(()) };
    let known_here = registry::task_of(home)?.is_some_and(|kept| kept.document.definition == document.definition);
    let schema = &document.definition.schema;
    let mut text = screen::task(document);
    let (mut has_questions, mut told) = (false, BTreeMap::new());
    if schema.kind == InputKind::Table && !setup.no_data {
        let preprocessing = Preprocessing::of(schema.clone());
        let known = Known { preprocessing: &preprocessing, charter: &document.charter };
        let source = &setup.config.data.source;
        let found = check(Path::new(source), &setup.config.data, known).map_err(peerlearn::NodeError::Data)?;
        if !found.is_fit() {
            super::tell(&text);
            let findings = screen::findings(&found);
            return Err(CliError::Unfit { path: source.clone(), findings });
        }
        text.push_str(&screen::check(source, &found, known));
        has_questions = found.has_questions();
        if schema.frame.rule == FrameRule::Agreed {
            let identity = registry::identity_of(home)?.map_or([0; 32], |identity| identity.peer().0);
            let loaded = load(&setup.config.data, &identity, Some(known)).map_err(peerlearn::NodeError::Data)?;
            told = would_tell(home, schema, &loaded);
        }
    }
    super::tell(text.trim_end());
    super::tell(screen::leaves(document, &told).trim_end());
    if yes || known_here {
        return Ok(());
    }
    if !somebody_is_there() {
        return match has_questions {
            true => Err(CliError::Usage {
                reason: "something above was guessed, and nobody is there to be asked: mend it, or say --yes"
                    .to_owned(),
            }),
            false => Ok(()),
        };
    }
    super::tell(&format!("Join {}? [y/N]", document.definition.name));
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    match read.is_ok() && matches!(answer.trim().to_lowercase().as_str(), "y" | "yes") {
        true => Ok(()),
        false => Err(CliError::Declined),
    }
}

/// Whether a person sits at the terminal and this process is in front, so that a question is seen and can be answered.
fn somebody_is_there() -> bool {
    let (stdin, stderr) = (std::io::stdin(), std::io::stderr());
    if !stdin.is_terminal() || !stderr.is_terminal() {
        return false;
    }
    matches!((rustix::termios::tcgetpgrp(&stdin), rustix::process::getpgrp()), (Ok(front), own) if front == own)
}
