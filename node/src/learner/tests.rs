use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use peerlearn_protocols::codec::Codec;
use peerlearn_protocols::id::PeerId;
use peerlearn_protocols::params::Layout;
use peerlearn_protocols::score::Fault;
use peerlearn_protocols::wire::blob;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::clock::Clock;
use crate::data::Dataset;
use crate::event::{EventBus, NodeEvent};
use crate::supervisor::{RestartPolicy, Supervisor};

/// Three clouds of points in the plane, far enough apart that a line between them is easy to find.
fn clouds(rows: usize, seed: u64) -> Dataset {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let centres = [(0.0, 2.0), (2.0, -1.0), (-2.0, -1.0)];
    let labels: Vec<u32> = (0..rows).map(|row| (row % 3) as u32).collect();
    let features = labels.iter().flat_map(|label| {
        let (x, y) = centres[*label as usize];
        [x + rng.random::<f32>() - 0.5, y + rng.random::<f32>() - 0.5]
    });
    Dataset::new(vec![2], 3, features.collect(), labels.clone()).unwrap()
}

fn plan(steps: u32) -> TrainPlan<'static> {
    TrainPlan {
        steps,
        batch: 16,
        learning_rate: 0.1,
        weight_decay: 0.0,
        momentum: 0.0,
        correction: None,
        clip_norm: 0.0,
        proximal: 0.0,
        seed: 1,
    }
}

fn seeded(family: &ModelFamily, input: &[usize], classes: usize) -> Box<dyn Learner> {
    let mut learner = build(family, input, classes).unwrap();
    let weights = initial_weights(learner.layout(), [7; 32]);
    learner.write(&weights).unwrap();
    learner
}

fn params(learner: &dyn Learner) -> Vec<f32> {
    let mut params = vec![0.0; learner.layout().len()];
    learner.read(&mut params);
    params
}

#[test]
fn one_step_of_softmax_regression_by_hand() {
    let data = Dataset::new(vec![2], 2, vec![1.0, 2.0], vec![0]).unwrap();
    let mut learner = build(&ModelFamily::Linear, &[2], 2).unwrap();
    learner.write(&[0.0; 6]).unwrap();
    let report = learner.train(&data, &plan(1)).unwrap();
    assert!((report.loss - 2f32.ln()).abs() < 1e-6);
    // p = (1/2, 1/2), so the gradient of weight [in, out] is x (p - y) = x (-1/2, 1/2), of the bias (-1/2, 1/2).
    let want = [0.05, -0.05, 0.1, -0.1, 0.05, -0.05];
    for (got, want) in params(&*learner).iter().zip(want) {
        assert!((got - want).abs() < 1e-6, "{got} {want}");
    }
}

#[test]
fn correction_decay_and_pull_back_enter_the_step_as_written() {
    let data = clouds(30, 1);
    let mut plain = seeded(&ModelFamily::Linear, &[2], 3);
    let start = params(&*plain);
    plain.train(&data, &plan(1)).unwrap();
    let plain = params(&*plain);
    let correction: Vec<f32> = (0..9).map(|n| n as f32).collect();
    let mut corrected = seeded(&ModelFamily::Linear, &[2], 3);
    corrected.train(&data, &TrainPlan { correction: Some(&correction), weight_decay: 0.5, ..plan(1) }).unwrap();
    for (index, got) in params(&*corrected).iter().enumerate() {
        let want = plain[index] - 0.1 * (correction[index] + 0.5 * start[index]);
        assert!((got - want).abs() < 1e-5, "{got} {want}");
    }
    let distance = |plan: TrainPlan<'_>| {
        let mut learner = seeded(&ModelFamily::Linear, &[2], 3);
        learner.train(&data, &plan).unwrap();
        params(&*learner).iter().zip(&start).map(|(a, b)| (a - b).powi(2)).sum::<f32>()
    };
    assert!(distance(TrainPlan { proximal: 2.0, ..plan(50) }) < 0.7 * distance(plan(50)));
    assert!(distance(TrainPlan { momentum: 0.9, ..plan(50) }) > 1.3 * distance(plan(50)));
}

