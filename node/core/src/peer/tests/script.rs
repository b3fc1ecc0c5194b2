//! A node's peer carries out its machine as the reference of the simulator does.

use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Condvar, Mutex};

use peerlearn_learner::{
    Evaluation, LearnError, Learner, LearnerData, LearnerFactory, LearnerHandle, TrainPlan, TrainReport,
};
use peerlearn_network::{Identity, NetworkHandle};
use peerlearn_protocols::dataset::Dataset;
use peerlearn_protocols::mixing::Rule;
use peerlearn_protocols::params::{Layout, ParamsError};
use peerlearn_protocols::peer::{Effect, Fact, PeerStatus, Restored};
use peerlearn_protocols::recipe::{Snapshot, Trainer};
use peerlearn_protocols::sampling::Sampling;
use peerlearn_protocols::time::Time;
use peerlearn_runtime::clock::Clock;
use peerlearn_runtime::event::EventBus;
use peerlearn_runtime::supervisor::{RestartPolicy, Supervisor};
use peerlearn_sim::script::{Interpreter, Reference, Script, TASK};
use peerlearn_sim::{FlatTrainer, Model};
use ractor::{Actor, ActorRef};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};

use crate::peer::actor::{PeerActor, PeerArgs, PeerMsg};
use crate::peer::{Components, PeerStart};
use crate::registry::{Home, RegistryHandle};

/// Lets one training after the other end. Clones share it.
#[derive(Clone, Default)]
struct StepLatch(Arc<(Mutex<u32>, Condvar)>);

impl StepLatch {
    fn open(&self, trainings: u32) {
        *self.0.0.lock().unwrap() += trainings;
        self.0.1.notify_all();
    }

    fn pass(&self) {
        let closed = self.0.0.lock().unwrap();
        *self.0.1.wait_while(closed, |open| *open == 0).unwrap() -= 1;
    }
}

/// The small model of a script, as a learner of a node.
struct Small {
    script: Script,
    trainer: FlatTrainer,
    params: Vec<f32>,
    gate: StepLatch,
}

impl Small {
    fn factory(script: &Script, gate: &StepLatch) -> LearnerFactory {
        let (script, gate) = (script.clone(), gate.clone());
        Arc::new(move || {
            let training = &script.settings.recipe.training;
            let trainer = FlatTrainer::new(script.rows.clone(), None, training, script.seed);
            Ok(Box::new(Self { trainer, params: script.initial(), script: script.clone(), gate: gate.clone() }))
        })
    }
}

impl Learner for Small {
    fn layout(&self) -> &Layout {
        self.script.model.layout()
    }

    fn read(&self, out: &mut [f32]) {
        out.copy_from_slice(&self.params);
    }

    fn write(&mut self, params: &[f32]) -> Result<(), LearnError> {
        self.layout().check(params)?;
        self.params = params.to_vec();
        Ok(())
    }

    fn train(&mut self, _: &Dataset, plan: &TrainPlan<'_>) -> Result<TrainReport, LearnError> {
        self.gate.pass();
        let Ok(report) = self.trainer.of(&self.script.model).train(&mut self.params, plan);
        Ok(report)
    }

    fn evaluate(&mut self, _: &Dataset) -> Result<Evaluation, LearnError> {
        Err(LearnError::NoRows)
    }

    fn predict(&mut self, _: &[f32]) -> Result<Vec<f32>, LearnError> {
        Err(ParamsError::NotFinite { index: 0, value: f32::NAN }.into())
    }
}

/// What one start has.
struct Running {
    actor: ActorRef<PeerMsg>,
    supervisor: Supervisor,
    gate: StepLatch,
}

/// A real actor with a real learner and a real disk, in a network in which nobody answers, with a clock that the script
/// sets.
struct Real<'a> {
    script: &'a Script,
    runtime: Runtime,
    identity: Identity,
    home: Arc<Home>,
    clock: Clock,
    running: Option<Running>,
    trace: mpsc::Receiver<(String, Vec<Effect>)>,
    sender: mpsc::Sender<(String, Vec<Effect>)>,
    told: Vec<(String, Vec<Effect>)>,
}

impl<'a> Real<'a> {
    fn new(script: &'a Script, identity: Identity, directory: &std::path::Path) -> Self {
        let (sender, trace) = mpsc::channel(1 << 16);
        Self {
            script,
            runtime: Runtime::new().unwrap(),
            identity,
            home: Arc::new(Home::open(directory).unwrap()),
            clock: Clock::start(),
            running: None,
            trace,
            sender,
            told: Vec::new(),
        }
    }

