//! Results, on standard output.

use std::io::Write;

use thiserror::Error;

/// Standard output takes no result: the disk behind it is full, say.
#[derive(Debug, Error)]
#[error("cannot write to standard output: {source}")]
pub struct ShowError {
    /// What the system said.
    source: std::io::Error,
}

/// Prints a result. Whoever closes the pipe early, as `head` does, has seen enough.
///
/// # Errors
/// The system refused.
pub fn show(text: &str) -> Result<(), ShowError> {
    let mut output = std::io::stdout().lock();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        Err(source) => Err(ShowError { source }),
        Ok(()) => Ok(()),
    }
}