#[test]
fn every_family_learns_and_does_so_bit_by_bit_alike() {
    let image = |data: Dataset| {
        let features = (0..data.len()).flat_map(|row| (0..64).map(move |pixel| (row, pixel)));
        let features = features.map(|(row, pixel)| data.row(row)[pixel % 2] * (1.0 + (pixel / 32) as f32));
        Dataset::new(vec![1, 8, 8], 3, features.collect(), data.labels().to_vec()).unwrap()
    };
    let (train, test) = (image(clouds(120, 1)), image(clouds(60, 2)));
    for family in [ModelFamily::Linear, ModelFamily::Mlp(vec![16, 8]), ModelFamily::Cnn] {
        let run = || {
            let mut learner = seeded(&family, &[1, 8, 8], 3);
            learner.train(&train, &TrainPlan { learning_rate: 0.02, ..plan(60) }).unwrap();
            (params(&*learner), learner.evaluate(&test).unwrap())
        };
        let (first, evaluation) = run();
        assert!(evaluation.accuracy > 0.95, "{family}: {evaluation:?}");
        assert_eq!(evaluation.rows, 60);
        assert_eq!(first, run().0, "{family} is not reproducible");
    }
}

#[test]
fn probabilities_sum_to_one_and_follow_the_labels() {
    let data = clouds(90, 3);
    let mut learner = seeded(&ModelFamily::Mlp(vec![8]), &[2], 3);
    learner.train(&data, &plan(200)).unwrap();
    let probabilities = learner.predict(&data.features()).unwrap();
    for (row, chunk) in probabilities.chunks(3).enumerate() {
        assert!((chunk.iter().sum::<f32>() - 1.0).abs() < 1e-5);
        assert!(chunk[data.labels()[row] as usize] > 0.5);
    }
    assert!(matches!(learner.predict(&[1.0]), Err(LearnError::Input { .. })));
}

#[test]
fn a_gradient_is_never_longer_than_asked() {
    let family = ModelFamily::Mlp(vec![8]);
    let moved = |clip_norm: f32| {
        let mut learner = seeded(&family, &[2], 3);
        let before = params(&*learner);
        learner.train(&clouds(30, 1), &TrainPlan { clip_norm, learning_rate: 1.0, ..plan(1) }).unwrap();
        let squares =
            params(&*learner).iter().zip(&before).map(|(after, before)| (after - before).powi(2)).sum::<f32>();
        squares.sqrt()
    };
    let free = moved(0.0);
    assert!(free > 0.1, "{free}");
    // One plain step of size one moves as far as the gradient is long.
    assert!((moved(free / 4.0) - free / 4.0).abs() < 1e-4 * free);
    assert!((moved(free * 2.0) - free).abs() < 1e-6);
}

#[test]
fn a_diverging_model_goes_back_to_where_it_was() {
    let mut learner = seeded(&ModelFamily::Mlp(vec![8]), &[2], 3);
    let before = params(&*learner);
    let error = learner.train(&clouds(30, 1), &TrainPlan { learning_rate: 1e30, ..plan(20) }).unwrap_err();
    assert!(matches!(error, LearnError::Diverged { .. }), "{error}");
    assert_eq!(params(&*learner), before);
}

#[test]
fn data_that_do_not_fit_are_named() {
    let mut learner = build(&ModelFamily::Linear, &[2], 3).unwrap();
    let wide = Dataset::new(vec![3], 3, vec![0.0; 3], vec![0]).unwrap();
    assert!(matches!(learner.train(&wide, &plan(1)), Err(LearnError::Input { got: 3, want: 2 })));
    let binary = Dataset::new(vec![2], 2, vec![0.0; 2], vec![0]).unwrap();
    assert!(matches!(learner.evaluate(&binary), Err(LearnError::Classes { got: 2, want: 3 })));
    let empty = Dataset::new(vec![2], 3, vec![], vec![]).unwrap();
    assert!(matches!(learner.train(&empty, &plan(1)), Err(LearnError::NoRows)));
    assert!(learner.write(&[f32::NAN; 9]).is_err() && learner.write(&[0.0; 8]).is_err());
    assert!(matches!(build(&ModelFamily::Cnn, &[64], 3), Err(LearnError::NotAnImage { .. })));
    for wrong in ["", "mlp:", "mlp:0", "mlp:a", "mlp:99999999999999999999", "resnet", "mlp:1,,2"] {
        assert!(wrong.parse::<ModelFamily>().is_err(), "{wrong}");
    }
    assert_eq!("mlp:64,32".parse::<ModelFamily>().unwrap().to_string(), "mlp:64,32");
}

fn data() -> LearnerData {
    LearnerData { train: clouds(60, 1), validation: Some(clouds(30, 2)), test: None }
}

fn linear_factory() -> LearnerFactory {
    Arc::new(|| build(&ModelFamily::Linear, &[2], 3))
}

fn linear_layout() -> Layout {
    build(&ModelFamily::Linear, &[2], 3).unwrap().layout().clone()
}

