//! Training in other units than parameters are told in.

use super::*;

/// Three inputs of very different spread, as the task scales them; the last is a flag that is never rescaled.
fn rows(rows: usize, seed: u64) -> (Vec<f32>, Vec<u32>) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let labels: Vec<u32> = (0..rows).map(|row| (row % 3) as u32).collect();
    let features = labels.iter().flat_map(|label| {
        let class = *label as f32;
        [
            40.0 + 30.0 * class + 10.0 * rng.random::<f32>(),
            0.02 * class * rng.random::<f32>(),
            f32::from(rng.random::<bool>()),
        ]
    });
    (features.collect(), labels)
}

/// Rows of classes, of classes with weights, and of numbers with both losses.
fn kinds(seed: u64) -> Vec<Dataset> {
    let (features, labels) = rows(120, seed);
    let plain = Dataset::new(vec![3], 3, features.clone(), labels.clone()).unwrap();
    let weighted = plain.clone().with_class_weights(vec![0.2, 1.0, 3.0]).unwrap();
    let numbers = labels.iter().map(|label| *label as f32 - 1.0).collect();
    let numbers = Dataset::with_numbers(vec![3], features, numbers).unwrap();
    let mae = numbers.clone().with_loss(Loss::Mae).unwrap();
    vec![plain, weighted, numbers, mae]
}

fn by(first: (f64, f64), second: (f64, f64)) -> Vec<Rescale> {
    let rescale = |(minus, over)| Rescale { minus, over, limit: f64::INFINITY };
    vec![rescale(first), rescale(second), Rescale::NONE]
}

fn framed(family: &ModelFamily, outputs: usize, by: Vec<Rescale>) -> (FramedLearner, InputFrame) {
    let (inner, frame) = (build(family, &[3], outputs).unwrap(), InputFrame::new(by));
    let first = FirstLayer::of(inner.layout(), 3).unwrap();
    (FramedLearner::new(inner, first, frame.clone()), frame)
}

/// Last outputs of dense layers with ReLU between them, in double precision. Shapes: answer `[rows, outputs]`.
fn logits(layout: &Layout, params: &[f32], features: &[f32]) -> Vec<f64> {
    let ranges: Vec<_> = layout.ranges().collect();
    let mut all = Vec::new();
    for row in features.chunks(3) {
        let mut x: Vec<f64> = row.iter().map(|value| f64::from(*value)).collect();
        for (layer, pair) in ranges.chunks(2).enumerate() {
            let (weights, bias) = (&params[pair[0].clone()], &params[pair[1].clone()]);
            let mut y: Vec<f64> = bias.iter().map(|value| f64::from(*value)).collect();
            for (x, weights) in x.iter().zip(weights.chunks(bias.len())) {
                y.iter_mut().zip(weights).for_each(|(y, weight)| *y += x * f64::from(*weight));
            }
            if layer + 1 < ranges.len() / 2 {
                y.iter_mut().for_each(|y| *y = y.max(0.0));
            }
            x = y;
        }
        all.extend(x);
    }
    all
}

#[test]
fn another_frame_between_rounds_changes_no_output() {
    for family in [ModelFamily::Linear, ModelFamily::Mlp(vec![16, 8])] {
        for data in kinds(1) {
            let (mut learner, frame) = framed(&family, data.classes(), by((70.0, 25.0), (0.02, 0.012)));
            let mut told = initial_weights(learner.layout(), [7; 32]);
            // As good in the units of the frame as weights are that nobody has rescaled.
            FirstLayer::of(learner.layout(), 3).unwrap().leave(&frame.get(), &mut told);
            learner.write(&told).unwrap();
            learner.train(&data, &TrainPlan { learning_rate: 0.05, ..plan(200) }).unwrap();
            learner.read(&mut told);
            let layout = learner.layout().clone();
            let (before, loss) = (logits(&layout, &told, &data.features()), learner.evaluate(&data).unwrap().loss);
            assert!(before.iter().any(|logit| logit.abs() > 0.5), "it has learnt something");
            for other in [by((65.0, 30.0), (0.015, 0.02)), by((120.0, 5.0), (0.5, 0.2)), by((0.0, 1.0), (0.0, 1.0))] {
                frame.set(other);
                learner.write(&told).unwrap();
                let mut again = told.clone();
                learner.read(&mut again);
                for (before, after) in before.iter().zip(logits(&layout, &again, &data.features())) {
                    assert!((before - after).abs() < 1e-5, "{family}, {}: {before} {after}", data.loss());
                }
                let measured = learner.evaluate(&data).unwrap().loss;
                assert!((measured - loss).abs() < 1e-5, "{family}: {loss} {measured}");
            }
        }
    }
}

