//! Nodes that agree on the numbers by which columns are scaled.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use peerlearn_data::{DataConfig, Known, Preprocessing, load};
use peerlearn_learner::ModelFamily;
use peerlearn_task::frame::Frame;
use peerlearn_task::{
    Charter, Column, ColumnType, Definition, Document, FrameRule, Missing, ModelSpec, Numbers, Output, Real, Scale,
    Schema,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::agreed::as_trained;
use crate::registry::{frame_of, load_checkpoint, task_of};

/// Columns as people have them: where they lie and how far they spread.
const COLUMNS: [(&str, f64, f64); 4] =
    [("dose", 0.004, 0.002), ("income", 52_000.0, 21_000.0), ("score", 0.0, 1.0), ("weight", 71.0, 13.0)];

/// Rows of three classes, which differ in all columns together; `classes` says how often each is drawn.
fn rows(path: &Path, count: usize, classes: [f64; 3], seed: u64) -> PathBuf {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut text = "dose,income,score,weight,kind\n".to_owned();
    let centres = [[1.0, -1.0, 0.5, 0.0], [-1.0, 0.0, 1.0, 1.0], [0.0, 1.0, -1.0, -1.0]];
    for _ in 0..count {
        let draw = rng.random::<f64>() * classes.iter().sum::<f64>();
        let class = usize::from(draw > classes[0]) + usize::from(draw > classes[0] + classes[1]);
        for ((_, mean, sd), centre) in COLUMNS.iter().zip(centres[class]) {
            let noise = (0..6).map(|_| rng.random::<f64>() - 0.5).sum::<f64>();
            let _ = write!(text, "{},", mean + sd * (centre + 0.9 * noise));
        }
        let _ = writeln!(text, "{}", ["ant", "bat", "cat"][class]);
    }
    std::fs::write(path, text).unwrap();
    path.to_owned()
}

/// A task of these columns, with numbers for those that are named.
fn task(rule: FrameRule, numbers: &[(&str, f64, f64)]) -> Document {
    let mut columns: BTreeMap<String, Column> =
        COLUMNS.iter().map(|(name, ..)| ((*name).to_owned(), Column::new(ColumnType::Number))).collect();
    for (name, mean, sd) in numbers {
        let column = columns.get_mut(*name).unwrap();
        (column.mean, column.sd) = (Real::new(*mean), Real::new(*sd));
    }
    let mut schema = Schema::table(columns, Output::classes("kind", ["ant", "bat", "cat"].map(str::to_owned).to_vec()));
    schema.frame.rule = rule;
    let model = ModelSpec { net: "mlp:16".to_owned(), loss: "cross-entropy".to_owned(), layout: None };
    Document { definition: Definition::new("kinds", model, schema).unwrap(), charter: Charter::default() }
}

fn settings(rows: &Path, test: &Path, contacts: Vec<String>) -> NodeConfig {
    let source = |path: &Path| path.display().to_string();
    let data = DataConfig { source: source(rows), test: source(test), ..DataConfig::default() };
    NodeConfig { data, ..config(MEMORY, 0, contacts) }
}

/// Peers that come one after the other, each knowing the first.
async fn peers(document: &Document, files: &[PathBuf], test: &Path, rounds: u64) -> Vec<Node> {
    let mut nodes: Vec<Node> = Vec::new();
    for file in files {
        let contacts = match nodes.first() {
            Some(node) => first_address(node).await,
            None => Vec::new(),
        };
        let mut config = settings(file, test, contacts);
        config.round.rounds = rounds;
        nodes.push(Node::builder(config).task(document.clone()).spawn().await.unwrap());
    }
    nodes
}

/// Waits until a node trains in numbers of so many peers.
async fn agreed(node: &Node, voices: usize) -> Frame {
    loop {
        let frame = node.frame().unwrap();
        if frame.voices >= voices {
            return frame;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Four files: three of peers with unlike classes, and one to measure on.
fn files(directory: &Path) -> (Vec<PathBuf>, PathBuf) {
    let classes = [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]];
    let own = classes
        .iter()
        .enumerate()
        .map(|(peer, classes)| rows(&directory.join(format!("{peer}.csv")), 120, *classes, peer as u64));
    (own.collect(), rows(&directory.join("test.csv"), 600, [1.0; 3], 99))
}

#[tokio::test(flavor = "multi_thread")]
async fn three_peers_that_come_in_any_order_end_with_the_same_numbers() {
    let directory = tempfile::tempdir().unwrap();
    let (files, test) = files(directory.path());
    // The owner saw one weight only, and incomes of another range.
    let document = task(FrameRule::Agreed, &[("income", 3_000.0, 500.0), ("weight", 65.0, 1.0), ("score", 0.1, 1.1)]);
    let mut found: Vec<Numbers> = Vec::new();
    for order in [[0, 1, 2], [2, 0, 1], [1, 2, 0]] {
        let files: Vec<PathBuf> = order.iter().map(|peer| files[*peer].clone()).collect();
        let nodes = peers(&document, &files, &test, 0).await;
        let mut events = nodes[2].subscribe();
        for node in &nodes {
            let frame = agreed(node, 3).await;
            found.push(frame.numbers);
            let status = node.status().await.agreed.unwrap();
            assert_eq!((status.voices, status.taken, status.columns, status.is_fixed), (3, 3, 4, false));
        }
        mixed_round(&mut events, 3).await;
        stop_all(&nodes).await;
    }
    assert!(found.iter().all(|numbers| numbers == &found[0]), "{found:?}");
    for (name, mean, sd) in COLUMNS {
        let Scale { mean: agreed, sd: spread } = found[0].of(name);
        assert!((agreed - mean).abs() < 1.5 * sd && (0.4..4.0).contains(&(spread / sd)), "{name}: {agreed} {spread}");
    }
}

/// The worst accuracy of three peers.
async fn worst(document: &Document, files: &[PathBuf], test: &Path) -> f32 {
    let nodes = peers(document, files, test, 60).await;
    let mut worst = 1f32;
    for node in &nodes {
        finished(node).await;
        worst = worst.min(node.evaluate(Part::Test).await.unwrap().unwrap().accuracy);
    }
    stop_all(&nodes).await;
    worst
}

#[tokio::test(flavor = "multi_thread")]
async fn agreed_numbers_make_up_for_those_that_a_task_lacks_or_has_wrong() {
    let directory = tempfile::tempdir().unwrap();
    let (files, test) = files(directory.path());
    let wrong = [("dose", 2.0, 3.0), ("income", 30.0, 5.0), ("score", 0.0, 1.0), ("weight", 0.0, 400.0)];
    for numbers in [&[][..], &wrong] {
        let declared = worst(&task(FrameRule::Declared, numbers), &files, &test).await;
        let agreed = worst(&task(FrameRule::Agreed, numbers), &files, &test).await;
        eprintln!(
            "worst of three with {} numbers in the task: declared {declared:.4}, agreed {agreed:.4}",
            numbers.len()
        );
        assert!(agreed > 0.85 && agreed > declared + 0.2, "declared {declared}, agreed {agreed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_liar_does_not_move_the_numbers_of_the_others() {
    let directory = tempfile::tempdir().unwrap();
    let (mut files, test) = files(directory.path());
    let document = task(FrameRule::Agreed, &[]);
    let honest = {
        let nodes = peers(&document, &files, &test, 1).await;
        let frame = agreed(&nodes[0], 3).await;
        stop_all(&nodes).await;
        frame.numbers
    };
    let lies: String = (0..40).map(|row| format!("{0},{0},{0},{0},ant\n", (row % 3 - 1) * 1_000_000)).collect();
    let liar = directory.path().join("liar.csv");
    std::fs::write(&liar, format!("dose,income,score,weight,kind\n{lies}")).unwrap();
    files.push(liar);
    let nodes = peers(&document, &files, &test, 1).await;
    for node in &nodes {
        let numbers = agreed(node, 4).await.numbers;
        for (name, ..) in COLUMNS {
            let (with, without) = (numbers.of(name), honest.of(name));
            let far = (with.mean - without.mean).abs() / without.sd;
            assert!(far < 1.0 && (0.5..2.0).contains(&(with.sd / without.sd)), "{name}: {without:?} -> {with:?}");
        }
    }
    stop_all(&nodes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_keeps_the_numbers_and_the_model_on_disk_answers_as_the_node_did() {
    let directory = tempfile::tempdir().unwrap();
    let (files, test) = files(directory.path());
    let document = task(FrameRule::Agreed, &[("income", 3_000.0, 500.0), ("weight", 65.0, 1.0)]);
    let home = || Home::open(&directory.path().join("home")).unwrap();
    let others = peers(&document, &files[1..], &test, 40).await;
    let mut config = settings(&files[0], &test, first_address(&others[0]).await);
    config.round.rounds = 40;
    let node = Node::builder(config.clone()).task(document.clone()).home(home()).spawn().await.unwrap();
    finished(&node).await;
    let frame = agreed(&node, 3).await;
    let measured = node.evaluate(Part::Test).await.unwrap().unwrap();
    node.stop().await;
    drop(node);
    stop_all(&others).await;
    // Alone, with what the home holds.
    config.network.contacts.clear();
    let held = task_of(&directory.path().join("home")).unwrap().unwrap().document;
    let node = Node::builder(config.clone()).task(held).home(home()).spawn().await.unwrap();
    assert_eq!(node.frame().unwrap(), frame);
    assert_eq!(node.evaluate(Part::Test).await.unwrap().unwrap(), measured);
    let features: Vec<f32> = vec![0.0, 1.0, -0.5, 2.0];
    let answers = node.predict(features.clone()).await.unwrap();
    node.stop().await;
    drop(node);
    // What `eval` and `predict` do: rows in the numbers of the task, and the frame that was kept.
    let path = directory.path().join("home");
    let task = task_of(&path).unwrap().unwrap();
    let preprocessing = task.preprocessing();
    assert_eq!(preprocessing, Preprocessing::of(document.definition.schema.clone()));
    let schema = &preprocessing.schema;
    let kept = frame_of(&path, schema).unwrap();
    let inner = build(&"mlp:16".parse::<ModelFamily>().unwrap(), &[4], 3).unwrap();
    let mut learner = as_trained(inner, schema, Some(&kept));
    let checkpoint = load_checkpoint(&path, document.definition.id(), learner.layout()).unwrap().unwrap();
    learner.write(checkpoint.snapshot.answer()).unwrap();
    let known = Known { preprocessing: &preprocessing, charter: &document.charter };
    let rows = load(&config.data, &[0; 32], Some(known)).unwrap();
    assert_eq!(learner.evaluate(&rows.test.unwrap()).unwrap(), measured);
    assert_eq!(learner.predict(&features).unwrap(), answers);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_told_where_the_task_does_not_say_so_or_rows_are_few() {
    let directory = tempfile::tempdir().unwrap();
    let (files, test) = files(directory.path());
    let mut document = task(FrameRule::Declared, &[]);
    for rule in [FrameRule::Declared, FrameRule::PerPeer] {
        document.definition.schema.frame.rule = rule;
        let nodes = peers(&document, &files[..2], &test, 0).await;
        mixed_round(&mut nodes[1].subscribe(), 1).await;
        assert!(nodes.iter().all(|node| node.frame().is_none()));
        assert_eq!(nodes[0].status().await.agreed, None);
        let network = &nodes[0].inner.components.network;
        let refused = network.exchange_summaries(nodes[1].peer()).await;
        assert_eq!(refused, Err(peerlearn_network::TransportFailure::Unsupported));
        stop_all(&nodes).await;
    }
    // Nine rows to train on: of those nothing is told, and the others' numbers are used.
    let few = rows(&directory.path().join("few.csv"), 10, [1.0; 3], 5);
    let document = task(FrameRule::Agreed, &[]);
    let nodes = peers(&document, &[files[0].clone(), files[1].clone(), few], &test, 0).await;
    let frame = agreed(&nodes[2], 2).await;
    let status = nodes[2].status().await.agreed.unwrap();
    assert_eq!((status.columns, status.voices), (0, 2));
    assert_eq!(agreed(&nodes[0], 2).await, frame);
    stop_all(&nodes).await;
}

#[test]
fn gaps_do_not_count_in_what_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("gaps.csv");
    let rows: String = (0..40)
        .map(|row| {
            format!(
                "{},{},{},1,{}\n",
                if row % 2 == 0 { "" } else { "3" },
                row % 8,
                if row < 31 { "" } else { "7" },
                ["ant", "bat"][row % 2]
            )
        })
        .collect();
    std::fs::write(&path, format!("dose,income,score,weight,kind\n{rows}")).unwrap();
    let mut document = task(FrameRule::Agreed, &[("score", 5.0, 2.0)]);
    for (name, missing) in
        [("dose", Missing::MeanAndFlag), ("score", Missing::Mean), ("weight", Missing::Value("1".into()))]
    {
        document.definition.schema.columns.get_mut(name).unwrap().missing = missing;
    }
    let known = Preprocessing::of(document.definition.schema.clone());
    let config = DataConfig { source: path.display().to_string(), validation: 0.0, ..DataConfig::default() };
    let known = Known { preprocessing: &known, charter: &document.charter };
    let loaded = load(&config, &[0; 32], Some(known)).unwrap();
    let counts: Vec<u64> = loaded.moments.values().map(|moments| moments.count).collect();
    assert_eq!(counts, [20, 40, 9, 0], "{:?}", loaded.moments);
    assert_eq!((loaded.moments["dose"].mean, loaded.moments["score"].mean), (3.0, 7.0));
}