fn start() -> Snapshot {
    Snapshot { params: vec![0.0; 9], ..Snapshot::default() }
}

fn bench(config: LearnerConfig) -> bench::Workbench {
    bench::Workbench::new(linear_factory()().unwrap(), data(), config, &start()).unwrap()
}

fn order(models: &[Pulled], mass: u64) -> MixOrder {
    MixOrder { models: models.to_vec(), mass, observe: true, ..MixOrder::default() }
}

fn pulled(name: u8, age: u64, params: &[f32]) -> Pulled {
    let blob = blob::encode(Codec::F32, &linear_layout(), params).unwrap();
    Pulled { peer: PeerId([name; 32]), age, samples: 10, link: 0.0, grant: None, blob: Arc::new(blob) }
}

#[test]
fn a_newcomer_takes_over_the_step_size_with_the_model() {
    let steps_of = |bench: &mut bench::Workbench| {
        let before = bench.snapshot().params;
        bench.train(1).unwrap();
        let mut after = vec![0.0; before.len()];
        let encoded = bench.encode(Codec::F32).unwrap();
        blob::Blob::parse(&encoded.blob, &linear_layout()).unwrap().read(0, &mut after);
        before.iter().zip(&after).map(|(before, after)| (before - after).abs()).sum::<f32>()
    };
    let mut beginner = bench(LearnerConfig::default());
    let first = steps_of(&mut beginner);
    let mut newcomer = bench(LearnerConfig::default());
    let old = 1_000_000;
    // Models of zeros, so that only the step size differs.
    let mixed = newcomer
        .mix(&order(&[pulled(1, old, &[0.0; 9]), pulled(2, old, &[0.0; 9]), pulled(3, old, &[0.0; 9])], 0))
        .unwrap();
    assert!(mixed.was_behind);
    let second = steps_of(&mut newcomer);
    assert!(second < first / 2.0, "{second} after the takeover, {first} of a beginner");
    // One that claims to be old leads nobody: the median decides.
    let mut misled = bench(LearnerConfig::default());
    assert!(!misled.mix(&order(&[pulled(1, old, &[0.0; 9])], 0)).unwrap().was_behind);
    assert!((steps_of(&mut misled) - first).abs() < first / 100.0);
}

#[test]
fn a_mix_is_the_mean_and_moves_the_control_variate() {
    let mut bench = bench(LearnerConfig::default());
    let training = TrainingConfig::default();
    bench.train(1).unwrap();
    let trained = bench.snapshot();
    assert_eq!(trained.params, start().params, "a snapshot is of the last mix, not of a model in training");
    let mixed = bench.mix(&order(&[pulled(1, 700, &[3.0; 9]), pulled(2, 700, &[6.0; 9])], 0)).unwrap();
    assert_eq!(mixed.mixed.len(), 2);
    let (after, sight) = (bench.snapshot(), mixed.sight.unwrap());
    let length = |a: &[f32], b: f32| a.iter().map(|a| f64::from(a - b).powi(2)).sum::<f64>().sqrt();
    assert_eq!(sight.squared.len(), 2);
    assert!(sight.squared[1].1 > sight.squared[0].1, "6 is farther from where it started than 3");
    assert!((sight.norm - length(&after.params, 0.0)).abs() < 1e-6);
    let moved: Vec<f32> = after.params.iter().zip(&trained.params).map(|(now, then)| now - then).collect();
    assert!((sight.movement - length(&moved, 0.0)).abs() < 1e-6);
    let correction = after.correction.unwrap();
    for (value, correction) in after.params.iter().zip(correction) {
        let local = value * 3.0 - 9.0;
        // c = -lambda (mixed - local) / (eta H); with momentum a step is worth 1 / (1 - momentum) plain ones.
        let distance = training.learning_rate * training.steps as f32 / (1.0 - training.momentum);
        assert!((correction + training.control_variate * (value - local) / distance).abs() < 1e-4);
    }
}

#[test]
fn a_change_is_scaled_to_the_reference_steps() {
    let change_of = |reference_steps| {
        let mut config = LearnerConfig::default();
        config.training.reference_steps = reference_steps;
        let mut bench = bench(config);
        bench.train(1).unwrap();
        let mut after = vec![0.0; 9];
        let encoded = bench.encode(Codec::F32).unwrap();
        blob::Blob::parse(&encoded.blob, &linear_layout()).unwrap().read(0, &mut after);
        after
    };
    let TrainingConfig { steps, momentum, .. } = TrainingConfig::default();
    let factor = peerlearn_protocols::drift::stretch(steps, 10, momentum) as f32;
    assert!(factor < 0.6, "{factor}");
    for (plain, scaled) in change_of(0).iter().zip(change_of(10)) {
        assert!((scaled - factor * plain).abs() < 1e-5, "{scaled} of {plain}");
    }
}

