//! The plainest interpreter: a machine and a model state, side by side.

use std::collections::VecDeque;
use std::sync::Arc;

use peerlearn_protocols::mixing::push_sum::Account;
use peerlearn_protocols::params::ParamsError;
use peerlearn_protocols::peer::{Effect, Fact, Peer, Restored};
use peerlearn_protocols::recipe::{ModelState, Snapshot};
use peerlearn_protocols::time::Time;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::{Interpreter, Script};
use crate::FlatTrainer;

/// Carries out what a script does not, at once and in memory.
pub struct Reference<'a> {
    script: &'a Script,
    machine: Peer,
    state: ModelState,
    trainer: FlatTrainer,
    /// What a start goes on from.
    disk: (u64, Snapshot, Option<Account>),
    /// The model as of the last mix, which is what a checkpoint has.
    mixed: Snapshot,
    /// The round that is being trained.
    training: Option<u64>,
    told: Vec<(String, Vec<Effect>)>,
    /// Changes an effect before it is carried out, for tests that see whether that shows.
    #[cfg(test)]
    pub(super) meddle: Option<fn(Effect) -> Option<Effect>>,
}

impl<'a> Reference<'a> {
    /// A peer that has not started.
    ///
    /// # Errors
    /// None: the parameters are the script's.
    pub fn new(script: &'a Script) -> Result<Self, ParamsError> {
        let fresh = Snapshot::fresh(script.initial());
        Ok(Self {
            machine: machine(script, 0, Restored::default()),
            state: state(script, fresh.clone())?,
            trainer: trainer(script),
            disk: (0, fresh.clone(), None),
            mixed: fresh,
            training: None,
            told: Vec::new(),
            script,
            #[cfg(test)]
            meddle: None,
        })
    }

    fn handle(&mut self, now: Time, fact: Fact) {
        let mut facts = VecDeque::from([fact]);
        while let Some(fact) = facts.pop_front() {
            let (told, mut effects) = (format!("{fact:?}"), Vec::new());
            self.machine.handle(now, fact, &mut effects);
            self.told.push((told, effects.clone()));
            #[cfg(test)]
            if let Some(meddle) = self.meddle {
                effects = effects.into_iter().filter_map(meddle).collect();
            }
            facts.extend(effects.into_iter().filter_map(|effect| self.carry_out(effect)));
        }
    }

    fn carry_out(&mut self, effect: Effect) -> Option<Fact> {
        let mut trainer = self.trainer.of(&self.script.model);
        Some(match effect {
            Effect::Train { round } => {
                self.training = Some(round);
                return None;
            }
            Effect::Publish { round, deltas } => {
                let adds = !deltas.is_empty();
                let published = self.state.add_and_publish(&mut trainer, round, deltas);
                if adds {
                    self.mixed = self.state.snapshot();
                }
                Fact::Published(Box::new(published.map_err(|error| error.to_string())))
            }
            Effect::Mix(order) => {
                let report = self.state.mix(&mut trainer, &order);
                self.mixed = self.state.snapshot();
                Fact::Mixed(Box::new(Ok(report)))
            }
            Effect::Measure => Fact::Measured { own: None, test: None },
            Effect::Commit { round, account } => {
                self.disk = (round, self.mixed.clone(), account.map(|account| *account));
                Fact::Stored { round }
            }
            Effect::Recode { of, codec, compressed } => {
                Fact::Recoded(of.recoded(codec, compressed, &self.script.settings.layout).map(Box::new))
            }
            _ => return None,
        })
    }
}

impl Interpreter for Reference<'_> {
    fn start(&mut self, now: Time, starts: u32) {
        let (round, snapshot, account) = self.disk.clone();
        let restored = Restored { round, age: snapshot.age, account };
        self.machine = machine(self.script, starts, restored);
        self.mixed = snapshot.clone();
        // A snapshot of the same model.
        self.state = state(self.script, snapshot).unwrap_or_else(|_| self.state.clone());
        (self.trainer, self.training) = (trainer(self.script), None);
        self.handle(now, Fact::Moved(Vec::new()));
        self.handle(now, Fact::Started { has_contacts: true });
    }

    fn tell(&mut self, now: Time, fact: Fact) {
        self.handle(now, fact);
    }

    fn end_training(&mut self, now: Time) {
        let Some(round) = self.training.take() else { return };
        let trained = self.state.train(&mut self.trainer.of(&self.script.model), round);
        self.handle(now, Fact::Trained(trained.map(|_| ()).map_err(|error| error.to_string())));
    }

    fn told(&mut self) -> Vec<(String, Vec<Effect>)> {
        std::mem::take(&mut self.told)
    }
}

/// The machine of a start of a script.
pub(crate) fn machine(script: &Script, starts: u32, restored: Restored) -> Peer {
    let rng = ChaCha8Rng::seed_from_u64(script.rng_seed(starts));
    Peer::new(script.own, starts << Script::RESTART_BITS, Arc::clone(&script.settings), restored, rng)
}

fn state(script: &Script, snapshot: Snapshot) -> Result<ModelState, ParamsError> {
    let (layout, recipe) = (Arc::clone(&script.settings.layout), Arc::clone(&script.settings.recipe));
    ModelState::new(layout, recipe, script.rows.len(), snapshot, script.seed)
}

fn trainer(script: &Script) -> FlatTrainer {
    FlatTrainer::new(script.rows.clone(), None, &script.settings.recipe.training, script.seed)
}
