//! The side of the command line.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

use super::{ControlError, ControlRequest, MAX_ANSWER, SOCKET};

/// Longest time an answer may take; status takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks the node that runs in `home`.
///
/// # Errors
/// No node runs there, it does not answer, or it says no.
pub async fn ask(home: &Path, ask: &ControlRequest) -> Result<Value, ControlError> {
    let path = home.join(SOCKET);
    let stream = UnixStream::connect(&path).await.map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::ConnectionRefused => {
            ControlError::NotRunning { home: home.to_owned() }
        }
        _ => ControlError::Io { action: "reach", path, source },
    })?;
    let bad = |reason: String| ControlError::BadAnswer { home: home.to_owned(), reason };
    let exchange = tokio::time::timeout(PATIENCE, exchange(stream, ask)).await;
    let line = exchange.map_err(|_| bad("no answer in 10 s".to_owned()))?.map_err(|error| bad(error.to_string()))?;
    let mut answer: Value = serde_json::from_slice(&line).map_err(|error| bad(error.to_string()))?;
    match (answer.get_mut("ok").map(Value::take), answer.get("error").and_then(Value::as_str)) {
        (Some(value), _) => Ok(value),
        (None, Some(message)) => Err(ControlError::Refused { message: message.to_owned() }),
        (None, None) => Err(bad("neither ok nor error".to_owned())),
    }
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
