//! What is trained towards and what comes out of a measurement: weights of classes, and numbers.

use peerlearn_protocols::dataset::{DatasetError, Loss};
use peerlearn_protocols::mixing::Rule;

use super::*;

/// Normally distributed, by Box and Muller.
fn normal(rng: &mut ChaCha8Rng) -> f32 {
    let (one, other): (f32, f32) = (1.0 - rng.random::<f32>(), rng.random());
    (-2.0 * one.ln()).sqrt() * (std::f32::consts::TAU * other).cos()
}

/// One row in a hundred is positive and lies two deviations aside, so that most of its neighbours are negative.
fn rare(rows: usize, seed: u64) -> Dataset {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let labels: Vec<u32> = (0..rows).map(|row| u32::from(row % 100 == 0)).collect();
    let features = labels.iter().flat_map(|label| [normal(&mut rng) + 2.0 * *label as f32, normal(&mut rng)]);
    Dataset::new(vec![2], 2, features.collect(), labels.clone()).unwrap()
}

/// `y = x0 / 2 - x1 + x2 / 4` and a little noise.
fn line(rows: usize, seed: u64) -> Dataset {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let features: Vec<f32> = (0..3 * rows).map(|_| normal(&mut rng)).collect();
    let numbers = features.chunks(3).map(|x| x[0] / 2.0 - x[1] + x[2] / 4.0 + 0.05 * normal(&mut rng));
    let numbers = numbers.collect();
    Dataset::with_numbers(vec![3], features, numbers).unwrap()
}

#[test]
fn a_weighted_step_by_hand() {
    let data = Dataset::new(vec![1], 2, vec![1.0, 2.0], vec![0, 1]).unwrap();
    let data = data.with_class_weights(vec![1.0, 3.0]).unwrap();
    let mut learner = build(&ModelFamily::Linear, &[1], 2).unwrap();
    learner.write(&[0.0; 4]).unwrap();
    let report = learner.train(&data, &TrainPlan { learning_rate: 1.0, ..plan(1) }).unwrap();
    // Both rows lose ln 2, so their weighted mean does too.
    assert!((report.loss - 2f32.ln()).abs() < 1e-6);
    // p = (1/2, 1/2); gradients of rows are x (-1/2, 1/2) and x (1/2, -1/2), weighted with 1/4 and 3/4.
    let want = [-0.625, 0.625, -0.25, 0.25];
    for (got, want) in params(&*learner).iter().zip(want) {
        assert!((got - want).abs() < 1e-6, "{got} {want}");
    }
    // What is told of rows kept apart is not weighted.
    learner.write(&[0.0, 0.0, 1.0, 0.0]).unwrap();
    let loss = learner.evaluate(&data).unwrap().loss;
    let rows = [-(1f32.exp() / (1f32.exp() + 1.0)).ln(), -(1.0 / (1f32.exp() + 1.0)).ln()];
    assert!((loss - (rows[0] + rows[1]) / 2.0).abs() < 1e-6, "{loss}");
}

#[test]
fn equal_weights_change_nothing() {
    let (plain, mut found) = (clouds(60, 1), Vec::new());
    for data in [plain.clone(), plain.clone().with_class_weights(vec![0.25; 3]).unwrap()] {
        let mut learner = seeded(&ModelFamily::Linear, &[2], 3);
        learner.train(&data, &plan(20)).unwrap();
        found.push(params(&*learner));
    }
    assert!(found[0].iter().zip(&found[1]).all(|(one, other)| (one - other).abs() < 1e-5));
}

#[test]
fn weights_find_the_rare_class_that_accuracy_forgets() {
    let (train, test) = (rare(2000, 1), rare(4000, 2));
    let learnt = |train: &Dataset| {
        let mut learner = seeded(&ModelFamily::Linear, &[2], 2);
        learner.train(train, &TrainPlan { batch: 400, learning_rate: 0.2, ..plan(1000) }).unwrap();
        learner.evaluate(&test).unwrap()
    };
    let plain = learnt(&train);
    assert!(plain.accuracy > 0.98 && plain.balanced.unwrap() < 0.6, "{plain:?}");
    let weighted = learnt(&train.clone().with_class_weights(vec![1.0, 99.0]).unwrap());
    assert!(weighted.balanced.unwrap() > 0.75 && weighted.accuracy < plain.accuracy, "{weighted:?}");
    let confusion = weighted.confusion.clone().unwrap();
    assert_eq!((confusion.of_class(0).rows, confusion.of_class(1).rows), (3960, 40));
    assert!(confusion.of_class(1).recall.unwrap() > 0.7, "{confusion:?}");
    // Both put the same rows in front; only the threshold moves.
    assert!(plain.auc.unwrap() > 0.85 && (plain.auc.unwrap() - weighted.auc.unwrap()).abs() < 0.05);
}

