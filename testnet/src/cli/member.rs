//! `member`: one node in a process of its own, for whoever started it, or alone.
//!
//! JSON lines in: first what it is, then orders. JSON lines out: what it tells. With `--spec` it is what a file says,
//! takes no orders and lives until it is told to end: so nodes of a compose file run.

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use peerlearn::Node;
use peerlearn::control::{Answerer, ControlRequest, ControlServer};
use peerlearn::event::Stamped;
use peerlearn::network::links::LinkTable;
use peerlearn::runtime::EventFile;
use peerlearn_testnet::member::{Member, MemberCommand, MemberReport, MemberSpec, read_rows};
use peerlearn_testnet::netem;
use serde_json::Value;
use tokio::sync::mpsc;

use peerlearn_cli::interrupted;

/// Lines that may wait.
const WAITING: usize = 256;
/// The signal of a file that would grow beyond its limit; the same number on all Linux systems but MIPS.
const FILE_TOO_LARGE: i32 = 25;
/// The interface of a container, and how long a node looks whether the kernel makes it bad.
const INTERFACE: &str = "eth0";
const LOOK_EVERY: Duration = Duration::from_millis(250);
const LOOKS: u32 = 40;

/// Arguments of `member`.
#[derive(Args)]
pub struct MemberArgs {
    /// What others know this process by.
    #[arg(long)]
    mark: Option<String>,
    /// A file that says what the node is; then it is nobody's.
    #[arg(long, value_name = "FILE")]
    spec: Option<PathBuf>,
    /// With --spec: append events to this file.
    #[arg(long, value_name = "FILE", requires = "spec")]
    events: Option<PathBuf>,
}

/// Runs a node until its input ends, or until it is told to end.
pub fn member(args: &MemberArgs) -> ExitCode {
    let filter = std::env::var("PEERLEARN_LOG").unwrap_or_else(|_| "warn".to_owned());
    let filter = tracing_subscriber::EnvFilter::new(filter);
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).log_internal_errors(false).init();
    tracing::debug!(mark = args.mark, "a node of a testnet");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let code = match (runtime, &args.spec) {
        (Ok(runtime), None) => runtime.block_on(live()),
        (Ok(runtime), Some(spec)) => runtime.block_on(live_alone(spec, args.events.as_deref())),
        (Err(error), _) => {
            eprintln!("error: the runtime did not start: {error}");
            1
        }
    };
    // Threads of a learner may be in the middle of something; there is nobody to wait for.
    std::process::exit(code)
}

async fn live() -> i32 {
    // With a handler, a full disk is an error of the write and not the end of the process.
    let _full_disk = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::from_raw(FILE_TOO_LARGE));
    let (sender, mut lines) = mpsc::channel::<String>(WAITING);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    let (told, mut telling) = mpsc::channel::<(usize, MemberReport)>(WAITING);
    let mouth = tokio::task::spawn_blocking(move || {
        let mut out = std::io::stdout().lock();
        while let Some((_, news)) = telling.blocking_recv() {
            let Ok(line) = serde_json::to_string(&news) else { continue };
            // Whoever listened is gone, and so will the input be.
            if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
                return;
            }
        }
    });
    let Some(first) = lines.recv().await else { return 1 };
    let mut member = match begin(&first, told.clone()).await {
        Ok(member) => member,
        Err(reason) => {
            eprintln!("error: {reason}");
            let _ = told.send((0, MemberReport::Failed { reason })).await;
            drop(told);
            let _ = mouth.await;
            return 1;
        }
    };
    while let Some(line) = lines.recv().await {
        match serde_json::from_str::<MemberCommand>(&line) {
            Ok(order) => {
                if !member.handle(order).await {
                    return 0;
                }
            }
            Err(error) => eprintln!("an order that means nothing: {error}"),
        }
    }
    // The input has ended: whoever started this is gone.
    1
}

async fn begin(spec: &str, told: mpsc::Sender<(usize, MemberReport)>) -> Result<Member, String> {
    let spec: MemberSpec = serde_json::from_str(spec).map_err(|error| error.to_string())?;
    let path = spec.rows.clone().ok_or("there is no file with rows")?;
    let rows = read_rows(&path).map_err(|error| error.to_string())?;
    Member::start(spec, rows, 0, told).await.map_err(|error| error.to_string())
}

/// Lives as a file says, until a signal comes; answers on the control socket of its home.
async fn live_alone(spec: &Path, events: Option<&Path>) -> i32 {
    let (told, mut telling) = mpsc::channel::<(usize, MemberReport)>(WAITING);
    let text = std::fs::read_to_string(spec).map_err(|error| format!("{}: {error}", spec.display()));
    let begun = match &text {
        Ok(text) => begin(text, told).await,
        Err(reason) => Err(reason.clone()),
    };
    let mut member = match begun {
        Ok(member) => member,
        Err(reason) => {
            eprintln!("error: {reason}");
            return 1;
        }
    };
    let node = member.node().clone();
    let spec = text.ok().and_then(|text| serde_json::from_str::<MemberSpec>(&text).ok());
    let asks_kernel = spec.as_ref().is_some_and(|spec| spec.netem);
    let home = spec.and_then(|spec| spec.home);
    let _control = home.map(|home| ControlServer::open(&home, Status(node.clone())));
    let mut file = events.map(EventFile::open);
    let (mut interrupted, mut shaped) = (std::pin::pin!(interrupted()), std::pin::pin!(shaped()));
    let mut looks = asks_kernel;
    loop {
        tokio::select! {
            by_kernel = &mut shaped, if looks => {
                looks = false;
                if by_kernel {
                    member.handle(MemberCommand::Links { table: LinkTable::default() }).await;
                }
                eprintln!("links are made bad by {}", if by_kernel { "netem" } else { "this node: there is no netem" });
            }
            () = &mut interrupted => {
                member.handle(MemberCommand::Leave).await;
                return 0;
            }
            reason = node.failed() => {
                eprintln!("error: {reason}");
                return 1;
            }
            news = telling.recv() => if let (Some(file), Some((_, MemberReport::Happened { event }))) = (&mut file, news) {
                let at_ms = node.clock().now().0 / 1000;
                file.append(&Stamped { at_ms, node: node.peer(), event });
            },
        }
    }
}

/// Whether the kernel shapes the interface, as soon as it does or when it should have.
async fn shaped() -> bool {
    for _ in 0..LOOKS {
        if netem::is_shaped(INTERFACE).unwrap_or(false) {
            return true;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    false
}

/// Answers how the node is, and nothing else.
struct Status(Node);

impl Answerer for Status {
    async fn answer(&self, ask: ControlRequest) -> Result<Value, String> {
        match ask {
            ControlRequest::Status {} => serde_json::to_value(self.0.status().await).map_err(|error| error.to_string()),
            _ => Err("this node is as its file says".to_owned()),
        }
    }
}
