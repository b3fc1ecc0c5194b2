//! Training, publishing and mixing: what the recipe does, in place, at the virtual times of the machine.

use std::sync::Arc;

use peerlearn_protocols::mixing::pair::PendingDelta;
use peerlearn_protocols::peer::Fact;
use peerlearn_protocols::recipe::MixOrder;

use super::Environment;
use super::peer::SimPeer;

impl SimPeer {
    /// All the work at once, when a real learner would be done: until then the model is the last mix.
    pub(super) fn on_trained(&mut self, env: &Environment<'_>, round: u64) {
        if self.settings.recipe.training.steps > 0 && self.settings.samples > 0 {
            self.keep_committed();
        }
        let trained = self.state.train(&mut self.trainer.of(env.model), round);
        self.tell(env, Fact::Trained(trained.map(|_| ()).map_err(|error| error.to_string())));
    }

    pub(super) fn publish(&mut self, env: &Environment<'_>, round: u64, deltas: Vec<PendingDelta>) {
        if !deltas.is_empty() {
            self.keep_committed();
        }
        let mut result = self.state.add_and_publish(&mut self.trainer.of(env.model), round, deltas);
        if let Ok((published, _)) = &mut result {
            if let Some(lie) = self.lie {
                published.publications.iter_mut().for_each(|publication| lie.publish(publication, &mut self.rng));
            }
            let root = published.publications.first().map_or([0; 8], |whole| {
                let [a, b, c, d, e, f, g, h, ..] = whole.offer.root.0;
                [a, b, c, d, e, f, g, h]
            });
            self.digest.push(u64::from_le_bytes(root));
        }
        self.tell(env, Fact::Published(Box::new(result.map_err(|error| error.to_string()))));
    }

    pub(super) fn mix(&mut self, env: &Environment<'_>, order: &MixOrder) {
        self.keep_committed();
        let report = self.state.mix(&mut self.trainer.of(env.model), order);
        self.tell(env, Fact::Mixed(Box::new(Ok(report))));
    }

    /// The layout of all.
    pub(super) fn layout(&self) -> &Arc<peerlearn_protocols::params::Layout> {
        &self.settings.layout
    }
}
