//! The actor that stands for the swarm task: it starts it, notices its end, and is restarted with it.

use peerlearn_protocols::id::TaskId;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::behaviour::bulk_protocol;
use super::command::SwarmLink;
use super::counting::Counters;
use super::environment::NetworkEnvironment;
use super::identity::Identity;
use super::swarm::Driver;
use super::{NetworkConfig, NetworkEvent, accepting, hello, summaries, task_exchange};

/// Commands that may wait for the swarm.
const COMMANDS: usize = 256;

/// The swarm task ended, which it never does by itself.
pub(super) struct SwarmEnded;

#[derive(Clone)]
pub(super) struct NetworkArgs {
    pub config: NetworkConfig,
    pub identity: Identity,
    pub task: TaskId,
    pub events: mpsc::Sender<NetworkEvent>,
    pub counters: Counters,
    pub environment: NetworkEnvironment,
    pub swarm_link: SwarmLink,
}

pub(super) struct NetworkState {
    tasks: Vec<AbortHandle>,
}

impl Drop for NetworkState {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

pub(super) struct NetworkActor;

impl Actor for NetworkActor {
    type Msg = SwarmEnded;
    type State = NetworkState;
    type Arguments = NetworkArgs;

    async fn pre_start(
        &self,
        myself: ActorRef<SwarmEnded>,
        args: NetworkArgs,
    ) -> Result<NetworkState, ActorProcessingErr> {
        let (sender, receiver) = mpsc::channel(COMMANDS);
        let (about, events) = (&args.environment, args.events.clone());
        let mut driver =
            Driver::new(args.identity, args.task, &args.config, &args.counters, about, events, sender.clone())?;
        let sure = args.config.listen.iter().filter(|text| !super::listening::is_any_ip6(text)).count();
        let serving_control = driver.streams();
        let hellos = hello::incoming(&mut serving_control.clone());
        driver.listening(sure).await;
        let control = driver.control();
        let (document, open) = (args.environment.document.clone(), args.environment.open);
        let book = args.environment.summaries.clone();
        let (book_control, book_events) = (control.clone(), args.events.clone());
        let exchanging =
            book.map(|book| tokio::spawn(summaries::serve(book_control, args.task, book, sender.clone(), book_events)));
        let accepting = tokio::spawn(accepting::accept(control.clone(), bulk_protocol()?, args.events));
        let gate = args.environment.gate.clone();
        let answering = hellos.map(|hellos| tokio::spawn(hello::answer_all(hellos, gate, sender.clone())));
        args.swarm_link.connect((sender, control));
        let running = tokio::spawn(driver.run(receiver));
        let mut tasks = vec![running.abort_handle(), accepting.abort_handle()];
        tasks.extend(answering.into_iter().chain(exchanging).map(|serving| serving.abort_handle()));
        if let Some(document) = document {
            let serving = tokio::spawn(task_exchange::serve(serving_control, args.task, document, open));
            tasks.push(serving.abort_handle());
        }
        tokio::spawn(async move {
            // Also when it panicked.
            let _ = running.await;
            let _ = myself.cast(SwarmEnded);
        });
        Ok(NetworkState { tasks })
    }

    async fn handle(
        &self,
        _: ActorRef<SwarmEnded>,
        SwarmEnded: SwarmEnded,
        _: &mut NetworkState,
    ) -> Result<(), ActorProcessingErr> {
        Err("the swarm task ended".into())
    }
}
