use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use peerlearn_protocols::id::PeerId;
use peerlearn_protocols::time::Time;
use ractor::{Actor, ActorProcessingErr, ActorRef};

use super::table::Failures;
use super::*;
use crate::clock::Clock;
use crate::event::{EventBus, NodeEvent};
use crate::mailbox::Mailbox;

/// A component that counts its starts and does as it is told.
struct Fragile(Arc<AtomicUsize>);

enum Command {
    Panic,
    Fail,
    Starts(ractor::RpcReplyPort<usize>),
}

impl Actor for Fragile {
    type Msg = Command;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Command>, (): ()) -> Result<(), ActorProcessingErr> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    async fn handle(&self, _: ActorRef<Command>, order: Command, (): &mut ()) -> Result<(), ActorProcessingErr> {
        match order {
            Command::Panic => panic!("told to"),
            Command::Fail => Err("told to".into()),
            Command::Starts(reply) => {
                let _ = reply.send(self.0.load(Ordering::SeqCst));
                Ok(())
            }
        }
    }
}

async fn fragile(policy: RestartPolicy) -> (Supervisor, Mailbox<Command>, EventBus) {
    let clock = Clock::start();
    let events = EventBus::new(PeerId([1; 32]), clock.clone());
    let mailbox = Mailbox::new("fragile");
    let (starts, connect) = (Arc::new(AtomicUsize::new(0)), mailbox.clone());
    let start: Start = Arc::new(move |supervisor| {
        let (starts, connect) = (Arc::clone(&starts), connect.clone());
        Box::pin(async move {
            let (actor, _) = Actor::spawn_linked(None, Fragile(starts), (), supervisor).await?;
            connect.connect(actor.clone());
            Ok(actor.get_cell())
        })
    });
    let supervisor = Supervisor::spawn(vec![("fragile", start)], policy, clock, events.clone()).await.unwrap();
    (supervisor, mailbox, events)
}

#[tokio::test]
async fn a_room_that_panics_or_fails_is_started_again_and_its_mailbox_stays_valid() {
    let (supervisor, mailbox, events) = fragile(RestartPolicy::default()).await;
    let mut reader = events.subscribe();
    for (order, times) in [(Command::Panic, 1), (Command::Fail, 2)] {
        mailbox.cast(order).unwrap();
        let event = reader.recv().await.unwrap().event;
        assert_eq!(event, NodeEvent::ComponentRestarted { component: "fragile".into(), times });
    }
    assert_eq!(mailbox.ask(Command::Starts).await, Ok(3));
    supervisor.stop().await;
    assert!(mailbox.ask(Command::Starts).await.is_err());
}

#[tokio::test]
async fn a_room_that_fails_too_often_is_given_up() {
    let (supervisor, mailbox, events) = fragile(RestartPolicy { most: 2, ..RestartPolicy::default() }).await;
    let mut reader = events.subscribe();
    for _ in 0..2 {
        mailbox.cast(Command::Panic).unwrap();
        reader.recv().await.unwrap();
    }
    mailbox.cast(Command::Panic).unwrap();
    let reason = supervisor.failed().await;
    assert!(reason.contains("fragile"), "{reason}");
}

#[test]
fn pauses_double_and_old_failures_are_forgiven() {
    let policy = RestartPolicy { most: 3, ..RestartPolicy::default() };
    let mut failures = Failures::default();
    let at = |seconds| Time::ZERO + Duration::from_secs(seconds);
    let pauses: Vec<RestartDecision> = (0..4).map(|n| failures.record(at(n), &policy)).collect();
    let millis = |n| RestartDecision::Restart(Duration::from_millis(n));
    assert_eq!(pauses, [millis(20), millis(40), millis(80), RestartDecision::GiveUp]);
    assert_eq!(failures.record(at(500), &policy), millis(20));
}