#[test]
fn training_in_a_frame_is_training_on_rescaled_rows() {
    let rescales = by((70.0, 25.0), (0.02, 0.012));
    for data in kinds(2) {
        let family = ModelFamily::Mlp(vec![8]);
        let (mut learner, _) = framed(&family, data.classes(), rescales.clone());
        let first = FirstLayer::of(learner.layout(), 3).unwrap();
        let start = initial_weights(learner.layout(), [7; 32]);
        let correction: Vec<f32> = start.iter().rev().map(|value| 0.01 * value).collect();
        let steps = TrainPlan { proximal: 0.1, momentum: 0.5, clip_norm: 1.0, ..plan(20) };
        learner.write(&start).unwrap();
        learner.train(&data, &TrainPlan { correction: Some(&correction), ..steps }).unwrap();
        let mut got = start.clone();
        learner.read(&mut got);
        let (mut inner, mut entered, mut change) =
            (build(&family, &[3], data.classes()).unwrap(), start, correction.clone());
        first.enter(&rescales, &mut entered);
        first.enter(&rescales, &mut change);
        inner.write(&entered).unwrap();
        inner
            .train(&data.rescaled(rescales.clone().into()).unwrap(), &TrainPlan { correction: Some(&change), ..steps })
            .unwrap();
        let mut want = params(&*inner);
        first.leave(&rescales, &mut want);
        assert_eq!(got, want, "bit by bit");
    }
}

#[test]
fn differences_change_as_parameters_do() {
    let (learner, frame) = framed(&ModelFamily::Mlp(vec![8]), 3, by((70.0, 25.0), (0.02, 0.012)));
    let first = FirstLayer::of(learner.layout(), 3).unwrap();
    let (mut one, mut other) = (initial_weights(learner.layout(), [1; 32]), initial_weights(learner.layout(), [2; 32]));
    let mut difference: Vec<f32> = one.iter().zip(&other).map(|(one, other)| one - other).collect();
    for params in [&mut one, &mut other, &mut difference] {
        first.enter(&frame.get(), params);
    }
    for ((one, other), difference) in one.iter().zip(&other).zip(&difference) {
        assert!((one - other - difference).abs() < 1e-4 * one.abs().max(1.0), "{one} {other} {difference}");
    }
}

#[test]
fn a_frame_holds_from_the_next_write_on() {
    let data = kinds(3).remove(0);
    let (mut learner, frame) = framed(&ModelFamily::Linear, 3, by((70.0, 25.0), (0.02, 0.012)));
    let told = initial_weights(learner.layout(), [7; 32]);
    learner.write(&told).unwrap();
    let before = learner.predict(&data.features()).unwrap();
    frame.set(by((0.0, 1.0), (0.0, 1.0)));
    assert_eq!(learner.predict(&data.features()).unwrap(), before);
    let mut read = told.clone();
    learner.read(&mut read);
    assert!(
        read.iter().zip(&told).all(|(read, told)| (read - told).abs() < 1e-4 * told.abs().max(1.0)),
        "in the old units"
    );
    learner.write(&told).unwrap();
    let mut read = told.clone();
    learner.read(&mut read);
    assert_eq!(read, told, "units that change nothing");
}

#[test]
fn outliers_are_held_within_the_frame() {
    let limited = vec![Rescale { minus: 10.0, over: 2.0, limit: 8.0 }, Rescale::NONE, Rescale::NONE];
    let (mut learner, _) = framed(&ModelFamily::Linear, 3, limited.clone());
    learner.write(&initial_weights(learner.layout(), [7; 32])).unwrap();
    let [far, farther] = [26.0f32, 1e9].map(|first| learner.predict(&[first, 0.0, 0.0]).unwrap());
    assert_eq!(far, farther);
    let data = Dataset::new(vec![3], 3, vec![1e9, 0.0, 0.0], vec![0]).unwrap();
    assert!(learner.evaluate(&data).unwrap().loss.is_finite());
    // So are those of a model whose units are fixed.
    let mut fixed = FramedLearner::fixed(build(&ModelFamily::Linear, &[3], 3).unwrap(), limited);
    let weights = initial_weights(fixed.layout(), [7; 32]);
    fixed.write(&weights).unwrap();
    assert_eq!(fixed.predict(&[26.0, 0.0, 0.0]).unwrap(), fixed.predict(&[1e9, 0.0, 0.0]).unwrap());
    assert_eq!(params(&fixed), weights);
    assert!(matches!(fixed.predict(&[1.0]), Err(LearnError::Input { .. })));
    let wide = Dataset::new(vec![4], 3, vec![0.0; 4], vec![0]).unwrap();
    assert!(matches!(fixed.evaluate(&wide), Err(LearnError::Input { got: 4, want: 3 })));
}

#[test]
fn only_a_dense_layer_of_all_inputs_can_be_rescaled() {
    let layout = |family: &ModelFamily, input: &[usize]| build(family, input, 3).unwrap().layout().clone();
    let cnn = layout(&ModelFamily::Cnn, &[1, 8, 8]);
    assert_eq!(FirstLayer::of(&cnn, 64), None);
    let mlp = layout(&ModelFamily::Mlp(vec![4]), &[5]);
    assert!(FirstLayer::of(&mlp, 5).is_some() && FirstLayer::of(&mlp, 4).is_none());
}
