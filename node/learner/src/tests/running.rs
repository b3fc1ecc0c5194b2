//! The thread and what it survives.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

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

/// A running learner, with what supervises it.
async fn running(factory: LearnerFactory) -> (LearnerHandle, Supervisor, tokio::sync::broadcast::Receiver<Stamped>) {
    let (learner, component) = LearnerHandle::new(factory, data(), Arc::new(usual()), 0, start());
    let clock = Clock::start();
    let events = EventBus::new(PeerId([1; 32]), clock.clone());
    let reader = events.subscribe();
    let components = vec![("learner", component)];
    let supervisor = Supervisor::spawn(components, RestartPolicy::default(), clock, events).await.unwrap();
    (learner, supervisor, reader)
}

#[tokio::test]
async fn a_panicking_model_is_reported_and_built_anew_from_the_last_mix() {
    let fuse = Arc::new(AtomicBool::new(false));
    let bomb = Arc::clone(&fuse);
    let factory: LearnerFactory =
        Arc::new(move || Ok(Box::new(Bomb(build(&ModelFamily::Linear, &[2], 3)?, Arc::clone(&bomb)))));
    let (learner, supervisor, mut reader) = running(factory).await;
    learner.train(1).await.unwrap();
    learner.mix(MixOrder { models: vec![pulled(1, 640, &[4.0; 9])], ..MixOrder::default() }).await.unwrap();
    let good = learner.snapshot();
    fuse.store(true, Ordering::SeqCst);
    let error = learner.train(2).await.unwrap_err();
    assert!(matches!(&error, LearnerError::Panicked { message } if message.contains("boom")), "{error}");
    let event = reader.recv().await.unwrap().event;
    assert_eq!(event, NodeEvent::ComponentRestarted { component: "learner".into(), times: 1 });
    assert_eq!(learner.snapshot(), good);
    learner.train(2).await.unwrap();
    assert!(learner.evaluate(Part::Validation).await.unwrap().is_some());
    assert!(learner.evaluate(Part::Test).await.unwrap().is_none());
    supervisor.stop().await;
    assert!(learner.train(3).await.is_err());
}

/// A model that trains until it is told to stop.
struct Endless(Box<dyn Learner>, Arc<AtomicBool>);

impl Learner for Endless {
    fn layout(&self) -> &Layout {
        self.0.layout()
    }
    fn read(&self, out: &mut [f32]) {
        self.0.read(out);
    }
    fn write(&mut self, params: &[f32]) -> Result<(), LearnError> {
        self.0.write(params)
    }
    fn train(&mut self, _: &Dataset, _: &TrainPlan<'_>) -> Result<TrainReport, LearnError> {
        while !self.1.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        Ok(TrainReport::default())
    }
    fn evaluate(&mut self, data: &Dataset) -> Result<Evaluation, LearnError> {
        self.0.evaluate(data)
    }
    fn predict(&mut self, features: &[f32]) -> Result<Vec<f32>, LearnError> {
        assert!(features.len() < 1000, "too many");
        self.0.predict(features)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_are_answered_with_the_last_mix_while_the_model_trains() {
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let factory: LearnerFactory =
        Arc::new(move || Ok(Box::new(Endless(build(&ModelFamily::Linear, &[2], 3)?, Arc::clone(&stopped)))));
    let (learner, supervisor, _) = running(factory).await;
    learner.mix(MixOrder { models: vec![pulled(1, 640, &[4.0; 9])], ..MixOrder::default() }).await.unwrap();
    let handle = learner.clone();
    let training = tokio::spawn(async move { handle.train(1).await });
    let rows = clouds(6, 2).features().to_vec();
    let mut fresh = build(&ModelFamily::Linear, &[2], 3).unwrap();
    fresh.write(learner.snapshot().answer()).unwrap();
    let want = fresh.predict(&rows).unwrap();
    // Far more than may wait for the thread that trains.
    let asking: Vec<_> = (0..100).map(|_| (learner.clone(), rows.clone())).collect();
    let asking = asking.into_iter().map(|(learner, rows)| tokio::spawn(async move { learner.predict(rows).await }));
    for answer in asking.collect::<Vec<_>>() {
        assert_eq!(answer.await.unwrap().unwrap(), want);
    }
    assert!(learner.evaluate(Part::Validation).await.unwrap().is_some());
    // A question that the model does not survive costs nobody else anything.
    let error = learner.predict(vec![0.0; 1000]).await.unwrap_err();
    assert!(matches!(&error, LearnerError::Panicked { message } if message.contains("too many")), "{error}");
    assert_eq!(learner.predict(rows).await.unwrap(), want);
    assert!(!training.is_finished());
    stop.store(true, Ordering::SeqCst);
    training.await.unwrap().unwrap();
    supervisor.stop().await;
}
