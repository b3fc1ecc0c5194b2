//! What outlives a learner that panics.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use cpu_time::ThreadTime;
use peerlearn_protocols::recipe::Snapshot;

/// The newest whole state and the CPU time so far. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Shared {
    newest: Arc<RwLock<Versioned>>,
    cpu_micros: Arc<AtomicU64>,
}

/// A snapshot, and its number among all of this learner.
#[derive(Debug, Clone)]
pub(super) struct Versioned {
    pub version: u64,
    pub snapshot: Arc<Snapshot>,
}

impl Shared {
    pub fn new(start: Snapshot) -> Self {
        let newest = Versioned { version: 0, snapshot: Arc::new(start) };
        Self { newest: Arc::new(RwLock::new(newest)), cpu_micros: Arc::default() }
    }

    pub fn newest(&self) -> Versioned {
        self.newest.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn set(&self, snapshot: Snapshot) {
        let mut newest = self.newest.write().unwrap_or_else(PoisonError::into_inner);
        *newest = Versioned { version: newest.version + 1, snapshot: Arc::new(snapshot) };
    }

    pub fn cpu(&self) -> Duration {
        Duration::from_micros(self.cpu_micros.load(Ordering::Relaxed))
    }

    /// Does something and counts the CPU time of this thread.
    pub fn counted<T>(&self, work: impl FnOnce() -> T) -> T {
        let cpu = ThreadTime::now();
        let done = work();
        self.cpu_micros.fetch_add(cpu.elapsed().as_micros() as u64, Ordering::Relaxed);
        done
    }
}
