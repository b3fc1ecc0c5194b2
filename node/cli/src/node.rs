//! The commands of one node: `init`, `run`, `join`, `ticket`, `status`, `stop`.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use peerlearn::NodeConfig;
use peerlearn::config::{Layers, template};
use peerlearn::control::{Answerer, ControlError, ControlRequest, ControlServer, ask};
use peerlearn::learner::Evaluation;
use peerlearn::node::Node;
use peerlearn::registry::{Home, RegistryError};
use peerlearn::runtime::EventFile;
use peerlearn::status::Status;
use peerlearn::ticket::{Ticket, contact_of};
use peerlearn::{NodeEvent, Stamped};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::args::{ConfigArgs, HomeArgs, InitArgs, RunArgs, StatusArgs, TicketArgs};
use super::ending::{STOP_LIMIT, interrupted};
use super::error::{CliError, Exit};
use super::status;

/// How often a node that starts or stops is asked whether it has.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long a node may take to start before there is none.
const START_LIMIT: Duration = Duration::from_secs(5);
/// How often `status --watch` looks.
const WATCH_EVERY: Duration = Duration::from_secs(1);
/// Clears a terminal and goes to its upper left corner.
const CLEAR: &str = "\x1b[2J\x1b[H";

pub(super) fn init(args: &InitArgs) -> Result<Exit, CliError> {
    let failed = |source| CliError::File { action: "write", path: args.file.clone(), source };
    let file = std::fs::OpenOptions::new().write(true).create_new(true).open(&args.file);
    file.and_then(|mut file| file.write_all(template().as_bytes())).map_err(failed)?;
    super::tell(&format!("wrote {}; next: peerlearn run", args.file.display()));
    Ok(Exit::Done)
}

pub(super) fn settings(args: &ConfigArgs) -> Result<NodeConfig, CliError> {
    let mut layers = Layers::new();
    let usual = Path::new("peerlearn.toml");
    if let Some(path) = args.config.as_deref().or_else(|| usual.exists().then_some(usual)) {
        layers = layers.file(path)?;
    }
    Ok(layers.environment(std::env::vars_os())?.settings(&args.set)?.load()?)
}

/// Runs a node until it is interrupted or told to stop; with a ticket, that peer is dialled first.
pub(super) async fn run(args: RunArgs, ticket: Option<String>) -> Result<Exit, CliError> {
    let mut config = settings(&args.config)?;
    let home = match (Home::open(&args.home.home), ticket) {
        (Err(RegistryError::Locked { .. }), Some(ticket)) => return hand_over(&args.home.home, ticket).await,
        (home, ticket) => {
            config.network.contacts.extend(ticket);
            home?
        }
    };
    let path = home.path().to_owned();
    let rounds = config.round.rounds;
    let node = Node::builder(config).home(home).spawn().await?;
    let mut events = node.subscribe();
    let mut file = match &args.events {
        Some(path) => Some(event_file(path, &node).await),
        None => None,
    };
    let (sender, mut stop) = watch::channel(false);
    // Held here too: a node without a control socket is not told to stop.
    let sender = Arc::new(sender);
    let _control = ControlServer::open(&path, Control { node: node.clone(), stop: Arc::clone(&sender) })
        .inspect_err(|error| tracing::warn!(%error, "this node runs without a control socket"));
    say_hello(&node, &path, rounds).await;
    let mut interrupted = std::pin::pin!(interrupted());
    let reason = loop {
        tokio::select! {
            () = &mut interrupted => break None,
            _ = stop.wait_for(|stop| *stop) => break None,
            reason = node.failed() => break Some(reason),
            event = events.recv() => if let Ok(stamped) = event {
                file.iter_mut().for_each(|file| file.append(&stamped));
                report(&stamped.event);
                if matches!(stamped.event, NodeEvent::RoundClosed { round, .. } if round == rounds) {
                    super::tell(&all_rounds_done(rounds));
                }
            },
        }
    };
    if tokio::time::timeout(STOP_LIMIT, node.stop()).await.is_err() {
        tracing::warn!("the node did not stop in time; what is on disk is whole");
    }
    while let (Some(file), Ok(stamped)) = (&mut file, events.try_recv()) {
        file.append(&stamped);
    }
    match reason {
        Some(reason) => Err(CliError::Ended { reason }),
        None => Ok(Exit::Done),
    }
}

/// A file of events that begins with who the node is: its start was told before anybody could listen.
async fn event_file(path: &Path, node: &Node) -> EventFile {
    let mut file = EventFile::open(path);
    let round = node.status().await.round;
    file.append(&Stamped { at_ms: 0, node: node.peer(), event: NodeEvent::Started { task: node.task().id(), round } });
    file
}

/// Gives a ticket to the node that runs there already.
async fn hand_over(home: &Path, ticket: String) -> Result<Exit, CliError> {
    ask(home, &ControlRequest::Contact { ticket }).await?;
    super::tell(&format!(
        "the node that runs in {} dials that peer; settings given here do not reach it",
        home.display()
    ));
    Ok(Exit::Done)
}

