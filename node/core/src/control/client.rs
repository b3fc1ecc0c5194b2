//! The side of the command line.

use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::time::Instant;

use super::place::Place;
use super::{ControlError, ControlRequest, MAX_ANSWER, SOCKET};

/// Longest time an answer may take; status takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);
/// Pause before the next try where too many others connect.
const AGAIN: Duration = Duration::from_millis(50);

/// Asks the node that runs in `home`.
///
/// # Errors
/// No node runs there, it does not answer, or it says no.
pub async fn ask(home: &Path, ask: &ControlRequest) -> Result<Value, ControlError> {
    let until = Instant::now() + PATIENCE;
    let bad = |reason: String| ControlError::BadAnswer { home: home.to_owned(), reason };
    let mut stream = connect(home, until).await.map_err(|source| match source.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => ControlError::NotRunning { home: home.to_owned() },
        _ => ControlError::Io { action: "reach", path: home.join(SOCKET), source },
    })?;
    let line = loop {
        let answered = tokio::time::timeout_at(until, exchange(stream, ask)).await;
        match answered.map_err(|_| bad("no answer in 10 s".to_owned()))? {
            Ok(line) if !line.is_empty() => break line,
            Err(error) if !is_closed(&error) => return Err(bad(error.to_string())),
            _ => {}
        }
        // Closed to make room for others before the request was read: nothing was done, it is asked anew.
        tokio::time::sleep(AGAIN).await;
        let closed = |_| bad("it closed the connection without an answer".to_owned());
        stream = connect(home, until).await.map_err(closed)?;
    };
    let mut answer: Value = serde_json::from_slice(&line).map_err(|error| bad(error.to_string()))?;
    match (answer.get_mut("ok").map(Value::take), answer.get("error").and_then(Value::as_str)) {
        (Some(value), _) => Ok(value),
        (None, Some(message)) => Err(ControlError::Refused { message: message.to_owned() }),
        (None, None) => Err(bad("neither ok nor error".to_owned())),
    }
}

/// Connects; while the system's queue of the socket is full, again and again.
async fn connect(home: &Path, until: Instant) -> std::io::Result<UnixStream> {
    let place = Place::of(home)?;
    loop {
        match UnixStream::connect(place.path()).await {
            Err(error) if error.kind() == ErrorKind::WouldBlock && Instant::now() < until => {
                tokio::time::sleep(AGAIN).await;
            }
            connected => return connected,
        }
    }
}

/// Whether the node has closed the connection.
fn is_closed(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)
}

async fn exchange(stream: UnixStream, ask: &ControlRequest) -> std::io::Result<Vec<u8>> {
    let (reader, mut writer) = stream.into_split();
    let mut request = serde_json::to_vec(ask)?;
    request.push(b'\n');
    writer.write_all(&request).await?;
    let mut line = Vec::new();
    BufReader::new(reader).take(MAX_ANSWER).read_until(b'\n', &mut line).await?;
    Ok(line)
}
