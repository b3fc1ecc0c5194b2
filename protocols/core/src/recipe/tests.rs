use std::sync::Arc;

use super::*;
use crate::codec::Codec;
use crate::id::PeerId;
use crate::mixing::Rule;
use crate::mixing::pair::PendingDelta;
use crate::params::{Layout, TensorSpec};
use crate::score::Fault;
use crate::wire::blob;

/// The loss |x - optimum|^2 / 2.
struct Bowl {
    optimum: Vec<f32>,
    batches: Batches,
    descent: Descent,
    /// Whether the loss is no number.
    diverges: bool,
    observed: Vec<Vec<f32>>,
}

impl Bowl {
    fn at(optimum: &[f32]) -> Self {
        Self {
            optimum: optimum.to_vec(),
            batches: Batches::new(4, 2, BatchOrder::Shuffled, 0),
            descent: Descent::default(),
            diverges: false,
            observed: Vec::new(),
        }
    }
}

impl Trainer for Bowl {
    type Error = std::convert::Infallible;

    fn train(&mut self, params: &mut [f32], plan: &TrainPlan<'_>) -> Result<TrainReport, Self::Error> {
        let (optimum, diverges) = (&self.optimum, self.diverges);
        Ok(self.descent.train(params, plan, &mut self.batches, |params, _, gradient| {
            gradient.iter_mut().zip(params).zip(optimum).for_each(|((g, x), o)| *g = x - o);
            if diverges { f32::NAN } else { 0.5 * norm(gradient).powi(2) as f32 }
        }))
    }

    fn loss(&mut self, params: &[f32]) -> f32 {
        params.iter().zip(&self.optimum).map(|(x, o)| (x - o).powi(2) / 2.0).sum()
    }

    fn observes(&self) -> bool {
        true
    }

    fn observe(&mut self, own: &[f32], models: &[Vec<f32>]) {
        self.observed = std::iter::once(own.to_vec()).chain(models.iter().cloned()).collect();
    }
}

fn layout() -> Arc<Layout> {
    Arc::new(Layout::new(vec![TensorSpec { name: "w".into(), shape: vec![2] }]).unwrap())
}

fn state(recipe: Recipe, params: &[f32]) -> ModelState {
    ModelState::new(layout(), Arc::new(recipe), 4, Snapshot::fresh(params.to_vec()), 1).unwrap()
}

fn exact(rule: Rule) -> Recipe {
    let training = Training { steps: 3, batch: 2, learning_rate: 0.1, ..Training::default() };
    Recipe { training, rule, codec: Codec::F32, ..Recipe::default() }
}

fn encoded(params: &[f32]) -> Arc<Vec<u8>> {
    Arc::new(blob::encode(Codec::F32, &layout(), params).unwrap())
}

fn pulled(number: u8, params: &[f32], age: u64) -> PulledModel {
    PulledModel { peer: PeerId([number; 32]), age, samples: 4, link: 0.0, grant: None, blob: encoded(params) }
}

fn order(models: Vec<PulledModel>) -> MixOrder {
    MixOrder { models, ..MixOrder::default() }
}

#[test]
fn a_round_trains_publishes_what_it_trained_and_mixes() {
    let (mut one, mut trainer) = (state(exact(Rule::Uniform), &[0.0, 0.0]), Bowl::at(&[1.0, -1.0]));
    let report = one.train(&mut trainer, 1).unwrap();
    assert_eq!((report.steps, report.samples, one.age(), one.schedule()), (3, 6, 6, 1));
    let trained = one.params().to_vec();
    assert!((trained[0] - 0.271).abs() < 1e-6, "1 - 0.9^3: {trained:?}");
    let (published, added) = one.add_and_publish(&mut trainer, 1, Vec::new()).unwrap();
    assert!(added.is_none());
    let whole = &published.publications[0];
    assert_eq!((whole.offer.age, whole.offer.round, whole.offer.samples), (6, 1, 4));
    assert_eq!(whole.blob, encoded(&trained));
    let report = one.mix(&mut trainer, &order(vec![pulled(2, &[3.0, 3.0], 8)]));
    assert_eq!((report.mixed, report.age, report.was_behind), (vec![PeerId([2; 32])], 7, false));
    assert_eq!(one.params(), [(trained[0] + 3.0) / 2.0, (trained[1] + 3.0) / 2.0]);
    assert_eq!(trainer.observed, [trained, vec![3.0, 3.0]], "the own model first, before it is mixed");
}

