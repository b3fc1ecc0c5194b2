//! The commands of one node: `init`, `run`, `join`, `ticket`, `status`, `stop`.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use peerlearn::config::template;
use peerlearn::control::{Answerer, ControlError, ControlRequest, ControlServer, ask};
use peerlearn::learner::Evaluation;
use peerlearn::node::Node;
use peerlearn::registry::{Home, RegistryError};
use peerlearn::runtime::EventFile;
use peerlearn::status::Status;
use peerlearn::ticket::{Ticket, contact_of};
use peerlearn::{NodeEvent, Stamped};
use peerlearn_harness::scores;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::access;
use super::args::{HomeArgs, InitArgs, RunArgs, StatusArgs, TicketArgs};
use super::ending::{STOP_LIMIT, interrupted};
use super::error::{CliError, Exit};
use super::setup::{Setup, keep_data, setup};
use super::status;

/// How often a node that starts or stops is asked whether it has.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long a node may take to start before there is none.
const START_LIMIT: Duration = Duration::from_secs(5);
/// How often `status --watch` and `peers --watch` look.
pub(super) const WATCH_EVERY: Duration = Duration::from_secs(1);
/// Clears a terminal and goes to its upper left corner.
pub(super) const CLEAR: &str = "\x1b[2J\x1b[H";

pub(super) fn init(args: &InitArgs) -> Result<Exit, CliError> {
    let failed = |source| CliError::File { action: "write", path: args.file.clone(), source };
    let file = std::fs::OpenOptions::new().write(true).create_new(true).open(&args.file);
    file.and_then(|mut file| file.write_all(template().as_bytes())).map_err(failed)?;
    super::tell(&format!("wrote {}; next: peerlearn run", args.file.display()));
    Ok(Exit::Done)
}

/// Runs a node until it is interrupted or told to stop.
pub(super) async fn run(args: RunArgs) -> Result<Exit, CliError> {
    // First: a wrong setting leaves no directory behind.
    let mut setup = setup(&args.home.home, &args.config, &args.data, args.task.as_deref(), None)?;
    // Whoever begins takes the first part; tickets deal the others.
    if setup.config.network.contacts.is_empty() {
        setup.deal(0);
    }
    let home = Home::open(&args.home.home)?;
    run_with(args, setup, home, None).await
}