#[test]
fn the_configured_codec_is_encoded_with_a_memory_that_differs_from_peer_to_peer() {
    let blobs_of = |peer: u8, codec: &str| {
        let mut config = crate::config::NodeConfig::default();
        config.exchange.codec = codec.parse().unwrap();
        config.exchange.rounding = peerlearn_protocols::codec::Rounding::Stochastic;
        let codec = config.exchange.codec;
        let mut bench = bench(config.learner(&PeerId([peer; 32])));
        bench.train(1).unwrap();
        [codec, codec.whole()].map(|codec| bench.encode(codec).unwrap().blob)
    };
    for codec in ["fragment:3", "int8"] {
        assert_eq!(blobs_of(1, codec), blobs_of(1, codec), "two runs agree");
        assert_ne!(blobs_of(1, codec)[0], blobs_of(2, codec)[0], "{codec}");
    }
    assert_eq!(blobs_of(1, "fragment:3")[1], blobs_of(2, "fragment:3")[1], "the whole model");
}

#[test]
fn models_that_are_none_are_faults_and_the_rest_is_mixed() {
    let mut bench = bench(LearnerConfig::default());
    let mut infinite = (*pulled(1, 0, &[0.0; 9]).blob).clone();
    let end = infinite.len();
    infinite[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    let broken = |name, blob| Pulled { blob: Arc::new(blob), ..pulled(name, 0, &[0.0; 9]) };
    let models = [broken(1, infinite), broken(2, vec![1, 2, 3]), pulled(3, 0, &[2.0; 9])];
    let mixed = bench.mix(&order(&models, 0)).unwrap();
    assert_eq!(mixed.faults, [(PeerId([1; 32]), Fault::NotFinite), (PeerId([2; 32]), Fault::WrongShape)]);
    assert_eq!(bench.snapshot().params, [1.0; 9]);
}

#[test]
fn one_who_was_away_takes_over_and_forgets_its_drift() {
    let mut bench = bench(LearnerConfig::default());
    bench.train(1).unwrap();
    bench.mix(&order(&[pulled(1, 640, &[1.0; 9])], 0)).unwrap();
    assert!(bench.snapshot().correction.unwrap().iter().any(|c| *c != 0.0));
    let models: Vec<Pulled> = (1..5).map(|name| pulled(name, 1_000_000, &[1.0; 9])).collect();
    let mixed = bench.mix(&order(&models, 0)).unwrap();
    assert!(mixed.was_behind);
    assert!(mixed.age > 500_000, "it is not behind any more: {}", mixed.age);
    assert!(bench.snapshot().correction.unwrap().iter().all(|c| *c == 0.0));
}

#[test]
fn the_moving_average_is_measured_and_the_newest_model_goes_on() {
    let mut config = LearnerConfig::default();
    let mut run = |moving_average: f32| {
        config.mixing.moving_average = moving_average;
        let mut bench = bench(config.clone());
        for round in 1..6 {
            bench.train(round).unwrap();
            bench.mix(&order(&[pulled(1, 640 * round, &[1.0; 9])], 0)).unwrap();
        }
        let (before, measured) = (bench.snapshot(), bench.evaluate(Part::Validation).unwrap());
        assert_eq!(bench.snapshot(), before);
        let mut fresh = build(&ModelFamily::Linear, &[2], 3).unwrap();
        fresh.write(before.answer()).unwrap();
        let rows = data().validation.unwrap();
        assert_eq!(measured, Some(fresh.evaluate(&rows).unwrap()));
        assert_eq!(bench.predict(&rows.features()).unwrap(), fresh.predict(&rows.features()).unwrap());
        bench.train(6).unwrap();
        before
    };
    let (with, without) = (run(0.7), run(0.0));
    assert_eq!(with.params, without.params, "it changes nothing that is trained or offered");
    assert_eq!(without.answer(), without.params);
    assert_ne!(with.answer(), with.params);
}

#[test]
fn snapshots_bring_everything_back() {
    let mut config = LearnerConfig::default();
    config.mixing.outer.enabled = true;
    let mut first = bench(config.clone());
    for round in 1..4 {
        first.train(round).unwrap();
        first.mix(&order(&[pulled(1, 640 * round, &[1.0; 9])], 0)).unwrap();
    }
    let snapshot = first.snapshot();
    let mut second = bench(config);
    second.restore(&snapshot).unwrap();
    assert_eq!(second.snapshot(), snapshot);
    for bench in [&mut first, &mut second] {
        bench.train(4).unwrap();
        bench.mix(&order(&[pulled(2, 2560, &[0.5; 9])], 0)).unwrap();
    }
    assert_eq!(first.snapshot(), second.snapshot(), "both go on alike, bit by bit");
}

#[test]
fn a_rule_that_tries_models_takes_the_good_and_leaves_the_learner_with_the_mix() {
    let mut teacher = seeded(&ModelFamily::Linear, &[2], 3);
    teacher.train(&clouds(60, 1), &plan(200)).unwrap();
    let good = params(&*teacher);
    let bad: Vec<f32> = good.iter().map(|value| -value).collect();
    for rows in [data(), LearnerData { validation: None, ..data() }] {
        let mut config = LearnerConfig::default();
        config.mixing.rule = "ubar:1".parse().unwrap();
        let mut bench = bench::Workbench::new(linear_factory()().unwrap(), rows, config, &start()).unwrap();
        let mixed = bench.mix(&order(&[pulled(1, 0, &good), pulled(2, 0, &bad)], 0)).unwrap();
        assert_eq!(mixed.mixed, [PeerId([1; 32])], "{mixed:?}");
        let encoded = bench.encode(Codec::F32).unwrap();
        let mut after = vec![0.0; 9];
        blob::Blob::parse(&encoded.blob, &linear_layout()).unwrap().read(0, &mut after);
        assert_eq!(after, bench.snapshot().params, "not a model that was only tried");
        assert_eq!(after, good.iter().map(|value| value / 2.0).collect::<Vec<_>>());
    }
}

/// A model that panics once it is told to.
struct Bomb(Box<dyn Learner>, Arc<AtomicBool>);

impl Learner for Bomb {
    fn layout(&self) -> &Layout {
        self.0.layout()
    }
    fn read(&self, out: &mut [f32]) {
        self.0.read(out);
    }
    fn write(&mut self, params: &[f32]) -> Result<(), LearnError> {
        self.0.write(params)
    }
    fn train(&mut self, data: &Dataset, plan: &TrainPlan<'_>) -> Result<TrainReport, LearnError> {
        assert!(!self.1.swap(false, Ordering::SeqCst), "boom");
        self.0.train(data, plan)
    }
    fn evaluate(&mut self, data: &Dataset) -> Result<Evaluation, LearnError> {
        self.0.evaluate(data)
    }
    fn predict(&mut self, features: &[f32]) -> Result<Vec<f32>, LearnError> {
        self.0.predict(features)
    }
}

#[tokio::test]
async fn a_panicking_model_is_reported_and_built_anew_from_the_last_mix() {
    let fuse = Arc::new(AtomicBool::new(false));
    let bomb = Arc::clone(&fuse);
    let factory: LearnerFactory =
        Arc::new(move || Ok(Box::new(Bomb(build(&ModelFamily::Linear, &[2], 3)?, Arc::clone(&bomb)))));
    let (learner, room) = LearnerHandle::new(factory, data(), LearnerConfig::default(), start());
    let clock = Clock::start();
    let events = EventBus::new(PeerId([1; 32]), clock.clone());
    let mut reader = events.subscribe();
    let rooms = vec![("learner", room)];
    let supervisor = Supervisor::spawn(rooms, RestartPolicy::default(), clock, events).await.unwrap();
    learner.train(1).await.unwrap();
    learner.mix(MixOrder { models: vec![pulled(1, 640, &[4.0; 9])], ..MixOrder::default() }).await.unwrap();
    let good = learner.snapshot().await.unwrap();
    fuse.store(true, Ordering::SeqCst);
    let error = learner.train(2).await.unwrap_err();
    assert!(matches!(&error, LearnerError::Panicked { message } if message.contains("boom")), "{error}");
    let event = reader.recv().await.unwrap().event;
    assert_eq!(event, NodeEvent::RoomRestarted { room: "learner".into(), times: 1 });
    assert_eq!(learner.snapshot().await.unwrap(), good);
    learner.train(2).await.unwrap();
    assert!(learner.evaluate(Part::Validation).await.unwrap().is_some());
    assert!(learner.evaluate(Part::Test).await.unwrap().is_none());
    supervisor.stop().await;
    assert!(learner.train(3).await.is_err());
}
