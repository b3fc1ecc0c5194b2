//! Rows that are kept elsewhere than in memory.

use std::sync::atomic::{AtomicBool, Ordering};

use peerlearn_protocols::dataset::{RowStore, Stored, Values};
use peerlearn_protocols::mixing::Rule;

use super::*;

/// The features of a data set, until they cannot be read any more.
#[derive(Debug)]
struct Shelf {
    rows: Dataset,
    fallen: Arc<AtomicBool>,
}

impl RowStore for Shelf {
    fn rows(&self) -> usize {
        self.rows.len()
    }

    fn width(&self) -> usize {
        self.rows.width()
    }

    fn copy_row(&self, index: usize, out: &mut Vec<f32>) -> Result<(), String> {
        self.rows.copy_row(index, out);
        if self.fallen.load(Ordering::Relaxed) { Err("the shelf fell".to_owned()) } else { Ok(()) }
    }
}

/// The same rows, kept elsewhere, and what makes them unreadable.
fn elsewhere(rows: &Dataset) -> (Dataset, Arc<AtomicBool>) {
    let fallen = Arc::new(AtomicBool::new(false));
    let shelf = Shelf { rows: rows.clone(), fallen: Arc::clone(&fallen) };
    let values = Values::Stored(Stored::new(Arc::new(shelf)));
    let labels = rows.labels().to_vec();
    (Dataset::in_units(rows.input().to_vec(), rows.classes(), values, 1.0, labels).unwrap(), fallen)
}

#[test]
fn the_same_order_trains_the_same_weights_wherever_the_rows_are() {
    let (train, test) = (clouds(500, 1), clouds(600, 2));
    let (kept, kept_test) = (elsewhere(&train).0, elsewhere(&test).0);
    for order in [BatchOrder::Repeated, BatchOrder::Consecutive] {
        let plan = TrainPlan { order, ..plan(40) };
        let run = |train: &Dataset, test: &Dataset| {
            let mut learner = seeded(&ModelFamily::Mlp(vec![8]), &[2], 3);
            let report = learner.train(train, &plan).unwrap();
            (params(&*learner), report, learner.evaluate(test).unwrap())
        };
        assert_eq!(run(&train, &test), run(&kept, &kept_test), "{order:?}");
        // Some rows of some rows, in an order of their own.
        let (some, fewer): (Vec<usize>, Vec<usize>) = ((0..500).rev().step_by(2).collect(), (0..100).collect());
        let picked = |rows: &Dataset| rows.select(&some).select(&fewer);
        assert_eq!(run(&picked(&train), &test), run(&picked(&kept), &kept_test), "{order:?}");
    }
    let mut learner = seeded(&ModelFamily::Linear, &[2], 3);
    learner.train(&kept, &plan(300)).unwrap();
    assert!(learner.evaluate(&kept_test).unwrap().accuracy > 0.95, "another shuffle learns as well");
}

#[test]
fn rows_that_cannot_be_read_end_training_in_words_and_leave_the_model() {
    let (kept, fallen) = elsewhere(&clouds(100, 1));
    let mut learner = seeded(&ModelFamily::Linear, &[2], 3);
    let before = params(&*learner);
    fallen.store(true, Ordering::Relaxed);
    let error = learner.train(&kept, &plan(3)).unwrap_err();
    assert!(matches!(error, LearnError::Row(_)) && error.to_string().contains("the shelf fell"), "{error}");
    assert_eq!(params(&*learner), before);
    assert!(matches!(learner.evaluate(&kept), Err(LearnError::Row(_))));
}

/// A model of a user that knows nothing of rows elsewhere.
struct Careless(Box<dyn Learner>);

impl Learner for Careless {
    fn layout(&self) -> &Layout {
        self.0.layout()
    }

    fn read(&self, out: &mut [f32]) {
        self.0.read(out);
    }

    fn write(&mut self, params: &[f32]) -> Result<(), LearnError> {
        self.0.write(params)
    }

    fn train(&mut self, data: &Dataset, _: &TrainPlan<'_>) -> Result<TrainReport, LearnError> {
        let loss = data.row(0)[0].max(0.0);
        Ok(TrainReport { loss, ..TrainReport::default() })
    }

    fn evaluate(&mut self, data: &Dataset) -> Result<Evaluation, LearnError> {
        Ok(Evaluation::new(data.row(0)[0].max(0.0), 1.0, data.len()))
    }

    fn predict(&mut self, features: &[f32]) -> Result<Vec<f32>, LearnError> {
        self.0.predict(features)
    }
}

#[test]
fn what_a_careless_model_makes_of_unreadable_rows_is_refused() {
    let (kept, fallen) = elsewhere(&clouds(100, 1));
    let learner = Box::new(Careless(seeded(&ModelFamily::Linear, &[2], 3)));
    let data = LearnerData { train: kept.clone(), validation: Some(kept.select(&[1, 0])), test: None };
    let mut trainer = LocalTrainer::new(learner, data, &Rule::default());
    let mut params = vec![0.0; 9];
    assert!(trainer.train(&mut params, &plan(1)).is_ok());
    assert!(trainer.measure(&params, Part::Validation).unwrap().is_some());
    fallen.store(true, Ordering::Relaxed);
    let error = trainer.train(&mut params, &plan(1)).unwrap_err().to_string();
    assert!(error.contains("the shelf fell"), "{error}");
    assert!(matches!(trainer.measure(&params, Part::Validation), Err(LearnError::Row(_))));
}