/// Runs a node that was told everything; with a ticket, that peer is dialled first.
pub(super) async fn run_with(
    args: RunArgs,
    setup: Setup,
    home: Home,
    ticket: Option<String>,
) -> Result<Exit, CliError> {
    let Setup { mut config, task, no_data, dealt, .. } = setup;
    config.network.contacts.extend(ticket);
    keep_data(home.path(), &config, &args.data, dealt)?;
    if no_data && task.is_none() {
        super::tell(&format!(
            "no data were named, so this node learns the built-in digits in the network {}; your own: --data FILE, or peerlearn new FILE",
            config.task.network
        ));
    }
    let path = home.path().to_owned();
    let rounds = config.round.rounds;
    let name = access::name_of(home.path(), args.name.as_deref())?;
    let mut builder = Node::builder(config).home(home).name(&name);
    if let Some(task) = task {
        builder = builder.task(task);
    }
    let node = builder.spawn().await?;
    let mut events = node.subscribe();
    let mut file = match &args.events {
        Some(path) => Some(event_file(path, &node).await),
        None => None,
    };
    let (sender, mut stop) = watch::channel(false);
    // Held here too: a node without a control socket is not told to stop.
    let sender = Arc::new(sender);
    let _control = ControlServer::open(
        &path,
        Control { node: node.clone(), tickets: AtomicU16::new(0), stop: Arc::clone(&sender) },
    )
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
                report(&stamped.event, &node);
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
pub(super) async fn hand_over(home: &Path, ticket: String) -> Result<Exit, CliError> {
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
    super::tell(&access::how_to_join(node, home).await);
    node.understood().iter().for_each(|line| super::tell(&format!("data {}", line.replace('\n', "; "))));
    // What was said before anybody could listen.
    status.problems.iter().for_each(|problem| super::tell(&format!("warning: {problem}")));
    if rounds > 0 && status.round >= rounds {
        super::tell(&all_rounds_done(rounds));
    }
}

/// One line for what people who watch a node want to know.
fn report(event: &NodeEvent, node: &Node) {
    let label = |peer| node.access().label(peer);
    let words = |part: &Option<Box<Evaluation>>| part.as_ref().map_or("-".to_owned(), |part| scores(part));
    match event {
        NodeEvent::RoundClosed { round, drawn, mixed, own, test, .. } if own.is_some() || test.is_some() => {
            super::tell(&format!("round {round}: mixed {mixed} of {drawn}, own {}, test {}", words(own), words(test)));
        }
        NodeEvent::PeerDiscovered { peer, known } => super::tell(&format!("found peer {}, {known} known", label(peer))),
        NodeEvent::PeerExpired { peer } => super::tell(&format!("lost peer {}", label(peer))),
        NodeEvent::PeerRefused { peer, reason } => super::tell(&format!("refused peer {}: {reason}", label(peer))),
        NodeEvent::Misbehaved { peer, reason, .. } => super::tell(&format!("peer {} {reason}", label(peer))),
        NodeEvent::NotLetIn { reason, .. } => super::tell(&format!("not let in: {reason}")),
        NodeEvent::Knocking { peer, name } => {
            let short = peer.short();
            super::tell(&format!("{name} ({short}) asks to be let in; to do so: peerlearn members allow {short}"));
        }
        NodeEvent::CommitFailed { error } => super::tell(&format!("state not written, going on in memory: {error}")),
        NodeEvent::FrameTaken { voices, changes } => {
            let peers = if *voices == 1 { "peer" } else { "peers" };
            super::tell(&format!("frame of {voices} {peers} taken: {changes}"));
        }
        NodeEvent::Warning { message } => super::tell(&format!("warning: {message}")),
        _ => {}
    }
}

/// Answers the control socket for a node.
struct Control {
    node: Node,
    /// Tickets handed out.
    tickets: AtomicU16,
    stop: Arc<watch::Sender<bool>>,
}

impl Control {
    /// The number of the next ticket, from 1.
    fn turn(&self) -> u16 {
        self.tickets.fetch_add(1, Ordering::Relaxed).wrapping_add(1)
    }
}

impl Answerer for Control {
    async fn answer(&self, ask: ControlRequest) -> Result<Value, String> {
        match ask {
            ControlRequest::Status {} => {
                serde_json::to_value(self.node.status().await).map_err(|error| error.to_string())
            }
            ControlRequest::Report {} => {
                serde_json::to_value(self.node.report().await).map_err(|error| error.to_string())
            }
            ControlRequest::Ticket {} => Ok(json!(self.node.ticket().await.dealt(self.turn()).to_string())),
            ControlRequest::Invite { uses, seconds, name } => {
                let invitation = self.node.access().invite(uses, seconds, &name)?;
                Ok(json!(self.node.ticket().await.dealt(self.turn()).inviting(invitation).to_string()))
            }
            ControlRequest::Members {} => {
                serde_json::to_value(self.node.members().await).map_err(|error| error.to_string())
            }
            ControlRequest::Allow { who } => self.node.access().allow(&who).map(|who| json!(who)),
            ControlRequest::Contact { ticket } => {
                let contact = contact_of(&ticket, &self.node.task().summary()).map_err(|error| error.to_string())?;
                if let Ok(Ticket { invitation: Some(invitation), .. }) = ticket.parse() {
                    self.node.access().redeem(&invitation)?;
                }
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

/// Asks a node that may be starting just now: `run &` and `ticket` are often typed together.
pub(super) async fn ask_soon(home: &Path, request: &ControlRequest) -> Result<Value, ControlError> {
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
    access::warn_of_ticket(&args.home.home).await?;
    Ok(Exit::Done)
}

pub(super) async fn status(args: &StatusArgs) -> Result<Exit, CliError> {
    let mut interrupted = std::pin::pin!(interrupted());
    loop {
        let home = &args.home.home;
        // A node that holds its home and does not answer yet is about to.
        let starting = home.exists() && matches!(Home::open(home), Err(RegistryError::Locked { .. }));
        let answer = match starting {
            true => ask_soon(home, &ControlRequest::Status {}).await?,
            false => ask(home, &ControlRequest::Status {}).await?,
        };
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
