//! A recipe on a burn module.

use super::*;

/// A model and what trains it, without a thread.
struct Bench {
    state: ModelState,
    trainer: LocalTrainer,
}

impl Bench {
    fn new(recipe: Recipe) -> Self {
        Self::with(recipe, data(), 0)
    }

    fn with(recipe: Recipe, data: LearnerData, seed: u64) -> Self {
        let (layout, samples) = (Arc::new(linear_layout()), data.train.len());
        let trainer = LocalTrainer::new(linear_factory()().unwrap(), data, &recipe.rule);
        Self { state: ModelState::new(layout, Arc::new(recipe), samples, start(), seed).unwrap(), trainer }
    }

    fn train(&mut self, round: u64) {
        self.state.train(&mut self.trainer, round).unwrap();
    }

    fn mix(&mut self, models: &[PulledModel]) -> MixReport {
        let order = MixOrder { models: models.to_vec(), ..MixOrder::default() };
        self.state.mix(&mut self.trainer, &order)
    }

    /// How far the next training moves.
    fn step(&mut self) -> f32 {
        let before = self.state.params().to_vec();
        self.train(1);
        before.iter().zip(self.state.params()).map(|(before, after)| (before - after).abs()).sum()
    }
}

#[test]
fn settings_become_a_recipe() {
    let recipe = usual();
    let (training, settings) = (&recipe.training, TrainingConfig::default());
    assert_eq!((training.steps, training.momentum, training.order), (20, 0.8, BatchOrder::Shuffled));
    assert_eq!(training.rate(100), settings.learning_rate / 2.0);
    assert_eq!((training.moving_average, training.outer), (0.7, None));
    let constant = TrainingConfig { decay_rounds: 0.0, ..settings };
    let mixing = MixingConfig { outer: OuterConfig { enabled: true, ..OuterConfig::default() }, ..Default::default() };
    let recipe = super::recipe(&constant, &mixing, Codec::Int8, Rounding::Stochastic);
    assert_eq!(recipe.training.rate(100), constant.learning_rate);
    assert!(recipe.training.outer.is_some());
    assert_eq!((recipe.codec, recipe.rounding), (Codec::Int8, Rounding::Stochastic));
}

#[test]
fn a_newcomer_takes_over_the_step_size_with_the_model() {
    let first = Bench::new(usual()).step();
    let old = 1_000_000;
    // Models of zeros, so that only the step size differs.
    let mut newcomer = Bench::new(usual());
    assert!(newcomer.mix(&[1, 2, 3].map(|name| pulled(name, old, &[0.0; 9]))).was_behind);
    let second = newcomer.step();
    assert!(second < first / 2.0, "{second} after the takeover, {first} of a beginner");
    // One that claims to be old leads nobody: the median decides.
    let mut misled = Bench::new(usual());
    assert!(!misled.mix(&[pulled(1, old, &[0.0; 9])]).was_behind);
    assert!((misled.step() - first).abs() < first / 100.0);
}

#[test]
fn a_mix_is_the_mean_and_moves_the_control_variate() {
    let (mut bench, training) = (Bench::new(usual()), TrainingConfig::default());
    bench.train(1);
    assert_eq!(bench.mix(&[pulled(1, 700, &[3.0; 9]), pulled(2, 700, &[6.0; 9])]).mixed.len(), 2);
    let after = bench.state.snapshot();
    for (value, correction) in after.params.iter().zip(after.correction.unwrap()) {
        let local = value * 3.0 - 9.0;
        // c = -lambda (mixed - local) / (eta H); with momentum a step is worth 1 / (1 - momentum) plain ones.
        let distance = training.learning_rate * training.steps as f32 / (1.0 - training.momentum);
        assert!((correction + training.control_variate * (value - local) / distance).abs() < 1e-4);
    }
}