#[test]
fn one_step_towards_a_number_by_hand() {
    let data = Dataset::with_numbers(vec![2], vec![1.0, 2.0], vec![3.0]).unwrap();
    // The error is -3: the square has the slope -6, the absolute error -1.
    for (loss, want, slope) in [(Loss::Mse, 9.0, -6.0), (Loss::Mae, 3.0, -1.0)] {
        let data = data.clone().with_loss(loss).unwrap();
        let mut learner = build(&ModelFamily::Linear, &[2], 1).unwrap();
        learner.write(&[0.0; 3]).unwrap();
        let report = learner.train(&data, &plan(1)).unwrap();
        assert_eq!(report.loss, want);
        for (got, x) in params(&*learner).iter().zip([1.0, 2.0, 1.0]) {
            assert!((got + 0.1 * slope * x).abs() < 1e-6, "{loss}: {got}");
        }
        learner.write(&[0.0; 3]).unwrap();
        assert_eq!(learner.evaluate(&data).unwrap().loss, want, "{loss}");
    }
}

#[test]
fn every_family_learns_numbers_and_answers_with_them() {
    let (train, test) = (line(500, 1), line(200, 2).with_number_unit(40.0).unwrap());
    for family in [ModelFamily::Linear, ModelFamily::Mlp(vec![16, 8])] {
        for loss in [Loss::Mse, Loss::Mae] {
            let mut learner = seeded(&family, &[3], 1);
            let plan = TrainPlan { learning_rate: 0.05, ..plan(1000) };
            learner.train(&train.clone().with_loss(loss).unwrap(), &plan).unwrap();
            let found = learner.evaluate(&test).unwrap();
            assert!(found.r2.unwrap() > 0.95 && Some(found.accuracy) == found.r2, "{family}, {loss}: {found:?}");
            // A perfect model is left with the noise, 0.05 of 40.
            assert!((1.8..8.0).contains(&found.rmse.unwrap()) && found.mae < found.rmse, "{family}, {loss}: {found:?}");
            assert!(found.balanced.is_none() && found.confusion.is_none());
            let answers = learner.predict(&test.features()).unwrap();
            let errors = answers.iter().zip(test.numbers().unwrap()).map(|(value, number)| (value - number).abs());
            let mae = 40.0 * errors.sum::<f32>() / test.len() as f32;
            assert!((mae - found.mae.unwrap()).abs() < 1e-2, "{mae} {found:?}");
        }
    }
    let image = Dataset::with_numbers(vec![1, 4, 4], vec![0.5; 16], vec![1.0]).unwrap();
    let mut cnn = seeded(&ModelFamily::Cnn, &[1, 4, 4], 1);
    cnn.train(&image, &plan(1)).unwrap();
    assert_eq!(cnn.predict(&[0.5; 16]).unwrap().len(), 1);
}

#[test]
fn rules_that_try_models_of_others_have_a_loss_of_numbers() {
    let (learner, data) = (seeded(&ModelFamily::Linear, &[3], 1), line(200, 1));
    let rows = LearnerData { train: data, validation: Some(line(50, 2)), test: None };
    let mut trainer = LocalTrainer::new(learner, rows, &Rule::Ubar { rho: 0.5 });
    let (good, bad) = (trainer.loss(&[0.5, -1.0, 0.25, 0.0]), trainer.loss(&[0.0; 4]));
    assert!(good < 0.01 && bad > 0.5, "{good} {bad}");
    // Each is a model that others may publish; none may stop a peer.
    assert!(trainer.loss(&[1e30; 4]).total_cmp(&good).is_gt() && trainer.loss(&[0.0; 3]).is_nan());
}

#[test]
fn numbers_and_classes_are_not_confused() {
    let mut learner = build(&ModelFamily::Linear, &[2], 3).unwrap();
    let numbers = Dataset::with_numbers(vec![2], vec![0.0; 2], vec![1.0]).unwrap();
    let error = learner.train(&numbers, &plan(1)).unwrap_err();
    assert!(matches!(error, LearnError::Classes { got: 1, want: 3 }), "{error}");
    let mut learner = build(&ModelFamily::Linear, &[2], 1).unwrap();
    assert!(matches!(learner.evaluate(&clouds(3, 1)), Err(LearnError::Classes { got: 3, want: 1 })));
    assert_eq!(numbers.with_loss(Loss::CrossEntropy).unwrap_err(), DatasetError::Loss { loss: Loss::CrossEntropy });
}
