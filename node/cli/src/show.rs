//! Results, on standard output; everything else, on standard error.

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

/// Prints a line for people to standard error. Whoever read it may be gone, as when a terminal is closed: then nobody is told,
/// and the node goes on.
pub fn tell(line: &str) {
    let mut error = std::io::stderr().lock();
    let _ = error.write_all(line.as_bytes()).and_then(|()| error.write_all(b"\n"));
}
