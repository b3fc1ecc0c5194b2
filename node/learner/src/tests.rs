//! Models, alone, under a recipe, and on a thread.

mod framed;
mod recipe;
mod running;
mod stored;
mod targets;

use std::sync::Arc;

use peerlearn_protocols::codec::{Codec, Rounding};
use peerlearn_protocols::dataset::Dataset;
use peerlearn_protocols::id::PeerId;
use peerlearn_protocols::params::Layout;
use peerlearn_protocols::recipe::{
    BatchOrder, MixOrder, MixReport, ModelState, PulledModel, Recipe, TrainFailure, Trainer, Training,
};
use peerlearn_protocols::wire::blob;
use peerlearn_runtime::clock::Clock;
use peerlearn_runtime::event::{EventBus, NodeEvent, Stamped};
use peerlearn_runtime::supervisor::{RestartPolicy, Supervisor};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

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
    let training = Training { steps, batch: 16, learning_rate: 0.1, ..Training::default() };
    TrainPlan::new(&training, 1, 0, None, 1)
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
    Snapshot::fresh(vec![0.0; 9])
}

fn usual() -> Recipe {
    recipe(&TrainingConfig::default(), &MixingConfig::default(), Codec::F32, Rounding::Nearest)
}

fn pulled(name: u8, age: u64, params: &[f32]) -> PulledModel {
    let blob = blob::encode(Codec::F32, &linear_layout(), params).unwrap();
    PulledModel { peer: PeerId([name; 32]), age, samples: 10, link: 0.0, grant: None, blob: Arc::new(blob) }
}