#[test]
fn training_that_diverges_leaves_the_model_as_it_was() {
    let (mut one, mut trainer) = (state(exact(Rule::Uniform), &[2.0, 2.0]), Bowl::at(&[0.0, 0.0]));
    trainer.diverges = true;
    assert!(matches!(one.train(&mut trainer, 1), Err(TrainFailure::Diverged { .. })));
    assert_eq!((one.params(), one.age(), one.schedule()), (&[2.0, 2.0][..], 0, 0));
    let steep = Recipe {
        training: Training { learning_rate: f32::MAX, ..exact(Rule::Uniform).training },
        ..exact(Rule::Uniform)
    };
    let (mut two, mut trainer) = (state(steep, &[2.0, 2.0]), Bowl::at(&[0.0, 0.0]));
    assert!(matches!(two.train(&mut trainer, 1), Err(TrainFailure::Diverged { .. })));
    assert_eq!(two.params(), [2.0, 2.0]);
}

#[test]
fn one_who_was_far_behind_takes_over_step_size_and_forgets_its_corrections() {
    let mut recipe = exact(Rule::AgeLimited);
    recipe.training.control_variate = 1.0;
    recipe.training.moving_average = 0.9;
    recipe.training.decay = Decay::Halving(10.0);
    let (mut one, mut trainer) = (state(recipe, &[0.0, 0.0]), Bowl::at(&[1.0, 1.0]));
    one.train(&mut trainer, 1).unwrap();
    one.mix(&mut trainer, &order(vec![pulled(2, &[0.0, 0.0], 6)]));
    assert!(one.snapshot().correction.unwrap()[0] != 0.0);
    // Two models of an age of 1200: 200 rounds of three steps of two rows.
    let report = one.mix(&mut trainer, &order(vec![pulled(2, &[5.0, 5.0], 1200), pulled(3, &[5.0, 5.0], 1200)]));
    assert!(report.was_behind);
    assert_eq!(one.schedule(), report.age / 6);
    assert!(one.schedule() > 100, "{}", one.schedule());
    assert_eq!(one.snapshot().correction.unwrap(), [0.0, 0.0]);
    assert_eq!(one.answer(), one.params(), "the average starts anew");
}

#[test]
fn steps_counted_as_others_change_what_the_control_variate_takes_for_the_distance() {
    let mut recipe = exact(Rule::Uniform);
    recipe.training.control_variate = 1.0;
    let corrected = |recipe: Recipe| {
        let (mut one, mut trainer) = (state(recipe, &[0.0, 0.0]), Bowl::at(&[1.0, 1.0]));
        one.train(&mut trainer, 1).unwrap();
        let local = one.params()[0];
        one.mix(&mut trainer, &order(vec![pulled(2, &[0.0, 0.0], 6)]));
        (local, one.snapshot().correction.unwrap()[0])
    };
    let (local, plain) = corrected(recipe.clone());
    recipe.training.reference_steps = 6;
    let (stretched, normalised) = corrected(recipe);
    assert!((stretched - 2.0 * local).abs() < 1e-6, "the change counts twice");
    assert!((normalised - plain).abs() < 1e-6, "and so does the distance it is divided by");
}

#[test]
fn deltas_move_both_sides_by_the_same_whatever_happened_meanwhile() {
    let (y, z) = (encoded(&[1.0, 0.0]), encoded(&[3.0, 8.0]));
    let delta = |ours: &Arc<Vec<u8>>, theirs: &Arc<Vec<u8>>| PendingDelta {
        peer: PeerId([9; 32]),
        ours: Arc::clone(ours),
        theirs: Arc::clone(theirs),
        share: 0.5,
        age: 10,
    };
    let moved = |start: [f32; 2], delta| {
        let (mut one, mut trainer) = (state(exact(Rule::Pair), &start), Bowl::at(&[0.0, 0.0]));
        let (_, report) = one.add_and_publish(&mut trainer, 1, vec![delta]).unwrap();
        assert_eq!(report.unwrap().mixed, [PeerId([9; 32])]);
        [one.params()[0] - start[0], one.params()[1] - start[1]]
    };
    let (one, other) = (moved([100.0, 50.0], delta(&y, &z)), moved([-7.0, 2.0], delta(&z, &y)));
    assert_eq!(one, [1.0, 4.0]);
    assert_eq!(other, [-1.0, -4.0]);
}