    /// A node's start, as far as the peer sees it: checkpoint, learner, registry, then the actor.
    async fn begin(&self, starts: u32) -> Running {
        let gate = StepLatch::default();
        let network = NetworkHandle::unanswered(&self.identity, TASK).unwrap();
        let events = EventBus::new(network.local(), self.clock.clone());
        let layout = (*self.script.settings.layout).clone();
        let (registry, checkpoint, _, registry_start) =
            RegistryHandle::open(Arc::clone(&self.home), TASK, layout, events.clone()).unwrap();
        let (restored, snapshot) = match checkpoint {
            Some(found) => {
                let restored = Restored { round: found.round, age: found.snapshot.age, account: found.account };
                (restored, Arc::unwrap_or_clone(found.snapshot))
            }
            None => (Restored::default(), Snapshot::fresh(self.script.initial())),
        };
        let data = LearnerData { train: self.script.rows.clone(), validation: None, test: None };
        let (settings, factory) = (Arc::clone(&self.script.settings), Small::factory(self.script, &gate));
        let (learner, learner_start) =
            LearnerHandle::new(factory, data, Arc::clone(&settings.recipe), self.script.seed, snapshot);
        let (clock, policy) = (self.clock.clone(), RestartPolicy::default());
        let starting = vec![("registry", registry_start), ("learner", learner_start)];
        let supervisor = Supervisor::spawn(starting, policy, clock.clone(), events.clone()).await.unwrap();
        let (status, _) = watch::channel(PeerStatus::of(&restored));
        let start =
            PeerStart { starts, restored: restored.clone(), contacts: Vec::new(), has_contacts: true, max_inbound: 4 };
        let args = PeerArgs {
            settings,
            start,
            components: Components { learner, network, registry: Some(registry), events, clock },
            status: Arc::new(status),
            restored: Arc::new(Mutex::new(restored)),
            restarts: Arc::new(AtomicU32::new(0)),
            trace: Some(self.sender.clone()),
            rng: Some(ChaCha8Rng::seed_from_u64(self.script.rng_seed(starts))),
        };
        let (actor, _) = Actor::spawn(None, PeerActor, args).await.unwrap();
        Running { actor, supervisor, gate }
    }

    /// Waits until so much has come back, and everything that the actor has others do but for training.
    fn settle(&mut self, mut open: i32) {
        let Some(Running { actor, .. }) = &self.running else { return };
        loop {
            let asked = self.runtime.block_on(async {
                let (sender, receiver) = ractor::concurrency::oneshot();
                actor.cast(PeerMsg::KnownPeers(sender.into())).unwrap();
                receiver.await.unwrap()
            });
            drop(asked);
            while let Ok((fact, effects)) = self.trace.try_recv() {
                let comes_back = |effect: &&Effect| {
                    let (publish, mix) = (matches!(effect, Effect::Publish { .. }), matches!(effect, Effect::Mix(_)));
                    let commit = matches!(effect, Effect::Commit { .. });
                    publish || mix || commit || matches!(effect, Effect::Measure | Effect::Recode { .. })
                };
                open += effects.iter().filter(comes_back).count() as i32;
                let back = ["Trained(", "Mixed(", "Published(", "Stored ", "Measured ", "Recoded("];
                open -= i32::from(back.iter().any(|word| fact.starts_with(word)));
                self.told.push((fact, effects));
            }
            if open == 0 {
                return;
            }
            std::thread::yield_now();
        }
    }
}

impl Interpreter for Real<'_> {
    fn start(&mut self, now: Time, starts: u32) {
        self.clock.stand_at(now);
        if let Some(Running { actor, supervisor, gate, .. }) = self.running.take() {
            // As kill -9: nothing is saved.
            self.runtime.block_on(async {
                actor.kill_and_wait(None).await.unwrap();
                supervisor.stop().await;
            });
            // The thread that trains ends.
            gate.open(1);
        }
        self.running = Some(self.runtime.block_on(self.begin(starts)));
        self.settle(0);
    }

    fn tell(&mut self, now: Time, fact: Fact) {
        self.clock.stand_at(now);
        if let Some(Running { actor, .. }) = &self.running {
            actor.cast(PeerMsg::Fact(Box::new(fact), None)).unwrap();
        }
        self.settle(0);
    }

    fn end_training(&mut self, now: Time) {
        self.clock.stand_at(now);
        self.running.iter().for_each(|running| running.gate.open(1));
        self.settle(1);
    }

    fn told(&mut self) -> Vec<(String, Vec<Effect>)> {
        std::mem::take(&mut self.told)
    }
}

#[test]
fn a_node_does_what_its_machine_wants_bit_by_bit() {
    for rule in [Rule::AgeLimited, Rule::Pair, Rule::PushSum] {
        for sampling in [Sampling::Guarded, Sampling::View { size: 4 }] {
            let identity = Identity::from_secret([9; 32]);
            let script = Script::new(identity.peer(), rule, sampling, 5).unwrap();
            let directory = tempfile::tempdir().unwrap();
            let want = script.run(&mut Reference::new(&script).unwrap(), 600);
            let got = script.run(&mut Real::new(&script, identity, directory.path()), 600);
            for (line, (want, got)) in want.iter().zip(&got).enumerate() {
                assert_eq!(got, want, "{rule}, line {line}");
            }
            assert_eq!(got.len(), want.len());
        }
    }
}
