//! Nodes in processes of their own, here or in containers.
//!
//! A child gets what it is on the first line of its standard input and orders on later ones, and tells on its standard
//! output. When its input ends, because whoever started it has ended in whatever way, it ends too.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::{Duration, Instant};

use peerlearn::data::Loaded;
use peerlearn_harness::{Load, resident_mb};
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use tokio::sync::mpsc;

use super::{Fleet, FleetError};
use crate::member::{MemberCommand, MemberReport, MemberSpec, write_rows};

/// Where children live, and what is different there.
#[allow(async_fn_in_trait, reason = "used with concrete types only")]
pub trait Place {
    /// The command that starts a child.
    fn command(&self, peer: usize, name: &str) -> Command;

    /// The id of the node's process as this system sees it.
    fn pid(&self, name: &str, child: &Child) -> Option<u32>;

    /// Sends a signal (`KILL`, `STOP`, `CONT`) to a node whose process this system does not show.
    ///
    /// # Errors
    /// It cannot be sent.
    fn signal(&self, name: &str, signal: &'static str) -> Result<(), FleetError>;

    /// A path under the run's directory, as children see it.
    fn seen(&self, path: &Path) -> PathBuf;

    /// Where children listen.
    fn listen(&self) -> Vec<String>;

    /// Moves a child to another network; false where it has to do so itself.
    ///
    /// # Errors
    /// The system refused.
    async fn relocate(&mut self, name: &str) -> Result<bool, FleetError>;

    /// Takes away what the place has made.
    async fn clear(&mut self);
}

/// Children of this process that are nodes.
pub struct Children<P> {
    place: P,
    directory: PathBuf,
    told: mpsc::Sender<(usize, MemberReport)>,
    running: BTreeMap<usize, Running>,
    /// CPU seconds of children that have ended.
    spent: f64,
}

struct Running {
    name: String,
    child: Child,
    /// Lines for it; a thread writes them, because one that is stopped takes none.
    orders: SyncSender<String>,
    pid: Option<u32>,
    cpu_s: f64,
}

impl<P: Place> Children<P> {
    /// A fleet without nodes. Rows, homes and logs are kept under `directory`.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub fn new(
        place: P,
        directory: &Path,
        rows: &[Loaded],
        told: mpsc::Sender<(usize, MemberReport)>,
    ) -> Result<Self, FleetError> {
        let fleet = Self { place, directory: directory.to_owned(), told, running: BTreeMap::new(), spent: 0.0 };
        for (peer, rows) in rows.iter().enumerate() {
            let own = fleet.own(peer);
            let failed = |source| FleetError::File { action: "make", path: own.clone(), source };
            fs::create_dir_all(own.join("home")).map_err(failed)?;
            write_rows(&own.join("rows"), rows)?;
        }
        Ok(fleet)
    }

    fn own(&self, peer: usize) -> PathBuf {
        self.directory.join(peer.to_string())
    }
}

