//! The supervisor actor.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::BoxFuture;
use ractor::{Actor, ActorCell, ActorId, ActorProcessingErr, ActorRef, SpawnErr, SupervisionEvent};
use tokio::sync::watch;

use super::table::{Failures, RestartDecision, RestartPolicy};
use crate::clock::Clock;
use crate::event::{EventBus, NodeEvent};

/// Starts one component, linked to the given supervisor, and connects its mailbox.
pub type Start = Arc<dyn Fn(ActorCell) -> BoxFuture<'static, Result<ActorCell, SpawnErr>> + Send + Sync>;

/// The supervisor of one node.
#[derive(Debug, Clone)]
pub struct Supervisor {
    actor: ActorRef<Restart>,
    failed: watch::Receiver<Option<String>>,
}

impl Supervisor {
    /// Starts the components in order.
    ///
    /// # Errors
    /// A component did not start.
    pub async fn spawn(
        components: Vec<(&'static str, Start)>,
        policy: RestartPolicy,
        clock: Clock,
        events: EventBus,
    ) -> Result<Self, SpawnErr> {
        let (failed_sender, failed) = watch::channel(None);
        let args = SupervisorArgs { components, policy, clock, events, failed: failed_sender };
        let (actor, _) = Actor::spawn(None, SupervisorActor, args).await?;
        Ok(Self { actor, failed })
    }

    /// Stops all components and waits for them.
    pub async fn stop(&self) {
        let cell = self.actor.get_cell();
        cell.stop_children_and_wait(None, None).await;
        // The actor may already be gone; then there is nothing to wait for.
        let _ = cell.stop_and_wait(None, None).await;
    }

    /// Waits until a component failed too often; says which.
    pub async fn failed(&self) -> String {
        let mut failed = self.failed.clone();
        match failed.wait_for(Option::is_some).await {
            Ok(component) => component.clone().unwrap_or_default(),
            // The supervisor stopped without a failure.
            Err(_) => std::future::pending().await,
        }
    }
}

struct SupervisorActor;

struct SupervisorArgs {
    components: Vec<(&'static str, Start)>,
    policy: RestartPolicy,
    clock: Clock,
    events: EventBus,
    failed: watch::Sender<Option<String>>,
}

struct Component {
    name: &'static str,
    start: Start,
    failures: Failures,
}

struct SupervisorState {
    components: Vec<Component>,
    running: BTreeMap<ActorId, usize>,
    policy: RestartPolicy,
    clock: Clock,
    events: EventBus,
    failed: watch::Sender<Option<String>>,
}

/// A pause is over: start the component at this index again. Only the supervisor sends it, to itself.
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
        let mut components = Vec::new();
        for (index, (name, start)) in args.components.into_iter().enumerate() {
            running.insert(start(myself.get_cell()).await?.get_id(), index);
            components.push(Component { name, start, failures: Failures::default() });
        }
        let SupervisorArgs { policy, clock, events, failed, .. } = SupervisorArgs { components: Vec::new(), ..args };
        Ok(SupervisorState { components, running, policy, clock, events, failed })
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
        let component = &mut self.components[index];
        tracing::error!(component = component.name, %error, "component failed");
        match component.failures.record(self.clock.now(), &self.policy) {
            RestartDecision::Restart(pause) => drop(myself.send_after(pause, move || Restart(index))),
            RestartDecision::GiveUp => {
                let reason = format!("the {} component failed too often: {error}", component.name);
                self.failed.send_replace(Some(reason));
            }
        }
    }

    async fn restart(&mut self, myself: ActorRef<Restart>, index: usize) {
        let component = &mut self.components[index];
        let (name, times) = (component.name, component.failures.total);
        match (component.start)(myself.get_cell()).await {
            Ok(cell) => {
                self.running.insert(cell.get_id(), index);
                self.events.emit(NodeEvent::ComponentRestarted { component: name.to_owned(), times });
            }
            Err(error) => self.child_failed(&myself, index, &error.to_string()),
        }
    }
}