/// Tells the running node to stop, and waits until it has.
pub(super) async fn stop(args: &HomeArgs) -> Result<Exit, CliError> {
    match ask(&args.home, &ControlRequest::Stop {}).await {
        // It may end faster than it answers.
        Ok(_) | Err(ControlError::BadAnswer { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let deadline = Instant::now() + STOP_LIMIT + STOP_LIMIT;
    while !matches!(ask(&args.home, &ControlRequest::Status {}).await, Err(ControlError::NotRunning { .. })) {
        if Instant::now() > deadline {
            super::tell("the node was told to stop and has not ended yet");
            break;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(Exit::Done)
}

fn all_rounds_done(rounds: u64) -> String {
    format!("all {rounds} rounds (round.rounds) are done; the node goes on serving its model until it is stopped")
}

async fn say_hello(node: &Node, home: &Path, rounds: u64) {
    let status = node.status().await;
    super::tell(&format!("peer {} in {}", status.libp2p_peer, home.display()));
    super::tell(&format!(
        "{}, {} rows, round {}",
        peerlearn::ticket::describe(&status.task),
        status.samples,
        status.round
    ));
    super::tell(&format!("others join with: peerlearn join {}", ticket_of(&status)));
    // What was said before anybody could listen.
    status.problems.iter().for_each(|problem| super::tell(&format!("warning: {problem}")));
    if rounds > 0 && status.round >= rounds {
        super::tell(&all_rounds_done(rounds));
    }
}

/// One line for what people who watch a node want to know.
fn report(event: &NodeEvent) {
    let percent = |value: &Option<Evaluation>| value.map_or("-".to_owned(), |v| format!("{:.1} %", v.accuracy * 100.0));
    match event {
        NodeEvent::RoundClosed { round, drawn, mixed, own, test, .. } if own.is_some() || test.is_some() => {
            super::tell(&format!(
                "round {round}: mixed {mixed} of {drawn}, own {}, test {}",
                percent(own),
                percent(test)
            ));
        }
        NodeEvent::PeerDiscovered { peer, known } => {
            super::tell(&format!("found peer {}, {known} known", peer.short()))
        }
        NodeEvent::PeerExpired { peer } => super::tell(&format!("lost peer {}", peer.short())),
        NodeEvent::PeerRefused { peer, reason } => super::tell(&format!("refused peer {}: {reason}", peer.short())),
        NodeEvent::Misbehaved { peer, reason, .. } => super::tell(&format!("peer {} {reason}", peer.short())),
        NodeEvent::CommitFailed { error } => super::tell(&format!("state not written, going on in memory: {error}")),
        NodeEvent::Warning { message } => super::tell(&format!("warning: {message}")),
        _ => {}
    }
}

/// Answers the control socket for a node.
struct Control {
    node: Node,
    stop: Arc<watch::Sender<bool>>,
}

impl Answerer for Control {
    async fn answer(&self, ask: ControlRequest) -> Result<Value, String> {
        match ask {
            ControlRequest::Status {} => {
                serde_json::to_value(self.node.status().await).map_err(|error| error.to_string())
            }
            ControlRequest::Ticket {} => Ok(json!(ticket_of(&self.node.status().await).to_string())),
            ControlRequest::Contact { ticket } => {
                let contact = contact_of(&ticket, &self.node.task().summary()).map_err(|error| error.to_string())?;
                self.node.contact(contact);
                Ok(Value::Null)
            }
            ControlRequest::Stop {} => {
                self.stop.send_replace(true);
                Ok(Value::Null)
            }
        }
    }
}

fn ticket_of(status: &Status) -> Ticket {
    Ticket::new(status.peer, &status.addresses, status.task.clone())
}

/// Asks a node that may be starting just now: `run &` and `ticket` are often typed together.
async fn ask_soon(home: &Path, request: &ControlRequest) -> Result<Value, ControlError> {
    let (began, mut told) = (Instant::now(), false);
    loop {
        match ask(home, request).await {
            Err(ControlError::NotRunning { .. }) if began.elapsed() < START_LIMIT => {}
            answer => return answer,
        }
        if !told && began.elapsed() > START_LIMIT / 5 {
            super::tell(&format!("no node runs in {} yet; waiting for one to start", home.display()));
            told = true;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

pub(super) async fn ticket(args: &TicketArgs) -> Result<Exit, CliError> {
    let ticket = ask_soon(&args.home.home, &ControlRequest::Ticket {}).await?;
    let ticket = ticket.as_str().unwrap_or_default();
    let code = if args.qr { status::qr(ticket) } else { String::new() };
    super::show(&format!("{ticket}\n{code}"))?;
    Ok(Exit::Done)
}

pub(super) async fn status(args: &StatusArgs) -> Result<Exit, CliError> {
    let mut interrupted = std::pin::pin!(interrupted());
    loop {
        let answer = ask(&args.home.home, &ControlRequest::Status {}).await?;
        let text = match args.json {
            true => format!("{answer}\n"),
            false => {
                let status: Status = serde_json::from_value(answer).map_err(|source| CliError::Json { source })?;
                status::table(&status)
            }
        };
        // A terminal shows one page, a file one after the other.
        let page = if args.watch && !args.json && console::user_attended() { CLEAR } else { "" };
        super::show(&format!("{page}{text}"))?;
        if !args.watch {
            return Ok(Exit::Done);
        }
        tokio::select! {
            () = &mut interrupted => return Ok(Exit::Done),
            () = tokio::time::sleep(WATCH_EVERY) => {}
        }
    }
}
