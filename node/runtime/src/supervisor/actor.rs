//! The supervisor actor.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::BoxFuture;
use ractor::{Actor, ActorCell, ActorId, ActorProcessingErr, ActorRef, SpawnErr, SupervisionEvent};
use tokio::sync::watch;

use super::table::{Failures, RestartPolicy, Verdict};
use crate::clock::Clock;
use crate::event::{EventBus, NodeEvent};

/// Starts one room, linked to the given supervisor, and connects its mailbox.
pub type Start = Arc<dyn Fn(ActorCell) -> BoxFuture<'static, Result<ActorCell, SpawnErr>> + Send + Sync>;

/// The supervisor of one node.
#[derive(Debug, Clone)]
pub struct Supervisor {
    actor: ActorRef<Restart>,
    failed: watch::Receiver<Option<String>>,
}

impl Supervisor {
    /// Starts the rooms in order.
    ///
    /// # Errors
    /// A room did not start.
    pub async fn spawn(
        rooms: Vec<(&'static str, Start)>,
        policy: RestartPolicy,
        clock: Clock,
        events: EventBus,
    ) -> Result<Self, SpawnErr> {
        let (failed_sender, failed) = watch::channel(None);
        let args = SupervisorArgs { rooms, policy, clock, events, failed: failed_sender };
        let (actor, _) = Actor::spawn(None, SupervisorActor, args).await?;
        Ok(Self { actor, failed })
    }

    /// Stops all rooms and waits for them.
    pub async fn stop(&self) {
        let cell = self.actor.get_cell();
        cell.stop_children_and_wait(None, None).await;
        // The actor may already be gone; then there is nothing to wait for.
        let _ = cell.stop_and_wait(None, None).await;
    }

    /// Waits until a room failed too often; says which.
    pub async fn failed(&self) -> String {
        let mut failed = self.failed.clone();
        match failed.wait_for(Option::is_some).await {
            Ok(room) => room.clone().unwrap_or_default(),
            // The supervisor stopped without a failure.
            Err(_) => std::future::pending().await,
        }
    }
}

struct SupervisorActor;

struct SupervisorArgs {
    rooms: Vec<(&'static str, Start)>,
    policy: RestartPolicy,
    clock: Clock,
    events: EventBus,
    failed: watch::Sender<Option<String>>,
}

struct Room {
    name: &'static str,
    start: Start,
    failures: Failures,
}

struct SupervisorState {
    rooms: Vec<Room>,
    running: BTreeMap<ActorId, usize>,
    policy: RestartPolicy,
    clock: Clock,
    events: EventBus,
    failed: watch::Sender<Option<String>>,
}

/// A pause is over: start the room at this index again. Only the supervisor sends it, to itself.
struct Restart(usize);

impl Actor for SupervisorActor {
    type Msg = Restart;
    type State = SupervisorState;
    type Arguments = SupervisorArgs;

    async fn pre_start(
        &self,
        myself: ActorRef<Restart>,
        args: SupervisorArgs,
    ) -> Result<SupervisorState, ActorProcessingErr> {
        let mut running = BTreeMap::new();
        let mut rooms = Vec::new();
        for (index, (name, start)) in args.rooms.into_iter().enumerate() {
            running.insert(start(myself.get_cell()).await?.get_id(), index);
            rooms.push(Room { name, start, failures: Failures::default() });
        }
        let SupervisorArgs { policy, clock, events, failed, .. } = SupervisorArgs { rooms: Vec::new(), ..args };
        Ok(SupervisorState { rooms, running, policy, clock, events, failed })
    }

    async fn handle(
        &self,
        myself: ActorRef<Restart>,
        Restart(index): Restart,
        state: &mut SupervisorState,
    ) -> Result<(), ActorProcessingErr> {
        state.restart(myself, index).await;
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<Restart>,
        event: SupervisionEvent,
        state: &mut SupervisorState,
    ) -> Result<(), ActorProcessingErr> {
        if let SupervisionEvent::ActorFailed(who, error) = event
            && let Some(index) = state.running.remove(&who.get_id())
        {
            state.child_failed(&myself, index, &error.to_string());
        }
        Ok(())
    }
}

impl SupervisorState {
    fn child_failed(&mut self, myself: &ActorRef<Restart>, index: usize, error: &str) {
        let room = &mut self.rooms[index];
        tracing::error!(room = room.name, %error, "room failed");
        match room.failures.record(self.clock.now(), &self.policy) {
            Verdict::Restart(pause) => drop(myself.send_after(pause, move || Restart(index))),
            Verdict::GiveUp => {
                let reason = format!("the {} room failed too often: {error}", room.name);
                self.failed.send_replace(Some(reason));
            }
        }
    }

    async fn restart(&mut self, myself: ActorRef<Restart>, index: usize) {
        let room = &mut self.rooms[index];
        let (name, times) = (room.name, room.failures.total);
        match (room.start)(myself.get_cell()).await {
            Ok(cell) => {
                self.running.insert(cell.get_id(), index);
                self.events.emit(NodeEvent::RoomRestarted { room: name.to_owned(), times });
            }
            Err(error) => self.child_failed(&myself, index, &error.to_string()),
        }
    }
}