#[test]
fn a_change_is_scaled_to_the_reference_steps() {
    let change_of = |reference_steps| {
        let mut recipe = usual();
        recipe.training.reference_steps = reference_steps;
        let mut bench = Bench::new(recipe);
        bench.train(1);
        bench.state.params().to_vec()
    };
    let TrainingConfig { steps, momentum, .. } = TrainingConfig::default();
    let factor = peerlearn_protocols::drift::stretch(steps, 10, momentum) as f32;
    assert!(factor < 0.6, "{factor}");
    for (plain, scaled) in change_of(0).iter().zip(change_of(10)) {
        assert!((scaled - factor * plain).abs() < 1e-5, "{scaled} of {plain}");
    }
}

#[test]
fn momentum_goes_on_where_a_recipe_keeps_it() {
    let moved = |keep_momentum, steps, calls: u64| {
        let mut recipe = usual();
        recipe.training =
            Training { keep_momentum, steps, control_variate: 0.0, moving_average: 0.0, ..recipe.training };
        let mut bench = Bench::new(recipe);
        // The schedule stays, so that only momentum differs.
        (1..=calls).for_each(|round| {
            let plan = TrainPlan::new(
                &Training { keep_momentum, steps, learning_rate: 0.1, momentum: 0.8, ..Training::default() },
                round,
                0,
                None,
                1,
            );
            let mut params = bench.state.params().to_vec();
            bench.trainer.train(&mut params, &plan).unwrap();
            bench.state.restore(Snapshot::fresh(params)).unwrap();
        });
        bench.state.params().to_vec()
    };
    assert_eq!(moved(true, 5, 2), moved(true, 10, 1), "two calls are one");
    assert_ne!(moved(false, 5, 2), moved(false, 10, 1));
}

#[test]
fn the_codec_has_a_memory_that_differs_from_peer_to_peer() {
    let blobs_of = |seed: u64, codec: &str| {
        let recipe = Recipe { codec: codec.parse().unwrap(), rounding: Rounding::Stochastic, ..usual() };
        let mut bench = Bench::with(recipe, data(), seed);
        bench.state.restore(Snapshot::fresh((0..9).map(|n| n as f32 / 7.0).collect())).unwrap();
        let published = bench.state.publish(&mut bench.trainer, 1).unwrap();
        published.publications.into_iter().map(|publication| publication.blob).collect::<Vec<_>>()
    };
    for codec in ["fragment:3", "int8"] {
        assert_eq!(blobs_of(1, codec), blobs_of(1, codec), "two runs agree");
        assert_ne!(blobs_of(1, codec).last(), blobs_of(2, codec).last(), "{codec}");
    }
    assert_eq!(blobs_of(1, "fragment:3")[0], blobs_of(2, "fragment:3")[0], "the whole model");
}

#[test]
fn a_rule_that_tries_models_takes_the_good_and_leaves_the_learner_with_the_mix() {
    let mut teacher = seeded(&ModelFamily::Linear, &[2], 3);
    teacher.train(&clouds(60, 1), &plan(200)).unwrap();
    let good = params(&*teacher);
    let bad: Vec<f32> = good.iter().map(|value| -value).collect();
    for rows in [data(), LearnerData { validation: None, ..data() }] {
        let mut bench = Bench::with(Recipe { rule: "ubar:1".parse().unwrap(), ..usual() }, rows, 0);
        let report = bench.mix(&[pulled(1, 0, &good), pulled(2, 0, &bad)]);
        assert_eq!(report.mixed, [PeerId([1; 32])], "{report:?}");
        assert_eq!(bench.state.params(), good.iter().map(|value| value / 2.0).collect::<Vec<_>>());
    }
}

#[test]
fn a_model_that_diverges_is_put_back_and_said_so() {
    let mut recipe = usual();
    recipe.training = Training { learning_rate: 1e30, weight_decay: 1e10, ..recipe.training };
    let mut bench = Bench::new(recipe);
    let error = bench.state.train(&mut bench.trainer, 1).unwrap_err();
    assert!(matches!(error, TrainFailure::Trainer(LearnError::Diverged { .. })), "{error}");
    assert_eq!(bench.state.params(), [0.0; 9]);
}
