//! Logs: text or JSON lines on standard error.

use clap::ValueEnum;
use thiserror::Error;
use tracing_subscriber::EnvFilter;

/// What is logged when nobody asks: warnings, but for those of the event stream, which the commands print themselves.
/// The stack below is quieter still, because it warns of what strangers do.
const DEFAULT: &str = "warn,peerlearn::event=error,libp2p_gossipsub=error,libp2p_mdns=error,libp2p_swarm=error,hickory_resolver=error,netlink_proto=error,yamux=error,ractor=error";

/// How to log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs: one JSON object a line.
    Json,
}

/// The filter is no filter.
#[derive(Debug, Error)]
#[error("--log {filter}: {reason}; write for example info, or warn,peerlearn=debug")]
pub struct TelemetryError {
    /// The text.
    pub filter: String,
    /// What is wrong with it.
    pub reason: String,
}

/// Sets up logging for the process; a second call changes nothing.
///
/// # Errors
/// The filter is no filter.
pub fn init(filter: Option<&str>, format: LogFormat) -> Result<(), TelemetryError> {
    let text = filter.unwrap_or(DEFAULT);
    let wrong = |reason: String| TelemetryError { filter: text.to_owned(), reason };
    let filter = EnvFilter::builder().parse(text).map_err(|error| wrong(error.to_string()))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Standard error may be gone; a log that cannot be written must not end the node.
    let builder = builder.log_internal_errors(false);
    let builder = builder.with_ansi(console::user_attended_stderr());
    // An error means that a subscriber is there already, which is what was wanted.
    let _ = match format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_filter_is_named() {
        let error = init(Some("peerlearn=loud"), LogFormat::Text).unwrap_err().to_string();
        assert!(error.contains("peerlearn=loud"), "{error}");
        assert!(EnvFilter::builder().parse(DEFAULT).is_ok());
    }
}