impl<P: Place> Fleet for Children<P> {
    async fn start(&mut self, peer: usize, mut spec: MemberSpec) -> Result<(), FleetError> {
        let name = spec.name.clone();
        let failed = |action| {
            let name = name.clone();
            move |source| FleetError::Process { action, name, source }
        };
        let own = self.own(peer);
        spec.rows = Some(self.place.seen(&own.join("rows")));
        let log_path = own.join("log");
        let log = fs::OpenOptions::new().create(true).append(true).open(&log_path);
        let log = log.map_err(|source| FleetError::File { action: "open", path: log_path, source })?;
        let line = serde_json::to_string(&spec).map_err(|error| failed("describe")(error.into()))?;
        let mut command = self.place.command(peer, &name);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().map_err(failed("start"))?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (mut input, output) = pipes.ok_or_else(|| failed("talk to")(std::io::ErrorKind::BrokenPipe.into()))?;
        let (orders, waiting) = sync_channel::<String>(MAX_ORDERS);
        std::thread::spawn(move || {
            // The input of the child ends with this thread, and with it the child.
            while let Ok(line) = waiting.recv() {
                if writeln!(input, "{line}").and_then(|()| input.flush()).is_err() {
                    return;
                }
            }
        });
        // There is room: it is the first.
        let _ = orders.try_send(line);
        let told = self.told.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                // Whatever else a program may print is no news.
                let Ok(news) = serde_json::from_str::<MemberReport>(&line) else { continue };
                if told.blocking_send((peer, news)).is_err() {
                    return;
                }
            }
        });
        let running = Running { name, child, orders, pid: None, cpu_s: 0.0 };
        self.running.insert(peer, running);
        Ok(())
    }

    async fn kill(&mut self, peer: usize) -> Result<(), FleetError> {
        let Some(mut running) = self.running.remove(&peer) else { return Ok(()) };
        self.spent += running.cpu_s;
        if let Some(pid) = running.find(&self.place) {
            // It may have ended by itself.
            let _ = kill_process(pid, Signal::KILL);
        } else if self.place.signal(&running.name, "KILL").is_err() {
            // Its input ends with whoever started it.
            let _ = running.child.kill();
        }
        let _ = running.child.wait();
        Ok(())
    }

    async fn freeze(&mut self, peer: usize, frozen: bool) -> Result<(), FleetError> {
        let Some(running) = self.running.get_mut(&peer) else { return Ok(()) };
        let (signal, word) = if frozen { (Signal::STOP, "STOP") } else { (Signal::CONT, "CONT") };
        let Some(pid) = running.find(&self.place) else { return self.place.signal(&running.name, word) };
        let failed = |source: rustix::io::Errno| FleetError::Process {
            action: "stop or continue",
            name: running.name.clone(),
            source: source.into(),
        };
        kill_process(pid, signal).map_err(failed)
    }

    async fn fill_disk(&mut self, peer: usize, full: bool) -> Result<bool, FleetError> {
        // The limit is that of a process: one that starts later has none.
        let Some(running) = self.running.get_mut(&peer) else { return Ok(!full) };
        let Some(pid) = running.find(&self.place) else { return Ok(false) };
        // No file may grow: every write to a disk fails, while pipes and sockets work.
        let limit = Rlimit { current: full.then_some(0), maximum: None };
        match prlimit(Some(pid), Resource::Fsize, limit) {
            Ok(_) => Ok(true),
            Err(source) => Err(FleetError::Process {
                action: "limit the files of",
                name: running.name.clone(),
                source: source.into(),
            }),
        }
    }

    async fn relocate(&mut self, peer: usize) -> Result<(), FleetError> {
        let Some(name) = self.running.get(&peer).map(|running| running.name.clone()) else { return Ok(()) };
        if !self.place.relocate(&name).await? {
            self.order(peer, MemberCommand::Move).await;
        }
        Ok(())
    }

    async fn order(&mut self, peer: usize, order: MemberCommand) {
        let Some(running) = self.running.get_mut(&peer) else { return };
        let Ok(line) = serde_json::to_string(&order) else { return };
        // One that is stopped may have too many waiting; newer ones say all that older ones did.
        let _ = running.orders.try_send(line);
        if order == MemberCommand::Leave
            && let Some(running) = self.running.remove(&peer)
        {
            self.spent += running.cpu_s;
            running.leave().await;
        }
    }

    fn home(&self, peer: usize) -> PathBuf {
        self.place.seen(&self.disk(peer))
    }

    fn disk(&self, peer: usize) -> PathBuf {
        self.own(peer).join("home")
    }

    fn listen(&self) -> Vec<String> {
        self.place.listen()
    }

    fn load(&mut self) -> Load {
        let (mut cpu_s, mut rss_mb) = (self.spent, None);
        for running in self.running.values_mut() {
            let Some(pid) = running.find(&self.place).map(Pid::as_raw_pid) else { continue };
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok();
            running.cpu_s = stat.as_deref().and_then(cpu_seconds).unwrap_or(running.cpu_s);
            let status = fs::read_to_string(format!("/proc/{pid}/status")).ok();
            if let Some(resident) = status.as_deref().and_then(resident_mb) {
                *rss_mb.get_or_insert(0.0) += resident;
            }
            cpu_s += running.cpu_s;
        }
        Load { cpu_s, rss_mb }
    }

    async fn end(&mut self) {
        let peers: Vec<usize> = self.running.keys().copied().collect();
        for peer in peers {
            // Nothing can be done about one that cannot be killed.
            let _ = self.kill(peer).await;
        }
        self.place.clear().await;
    }
}

/// Longest time a node may take to leave politely.
const LEAVING: Duration = Duration::from_secs(10);
/// Orders that may wait for one child.
const MAX_ORDERS: usize = 64;

impl Running {
    /// Waits until it has left, and makes it where it does not.
    async fn leave(mut self) {
        let asked = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) && asked.elapsed() < LEAVING {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // What has ended cannot be killed, which is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// The process of the node, asked for once.
    fn find(&mut self, place: &impl Place) -> Option<Pid> {
        if self.pid.is_none() {
            self.pid = place.pid(&self.name, &self.child);
        }
        self.pid.and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?))
    }
}

/// CPU seconds, both kinds, from the text of `/proc/PID/stat`.
fn cpu_seconds(stat: &str) -> Option<f64> {
    // The name of the program stands in brackets and may hold anything.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let ticks: f64 = fields.next()?.parse::<f64>().ok()? + fields.next()?.parse::<f64>().ok()?;
    let a_second = rustix::param::clock_ticks_per_second() as f64;
    Some(ticks / a_second)
}

/// Children beside this process.
#[derive(Debug, Clone)]
pub struct Here {
    /// The program to run.
    pub program: PathBuf,
}

impl Place for Here {
    fn command(&self, _: usize, _: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("member");
        command
    }

    fn pid(&self, _: &str, child: &Child) -> Option<u32> {
        Some(child.id())
    }

    fn signal(&self, _: &str, _: &'static str) -> Result<(), FleetError> {
        // Every process here is shown.
        Ok(())
    }

    fn seen(&self, path: &Path) -> PathBuf {
        path.to_owned()
    }

    fn listen(&self) -> Vec<String> {
        vec!["/ip4/127.0.0.1/tcp/0".to_owned()]
    }

    async fn relocate(&mut self, _: &str) -> Result<bool, FleetError> {
        Ok(false)
    }

    async fn clear(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_says_what_a_process_takes() {
        let stat = "12 (a) b) c) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20";
        assert_eq!(cpu_seconds(stat), Some(300.0 / rustix::param::clock_ticks_per_second() as f64));
        assert_eq!(cpu_seconds("nonsense"), None);
    }
}
