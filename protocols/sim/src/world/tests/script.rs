//! A simulated peer carries out its machine as the reference does.

use std::sync::Arc;
use std::time::Duration;

use peerlearn_protocols::peer::{Effect, Fact, Restored};
use peerlearn_protocols::time::Time;

use super::super::environment::Environment;
use super::super::peer::SimPeer;
use super::super::timers::{Cause, Kind};
use super::super::{PeerStart, WorldConfig};
use crate::FlatTrainer;
use crate::script::tests::scripts;
use crate::script::{Interpreter, Reference, Script};

struct Simulated<'a> {
    script: &'a Script,
    env: Environment<'a>,
    peer: SimPeer,
}

impl<'a> Simulated<'a> {
    fn new(script: &'a Script) -> Self {
        let config = WorldConfig { recipe: (*script.settings.recipe).clone(), ..WorldConfig::default() };
        let env = Environment::new(&script.model, config, 8);
        let initial: Arc<[f32]> = script.initial().into();
        let start =
            PeerStart { train_time: Some(Duration::ZERO), ..PeerStart::new(script.rows.clone(), initial.to_vec()) };
        let mut peer = SimPeer::new(&env, 0, start, initial).unwrap();
        (peer.settings, peer.seed) = (Arc::clone(&script.settings), script.seed);
        peer.trainer = FlatTrainer::new(script.rows.clone(), None, &script.settings.recipe.training, script.seed);
        peer.lose_disk();
        (peer.trace, peer.stats.there) = (Some(Vec::new()), true);
        Self { script, env, peer }
    }
}

impl Interpreter for Simulated<'_> {
    fn start(&mut self, now: Time, starts: u32) {
        self.peer.now = now;
        self.peer.go(&self.env);
        self.peer.fall_back();
        self.peer.timers.drain();
        let (round, age) = (self.peer.stats.rounds, self.peer.state.age());
        let restored = Restored { round, age, account: self.peer.disk.account() };
        self.peer.stats.there = true;
        self.peer.machine = crate::script::machine(self.script, starts, restored);
        self.tell(now, Fact::Moved(Vec::new()));
        self.tell(now, Fact::Started { has_contacts: true });
    }

    fn tell(&mut self, now: Time, fact: Fact) {
        self.peer.now = now;
        self.peer.tell(&self.env, fact);
    }

    fn end_training(&mut self, now: Time) {
        self.peer.now = now;
        for timer in self.peer.timers.drain() {
            if let Cause::Process { kind: Kind::Trained { round }, .. } = timer.cause {
                self.peer.on_trained(&self.env, round);
            }
        }
    }

    fn told(&mut self) -> Vec<(String, Vec<Effect>)> {
        self.peer.trace.as_mut().map(std::mem::take).unwrap_or_default()
    }
}

#[test]
fn a_simulated_peer_does_what_its_machine_wants_bit_by_bit() {
    for seed in 0..4 {
        for script in scripts(seed) {
            let (want, got) =
                (script.run(&mut Reference::new(&script).unwrap(), 800), script.run(&mut Simulated::new(&script), 800));
            for (line, (want, got)) in want.iter().zip(&got).enumerate() {
                assert_eq!(got, want, "seed {seed}, {}, line {line}", script.settings.recipe.rule);
            }
            assert_eq!(got.len(), want.len());
        }
    }
}
