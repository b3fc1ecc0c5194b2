//! Who is connected: few at a time, and whoever is silent makes room.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};

/// Most connections at a time.
const MOST: u64 = 32;
/// The share of the descriptors of this process that they may take, as a divisor.
const SHARE: u64 = 8;
/// Least connections at a time: one that is answered and one that is heard.
const LEAST: u64 = 2;
/// Silence that makes room for nobody: a request that was sent with the connection is read before.
pub(super) const GRACE: Duration = Duration::from_millis(20);

struct Client {
    id: u64,
    /// Since when nothing was asked; `None` while it is being answered.
    silent: Option<Instant>,
    task: AbortHandle,
}

#[derive(Default)]
struct Table {
    clients: Vec<Client>,
    next: u64,
}

/// The connections of a control socket.
pub(super) struct Clients {
    table: Mutex<Table>,
    most: usize,
    /// Told whenever a place is free.
    pub freed: Notify,
}

/// The place of one connection, free again once this is dropped.
pub(super) struct Seat {
    id: u64,
    clients: Arc<Clients>,
}

impl Clients {
    /// Nobody yet; fewer places where the process has few descriptors.
    pub fn new() -> Self {
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX);
        Self::with_places((limit / SHARE).clamp(LEAST, MOST) as usize)
    }

    /// Nobody yet, and so many places.
    pub fn with_places(most: usize) -> Self {
        Self { table: Mutex::default(), most, freed: Notify::new() }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a free place. Where all are taken, the connection that has been silent longest is closed; one that is being
    /// answered never is.
    pub async fn make_room(&self) {
        while let Some(wait) = self.no_room() {
            // Whether woken or not, it is looked at anew.
            let _ = timeout(wait, self.freed.notified()).await;
        }
    }

    /// How long to wait before the next look for a place; `None` where there is one.
    fn no_room(&self) -> Option<Duration> {
        if self.table().clients.len() < self.most {
            return None;
        }
        (!self.close_silent(GRACE)).then_some(GRACE)
    }

    /// Closes the connection that has been silent longest, where it has been for so long; whether there was one.
    pub fn close_silent(&self, least: Duration) -> bool {
        let mut table = self.table();
        let silent = |(at, client): (usize, &Client)| client.silent.map(|since| (since, at));
        let oldest = table.clients.iter().enumerate().filter_map(silent).min();
        match oldest {
            Some((since, at)) if since.elapsed() >= least => {
                table.clients.remove(at).task.abort();
                true
            }
            _ => false,
        }
    }

    /// Runs a connection in a place of its own.
    pub fn seat<F: Future<Output = ()> + Send + 'static>(self: &Arc<Self>, serve: impl FnOnce(Seat) -> F) {
        // Held until it is in the table, so that its end comes after.
        let mut table = self.table();
        let id = table.next;
        table.next += 1;
        let task = tokio::spawn(serve(Seat { id, clients: Arc::clone(self) })).abort_handle();
        table.clients.push(Client { id, silent: Some(Instant::now()), task });
    }

    /// Whether nobody is connected.
    pub fn is_empty(&self) -> bool {
        self.table().clients.is_empty()
    }

    /// Closes all.
    pub fn close_all(&self) {
        self.table().clients.drain(..).for_each(|client| client.task.abort());
    }
}

impl Seat {
    /// Says that it is being answered, or again waited for.
    pub fn is_answered(&self, answered: bool) {
        let mut table = self.clients.table();
        let own = table.clients.iter_mut().find(|client| client.id == self.id);
        own.into_iter().for_each(|client| client.silent = (!answered).then(Instant::now));
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.clients.table().clients.retain(|client| client.id != self.id);
        self.clients.freed.notify_one();
    }
}
