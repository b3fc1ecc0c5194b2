//! The side of the node.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::{ControlError, ControlRequest, MAX_REQUEST, SOCKET};

/// Connections at a time; more wait in the system's queue.
const MAX_CONNECTIONS: usize = 32;
/// Most bytes thrown away so that an answer is not.
const MAX_UNREAD: u64 = 4 * 1024 * 1024;
/// Longest silence on a connection.
const IDLE: Duration = Duration::from_secs(10);

/// Whoever answers requests.
pub trait Answerer: Send + Sync + 'static {
    /// Answers, or says why not.
    fn answer(&self, ask: ControlRequest) -> impl Future<Output = Result<Value, String>> + Send;
}

/// The open socket; dropping it closes and removes it.
#[derive(Debug)]
pub struct ControlServer {
    path: PathBuf,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for ControlServer {
    fn drop(&mut self) {
        self.task.abort();
        // A file that is gone already is as good as removed.
        let _ = std::fs::remove_file(&self.path);
    }
}

impl ControlServer {
    /// Opens the socket in a home directory whose lock is held, so that any socket there is a dead one.
    ///
    /// # Errors
    /// The system refused.
    pub fn open(home: &Path, answerer: impl Answerer) -> Result<Self, ControlError> {
        let path = home.join(SOCKET);
        let failed = |action| {
            let path = path.clone();
            move |source| ControlError::Io { action, path, source }
        };
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed("replace")(error)),
            _ => {}
        }
        let listener = UnixListener::bind(&path).map_err(failed("open"))?;
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&path, private).map_err(failed("protect"))?;
        let task = tokio::spawn(accept(listener, Arc::new(answerer)));
        Ok(Self { path, task })
    }
}

async fn accept(listener: UnixListener, answerer: Arc<impl Answerer>) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        // The semaphore is never closed.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let answerer = Arc::clone(&answerer);
                tokio::spawn(async move {
                    // Whoever breaks off in the middle has nobody to be told.
                    let _ = serve(stream, &*answerer).await;
                    drop(place);
                });
            }
            // Out of file handles, say: others will be closed.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn serve(stream: UnixStream, answerer: &impl Answerer) -> std::io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    loop {
        let mut line = Vec::new();
        let read = timeout(IDLE, (&mut reader).take(MAX_REQUEST + 1).read_until(b'\n', &mut line)).await;
        let answer = match read {
            Err(_) | Ok(Ok(0)) => return Ok(()),
            Ok(Err(error)) => return Err(error),
            Ok(Ok(_)) if line.len() as u64 > MAX_REQUEST => {
                json!({ "error": format!("a request is at most {MAX_REQUEST} bytes") })
            }
            Ok(Ok(_)) => answer(&line, answerer).await,
        };
        let mut bytes = answer.to_string().into_bytes();
        bytes.push(b'\n');
        timeout(IDLE, writer.write_all(&bytes)).await.unwrap_or(Ok(()))?;
        if line.last() != Some(&b'\n') {
            return dismiss(reader, writer).await;
        }
    }
}

/// Ends a connection after half a line, or one too long to find the end of. A socket closed with bytes unread drops
/// what was answered last, so a little more is read, and thrown away.
async fn dismiss(reader: impl AsyncReadExt + Unpin, mut writer: impl AsyncWriteExt + Unpin) -> std::io::Result<()> {
    writer.shutdown().await?;
    let drain = async |mut rest| tokio::io::copy(&mut rest, &mut tokio::io::sink()).await;
    timeout(IDLE, drain(reader.take(MAX_UNREAD))).await.unwrap_or(Ok(0))?;
    Ok(())
}

async fn answer(line: &[u8], answerer: &impl Answerer) -> Value {
    let asked = serde_json::from_slice::<ControlRequest>(line);
    let result = match asked {
        Ok(ask) => answerer.answer(ask).await,
        Err(error) => Err(format!("this is no request: {error}")),
    };
    match result {
        Ok(value) => json!({ "ok": value }),
        Err(message) => json!({ "error": message }),
    }
}
