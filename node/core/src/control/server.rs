//! The side of the node.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::OwnedWriteHalf;
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;

use super::clients::{Clients, GRACE, Seat};
use super::place::Place;
use super::{ControlError, ControlRequest, MAX_REQUEST, SOCKET};

/// Most bytes thrown away so that an answer is not.
const MAX_UNREAD: u64 = 4 * 1024 * 1024;
/// Longest time until the first request is there in full.
const FIRST: Duration = Duration::from_secs(3);
/// Longest time until the next one is, or until an answer is read.
const IDLE: Duration = Duration::from_secs(10);
/// Silence that makes room where descriptors have run out.
const URGENT: Duration = Duration::from_millis(5);
/// Pause after a connection could not be taken; twice as long after each time, up to a second.
const BACK_OFF: Duration = Duration::from_millis(50);

/// Whoever answers requests.
pub trait Answerer: Send + Sync + 'static {
    /// Answers, or says why not.
    fn answer(&self, ask: ControlRequest) -> impl Future<Output = Result<Value, String>> + Send;
}

/// The open socket; dropping it closes and removes it.
#[derive(Debug)]
pub struct ControlServer {
    path: PathBuf,
    /// Device and number of the socket's file.
    file: Option<(u64, u64)>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for ControlServer {
    fn drop(&mut self) {
        self.task.abort();
        // The home may be another node's by now, and the socket in it too.
        if self.file.is_some() && self.file == file_of(&self.path) {
            // A file that is gone already is as good as removed.
            let _ = std::fs::remove_file(&self.path);
        }
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
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed("replace")(error)),
            _ => {}
        }
        let place = Place::of(home).map_err(failed("open"))?;
        let listener = UnixListener::bind(place.path()).map_err(failed("open"))?;
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&path, private).map_err(failed("protect"))?;
        let file = file_of(&path);
        let task = tokio::spawn(accept(listener, Arc::new(answerer)));
        Ok(Self { path, file, task })
    }
}

fn file_of(path: &Path) -> Option<(u64, u64)> {
    path.symlink_metadata().ok().map(|found| (found.dev(), found.ino()))
}

/// Closes all connections with the socket.
struct Open(Arc<Clients>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.close_all();
    }
}

/// Takes connections for ever.
async fn accept(listener: UnixListener, answerer: Arc<impl Answerer>) {
    let open = Open(Arc::new(Clients::new()));
    let clients = &open.0;
    let (mut spare, mut failures) = (None, 0u32);
    loop {
        clients.make_room().await;
        spare = spare.or_else(spare_descriptor);
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted.map(|(stream, _)| stream),
            // The one that ended leaves a descriptor to spare.
            () = clients.freed.notified(), if spare.is_none() => continue,
        };
        let stream = match accepted {
            Ok(stream) => stream,
            Err(error) => {
                // Out of descriptors, say. The spare one is for whoever asks now; nobody may, for the system says this of an
                // empty queue too.
                let is_spared = spare.take().is_some();
                match take_waiting(&listener).await {
                    None if is_spared => continue,
                    Some(Ok(stream)) if is_spared => stream,
                    taken => {
                        tell_once(&mut failures, &error);
                        drop(taken);
                        clients.close_silent(URGENT);
                        // What is closed leaves a descriptor; with nobody to close there is none to hope for soon.
                        let wait = if clients.is_empty() { pause(failures) } else { URGENT };
                        let _ = timeout(wait, clients.freed.notified()).await;
                        continue;
                    }
                }
            }
        };
        failures = 0;
        let answerer = Arc::clone(&answerer);
        clients.seat(|seat| async move {
            // Whoever breaks off in the middle has nobody to be told.
            let _ = serve(stream, &*answerer, &seat).await;
        });
    }
}

/// A descriptor that is held for the time when there is no other.
fn spare_descriptor() -> Option<File> {
    File::open("/dev/null").ok()
}

/// The connection that waits; `None` where none does.
async fn take_waiting(listener: &UnixListener) -> Option<io::Result<UnixStream>> {
    std::future::poll_fn(|context| {
        Poll::Ready(match listener.poll_accept(context) {
            Poll::Ready(accepted) => Some(accepted.map(|(stream, _)| stream)),
            Poll::Pending => None,
        })
    })
    .await
}

/// Says why connections cannot be taken, the first time in a row.
fn tell_once(failures: &mut u32, error: &io::Error) {
    if *failures == 0 {
        tracing::warn!(
            "the control socket cannot take a connection: {error}; it goes on trying; where descriptors have run out, a \
             higher limit (ulimit -n) helps"
        );
    }
    *failures = failures.saturating_add(1);
}

fn pause(failures: u32) -> Duration {
    (BACK_OFF * 2u32.pow(failures.min(5))).min(Duration::from_secs(1))
}

async fn serve(stream: UnixStream, answerer: &impl Answerer, seat: &Seat) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    let mut patience = FIRST;
    loop {
        let mut line = Vec::new();
        let read = timeout(patience, (&mut reader).take(MAX_REQUEST + 1).read_until(b'\n', &mut line)).await;
        let answer = match read {
            Err(_) | Ok(Ok(0)) => return Ok(()),
            Ok(Err(error)) => return Err(error),
            Ok(Ok(_)) if line.len() as u64 > MAX_REQUEST => {
                json!({ "error": format!("a request is at most {MAX_REQUEST} bytes") })
            }
            Ok(Ok(_)) => {
                seat.is_answered(true);
                answer(&line, answerer).await
            }
        };
        let mut bytes = answer.to_string().into_bytes();
        bytes.push(b'\n');
        write(&mut writer, &bytes, seat).await?;
        patience = IDLE;
        if line.last() != Some(&b'\n') {
            return dismiss(reader, writer).await;
        }
    }
}

/// Writes an answer; whoever does not read it at once is as silent as who does not ask.
async fn write(writer: &mut OwnedWriteHalf, bytes: &[u8], seat: &Seat) -> io::Result<()> {
    let mut writing = std::pin::pin!(writer.write_all(bytes));
    let at_once = timeout(GRACE, &mut writing).await;
    seat.is_answered(false);
    match at_once {
        Ok(written) => written,
        Err(_) => timeout(IDLE, writing).await.unwrap_or(Ok(())),
    }
}

/// Ends a connection after half a line, or one too long to find the end of. A socket closed with bytes unread drops
/// what was answered last, so a little more is read, and thrown away.
async fn dismiss(reader: impl AsyncReadExt + Unpin, mut writer: impl AsyncWriteExt + Unpin) -> io::Result<()> {
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
