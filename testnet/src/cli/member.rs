//! `member`: one node in a process of its own. JSON lines in: first what it is, then orders. JSON lines out: what it tells.

use std::io::{BufRead, Write};
use std::process::ExitCode;

use peerlearn_testnet::member::{Member, MemberSpec, Order, Told, read_rows};
use tokio::sync::mpsc;

/// Lines that may wait.
const WAITING: usize = 256;
/// The signal of a file that would grow beyond its limit; the same number on all Linux systems but MIPS.
const FILE_TOO_LARGE: i32 = 25;

/// Runs a node until its input ends.
pub fn member() -> ExitCode {
    let filter = std::env::var("PEERLEARN_LOG").unwrap_or_else(|_| "warn".to_owned());
    let filter = tracing_subscriber::EnvFilter::new(filter);
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let code = match runtime {
        Ok(runtime) => runtime.block_on(live()),
        Err(error) => {
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
    let (told, mut telling) = mpsc::channel::<(usize, Told)>(WAITING);
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
            let _ = told.send((0, Told::Failed { reason })).await;
            drop(told);
            let _ = mouth.await;
            return 1;
        }
    };
    while let Some(line) = lines.recv().await {
        match serde_json::from_str::<Order>(&line) {
            Ok(order) => {
                if !member.obey(order).await {
                    return 0;
                }
            }
            Err(error) => eprintln!("an order that means nothing: {error}"),
        }
    }
    // The input has ended: whoever started this is gone.
    1
}

async fn begin(first: &str, told: mpsc::Sender<(usize, Told)>) -> Result<Member, String> {
    let spec: MemberSpec = serde_json::from_str(first).map_err(|error| error.to_string())?;
    let path = spec.rows.clone().ok_or("there is no file with rows")?;
    let rows = read_rows(&path).map_err(|error| error.to_string())?;
    Member::start(spec, rows, 0, told).await.map_err(|error| error.to_string())
}
