//! How a program that runs is told to end, and how long that may take.

use std::time::Duration;

/// How long a node may take to stop before the process ends anyway.
pub(super) const STOP_LIMIT: Duration = Duration::from_millis(1500);

/// Ctrl-C, or a polite kill.
pub async fn interrupted() {
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminate => {}
    }
}
