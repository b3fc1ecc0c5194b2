//! The front door of the learner's thread.

use std::sync::mpsc::{SyncSender, TrySendError};

use ractor::{Actor, ActorProcessingErr, ActorRef};

use super::thread::{self, Order, Shared};
use super::{LearnerConfig, LearnerData, LearnerError, LearnerFactory};
use crate::learner::bench::Workbench;

/// What the learner is told.
pub(super) enum LearnerMsg {
    /// Do this on the thread, as soon as what was asked before is done.
    Do(Order),
    /// The thread has ended on its own: the actor fails, so that the supervisor starts both anew.
    ThreadEnded,
}

#[derive(Clone)]
pub(super) struct LearnerArgs {
    pub factory: LearnerFactory,
    pub data: LearnerData,
    pub config: LearnerConfig,
    pub shared: Shared,
}

pub(super) struct LearnerState {
    orders: SyncSender<Order>,
}

pub(super) struct LearnerActor;

impl Actor for LearnerActor {
    type Msg = LearnerMsg;
    type State = LearnerState;
    type Arguments = LearnerArgs;

    async fn pre_start(
        &self,
        myself: ActorRef<LearnerMsg>,
        args: LearnerArgs,
    ) -> Result<LearnerState, ActorProcessingErr> {
        let LearnerArgs { factory, data, config, shared } = args;
        let good = shared.good.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        let build = move || Workbench::new(factory()?, data, config, &good);
        let ended = move || drop(myself.cast(LearnerMsg::ThreadEnded));
        let orders = thread::start(build, shared, ended)?;
        Ok(LearnerState { orders })
    }

    async fn handle(
        &self,
        _: ActorRef<LearnerMsg>,
        message: LearnerMsg,
        state: &mut LearnerState,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            LearnerMsg::Do(order) => state.on_do(order),
            LearnerMsg::ThreadEnded => Err("the learner's thread ended".into()),
        }
    }
}

impl LearnerState {
    fn on_do(&mut self, order: Order) -> Result<(), ActorProcessingErr> {
        match self.orders.try_send(order) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(order)) => {
                refuse(order);
                Ok(())
            }
            // ThreadEnded is on its way; dropping the order tells whoever asked.
            Err(TrySendError::Disconnected(_)) => Ok(()),
        }
    }
}

fn refuse(order: Order) {
    // Whoever asked may have stopped waiting.
    let _ = match order {
        Order::Train(_, reply) => reply.send(Err(LearnerError::Busy)).is_ok(),
        Order::Mix(_, reply) => reply.send(Err(LearnerError::Busy)).is_ok(),
        Order::Encode(_, reply) => reply.send(Err(LearnerError::Busy)).is_ok(),
        Order::Evaluate(_, reply) => reply.send(Err(LearnerError::Busy)).is_ok(),
        Order::Predict(_, reply) => reply.send(Err(LearnerError::Busy)).is_ok(),
        Order::Snapshot(reply) => reply.send(Err(LearnerError::Busy)).is_ok(),
        Order::Restore(_, reply) => reply.send(Err(LearnerError::Busy)).is_ok(),
    };
}