#[test]
fn what_is_no_model_is_named_and_left_out() {
    let (mut one, mut trainer) = (state(exact(Rule::Uniform), &[0.0, 0.0]), Bowl::at(&[0.0, 0.0]));
    let mut infinite = encoded(&[1.0, 1.0]).to_vec();
    infinite[48..52].copy_from_slice(&f32::INFINITY.to_le_bytes());
    let bad = PulledModel { blob: Arc::new(infinite), ..pulled(2, &[0.0, 0.0], 0) };
    let short = PulledModel { blob: Arc::new(vec![1, 2, 3]), ..pulled(3, &[0.0, 0.0], 0) };
    let report = one.mix(&mut trainer, &order(vec![bad, short, pulled(4, &[2.0, 2.0], 0)]));
    assert_eq!(report.faults, [(PeerId([2; 32]), Fault::NotFinite), (PeerId([3; 32]), Fault::WrongShape)]);
    assert_eq!(one.params(), [1.0, 1.0]);
}

#[test]
fn an_observation_has_distances_of_the_fresh_and_the_way_since_the_last_mix() {
    let (mut one, mut trainer) = (state(exact(Rule::AgeLimited), &[0.0, 0.0]), Bowl::at(&[1.0, 0.0]));
    one.train(&mut trainer, 1).unwrap();
    let local = one.params()[0];
    let models = vec![pulled(2, &[local, 3.0], 6), pulled(3, &[local, 0.0], 6), pulled(4, &[90.0, 0.0], 0)];
    let report = one.mix(&mut trainer, &MixOrder { models, observe: true, ..MixOrder::default() });
    let seen = report.observation.unwrap();
    assert_eq!(seen.squared, [(PeerId([2; 32]), 9.0), (PeerId([3; 32]), 0.0)], "without the stale one");
    let way = f64::from(one.params()[0]).hypot(f64::from(one.params()[1]));
    assert!((seen.movement - way).abs() < 1e-6 && (seen.norm - way).abs() < 1e-6);
}

#[test]
fn a_restart_goes_on_bit_by_bit() {
    let mut recipe = exact(Rule::Uniform);
    let outer = Some(Outer { rate: 0.7, momentum: 0.9 });
    recipe.training = Training { control_variate: 0.1, moving_average: 0.7, outer, ..recipe.training };
    let mut trainer = Bowl::at(&[1.0, -2.0]);
    let round = |state: &mut ModelState, trainer: &mut Bowl, round: u64| {
        state.train(trainer, round).unwrap();
        state.mix(trainer, &order(vec![pulled(2, &[0.5, 0.5], state.age())]));
    };
    let mut one = state(recipe.clone(), &[0.0, 0.0]);
    round(&mut one, &mut trainer, 1);
    let mut again = ModelState::new(layout(), Arc::new(recipe), 4, one.snapshot(), 1).unwrap();
    let mut fresh = Bowl::at(&[1.0, -2.0]);
    for number in 2..5 {
        round(&mut one, &mut trainer, number);
        round(&mut again, &mut fresh, number);
        assert_eq!(one.snapshot(), again.snapshot());
    }
}

#[test]
fn a_partial_codec_is_published_whole_too() {
    let recipe = Recipe { codec: Codec::Fragment(2), ..exact(Rule::Uniform) };
    let mut one = state(recipe, &[1.0, 2.0]);
    let published = one.publish(&mut Bowl::at(&[0.0, 0.0]), 3).unwrap();
    let codecs: Vec<Codec> = published.publications.iter().map(|publication| publication.offer.codec).collect();
    assert_eq!(codecs, [Codec::Fragment(2).whole(), Codec::Fragment(2)]);
    assert!((published.norm - 5f32.sqrt()).abs() < 1e-6);
}
