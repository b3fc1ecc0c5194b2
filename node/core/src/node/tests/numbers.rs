//! Nodes whose targets are numbers.

use peerlearn_data::{Loaded, Preprocessing};
use peerlearn_learner::{Evaluation, Loss};
use peerlearn_task::{Output, Real, Schema};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

/// `y = x0 / 2 - x1 + x2 / 4` for `x0` from `least` to `least + 2` and the others from -2 to 2, in units of 30.
fn line(rows: usize, least: f32, seed: u64) -> Dataset {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut draw = |at: usize| {
        if at.is_multiple_of(3) { least + 2.0 * rng.random::<f32>() } else { 4.0 * rng.random::<f32>() - 2.0 }
    };
    let features: Vec<f32> = (0..3 * rows).map(&mut draw).collect();
    let numbers = features.chunks(3).map(|x| x[0] / 2.0 - x[1] + x[2] / 4.0).collect();
    Dataset::with_numbers(vec![3], features, numbers).unwrap().with_number_unit(30.0).unwrap()
}

/// Each of three peers has seen a third of the range of the first feature and is measured on all of it. Waits until each has
/// mixed models of others and explains 95 % of the variance.
async fn learn(rule: &str, loss: Loss) -> Vec<Evaluation> {
    let (mut nodes, mut streams): (Vec<Node>, Vec<_>) = (Vec::new(), Vec::new());
    for part in 0..3 {
        let contacts = match nodes.last() {
            Some(node) => first_address(node).await,
            None => Vec::new(),
        };
        let mut config = NodeConfig { data: Default::default(), ..config(MEMORY, part, contacts) };
        config.mixing.rule = rule.parse().unwrap();
        if loss == Loss::Mae {
            // The slope of an absolute error is as long close to the target as far from it.
            config.training.learning_rate = 0.05;
        }
        let train = line(200, 2.0 * part as f32 - 3.0, part as u64).with_loss(loss).unwrap();
        let [validation, test] = [(50, 8), (90, 9)].map(|(rows, seed)| {
            let thirds = [-3.0, -1.0, 1.0].map(|least| line(rows / 3, least, seed));
            let features = thirds.iter().flat_map(Dataset::features).collect();
            let numbers = thirds.iter().flat_map(|third| third.numbers().unwrap().to_vec()).collect();
            Some(Dataset::with_numbers(vec![3], features, numbers).unwrap().with_number_unit(30.0).unwrap())
        });
        let mut schema = Schema::array(vec![3], 1.0, Vec::new());
        schema.output = Output::number("", Real::new(0.0).unwrap(), Real::new(30.0).unwrap());
        let rows = Loaded::new(train, validation, test, Preprocessing::of(schema));
        let node = Node::builder(config).data(rows).spawn().await.unwrap();
        streams.push(node.subscribe());
        nodes.push(node);
    }
    let mut found = Vec::new();
    for (node, events) in nodes.iter().zip(&mut streams) {
        let mut mixes = 0;
        let learnt = next(events, |event| match event {
            NodeEvent::RoundClosed { mixed: 1.., test: Some(test), .. } => {
                mixes += 1;
                assert!(mixes < 5000, "{rule}, {loss}: {test:?}");
                (test.r2 > Some(0.95)).then(|| (**test).clone())
            }
            _ => None,
        });
        found.push(learnt.await);
        assert!(node.status().await.own.unwrap().is_of_numbers(), "own rows kept apart are measured alike");
    }
    stop_all(&nodes).await;
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn three_peers_learn_numbers_of_which_each_sees_a_part() {
    // Rules that compare losses, and those that compare models, take numbers as they take classes.
    for (rule, loss) in
        [("uniform", Loss::Mse), ("uniform", Loss::Mae), ("ubar:0.6", Loss::Mse), ("balance:2", Loss::Mse)]
    {
        for test in learn(rule, loss).await {
            assert_eq!(test.r2, Some(test.accuracy));
            assert!(test.rmse.unwrap() < 10.0 && test.mae < test.rmse, "{rule}, {loss}: {test:?}");
        }
    }
}
