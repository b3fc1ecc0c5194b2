use std::time::Duration;

use peerlearn::config::Layers;
use peerlearn::learner::Evaluation;
use peerlearn::protocols::id::PeerId;
use peerlearn::{NodeEvent, Stamped};
use tokio::sync::watch;

use super::outcome::Facts;
use super::*;

fn peer(index: u8) -> PeerId {
    PeerId([index; 32])
}

fn closed(round: u64, accuracy: Option<f32>) -> NodeEvent {
    let test = accuracy.map(|accuracy| Box::new(Evaluation::new(1.0, accuracy, 10)));
    NodeEvent::RoundClosed {
        round,
        drawn: 1,
        mixed: 1,
        refused: 0,
        age: 1,
        own: None,
        test,
        bytes_in: 100 * round,
        bytes_out: 50 * round,
        cpu: Duration::from_millis(500),
    }
}

fn board() -> Board {
    let mut board = Board::default();
    (0..2).for_each(|index| board.add(peer(index), name(index.into())));
    let mut say = |index, at_ms, event| board.fold(&Stamped { at_ms, node: peer(index), event });
    say(0, 1, NodeEvent::PeerDiscovered { peer: peer(1), known: 1 });
    say(0, 5, closed(1, Some(0.5)));
    say(0, 9, closed(2, None));
    say(1, 7, closed(1, Some(0.25)));
    say(9, 7, closed(40, Some(0.9)));
    board
}

fn outcome() -> Outcome {
    let of = |accuracy| Evaluation::new(1.0, accuracy, 10);
    let baselines = Baselines { alone: vec![of(0.125), of(0.375)], pooled: of(0.75) };
    let facts = Facts {
        seconds: 2.5,
        baseline_seconds: 4.0,
        cpu_seconds: 4.0,
        test_rows: 10,
        model: "linear".into(),
        partition: "iid".into(),
        seed: 3,
        peers: vec![("aa".into(), 20, 2), ("bb".into(), 30, 1)],
    };
    Outcome::new(&board(), &baselines, facts)
}

#[test]
fn the_board_keeps_what_was_last_said_and_ignores_strangers() {
    let board = board();
    assert_eq!(board.lines().len(), 2);
    assert_eq!((board.least_round(), board.worst(), board.mean()), (1, Some(0.25), Some(0.375)));
    let ant = &board.lines()[0];
    assert_eq!((ant.round, ant.known, ant.bytes_in), (2, 1, 200));
    assert_eq!(ant.test.as_ref().map(|test| test.accuracy), Some(0.5));
    assert_eq!(ant.curve, [(1, 5, 0.5)]);
}

/// Programs read this; a name that disappears or changes its meaning breaks them.
#[test]
fn the_outcome_has_the_documented_fields() {
    let json = serde_json::to_value(outcome()).unwrap();
    let expected = serde_json::json!({
        "worst": 0.25, "mean": 0.375, "best": 0.5, "alone_mean": 0.25, "pooled": 0.75,
        "seconds": 2.5, "cpu_seconds": 4.0, "baseline_seconds": 4.0, "bytes_in": 300, "bytes_out": 150, "rounds": 1,
        "test_rows": 10,
        "model": "linear", "partition": "iid", "seed": 3, "version": env!("CARGO_PKG_VERSION"),
        "peers": [
            { "name": "ant", "peer": "aa", "rows": 20, "classes": 2, "accuracy": 0.5, "alone": 0.125, "rounds": 2,
              "known": 1, "bytes_in": 200, "bytes_out": 100, "cpu_seconds": 0.5 },
            { "name": "bat", "peer": "bb", "rows": 30, "classes": 1, "accuracy": 0.25, "alone": 0.375, "rounds": 1,
              "known": 0, "bytes_in": 100, "bytes_out": 50, "cpu_seconds": 0.5 },
        ],
    });
    assert_eq!(json, expected);
}

#[test]
fn the_table_holds_the_three_comparisons() {
    let table = outcome().table();
    for words in
        ["2 peers together", " 25.00 %", " 37.50 %", " 50.00 %", "each alone", "pooled", " 75.00 %", "300 B in"]
    {
        assert!(table.contains(words), "{words}: {table}");
    }
}

/// An outcome of two peers that were measured so, after the same models alone and pooled.
fn outcome_of(test: &Evaluation) -> Outcome {
    let mut board = board();
    for index in 0..2 {
        let mut event = closed(3, Some(0.5));
        if let NodeEvent::RoundClosed { test: measured, .. } = &mut event {
            *measured = Some(Box::new(test.clone()));
        }
        board.fold(&Stamped { at_ms: 20, node: peer(index), event });
    }
    let baselines = Baselines { alone: vec![test.clone(), test.clone()], pooled: test.clone() };
    let peers = vec![("aa".into(), 20, 2), ("bb".into(), 30, 1)];
    let (model, partition) = ("linear".into(), "iid".into());
    let facts = Facts {
        seconds: 2.5,
        baseline_seconds: 4.0,
        cpu_seconds: 4.0,
        test_rows: 10,
        model,
        partition,
        seed: 3,
        peers,
    };
    Outcome::new(&board, &baselines, facts)
}

#[test]
fn accuracy_does_not_stand_alone() {
    let rare = Evaluation { balanced: Some(0.5), macro_f1: Some(0.497), ..Evaluation::new(0.1, 0.99, 100) };
    let outcome = outcome_of(&rare);
    let table = outcome.table();
    assert_eq!(table.matches("balanced accuracy").count(), 3, "{table}");
    assert!(table.contains(" 99.00 %") && table.contains(" 50.00 %"), "{table}");
    let json = serde_json::to_value(&outcome).unwrap();
    assert_eq!((&json["peers"][0]["balanced"], &json["pooled_scores"]["balanced"]), (&0.5.into(), &0.5.into()));
    assert!(json["peers"][1]["macro_f1"].is_number() && json["peers"][1]["rmse"].is_null(), "{json}");
    assert_eq!(serde_json::from_value::<Outcome>(json).unwrap(), outcome);
}

#[test]
fn numbers_have_errors_and_no_accuracy() {
    let numbers = Evaluation { rmse: Some(3.25), mae: Some(2.5), r2: Some(0.875), ..Evaluation::new(0.1, 0.875, 100) };
    let table = outcome_of(&numbers).table();
    for words in ["R2 on 10 test rows", "RMSE", " 3.250", "MAE", " 2.500", " 0.875"] {
        assert!(table.contains(words), "{words}: {table}");
    }
    assert!(!table.contains("accuracy") && !table.contains('%'), "{table}");
}

#[test]
fn names_are_different() {
    let mut names: Vec<String> = (0..256).map(name).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 256);
}

#[test]
fn an_output_directory_is_not_taken_from_others() {
    let directory = tempfile::tempdir().unwrap();
    let mut output = Output::create(&directory.path().join("out")).unwrap();
    output.event(&Stamped { at_ms: 1, node: peer(0), event: NodeEvent::Stopping }).unwrap();
    output.finish(&board(), &outcome()).unwrap();
    let read = |name: &str| std::fs::read_to_string(directory.path().join("out").join(name)).unwrap();
    assert_eq!(read("curves.csv"), "peer,round,milliseconds,test_accuracy\nant,1,5,0.5\nbat,1,7,0.25\n");
    assert_eq!(serde_json::from_str::<Stamped>(&read("events.jsonl")).unwrap().event, NodeEvent::Stopping);
    Output::create(&directory.path().join("out")).unwrap();
    std::fs::write(directory.path().join("thesis.txt"), "mine").unwrap();
    assert!(matches!(Output::create(directory.path()), Err(OutputError::NotEmpty { .. })));
    assert!(matches!(Output::create(&directory.path().join("thesis.txt")), Err(OutputError::Write { .. })));
}

fn plan(rounds: u64) -> DemoPlan {
    DemoPlan {
        peers: 4,
        partition: "shards:3".parse().unwrap(),
        rounds,
        until_accuracy: Some(0.8),
        seed: 1,
        config: Layers::new().settings(&["round.min_interval=0s".to_owned()]).unwrap().load().unwrap(),
        out: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn four_skewed_peers_reach_what_none_reaches_alone() {
    let (_stop, stopped) = watch::channel(false);
    let mut seen = 0;
    let Ending::Finished { outcome, .. } = run(&plan(100_000), stopped, |_| seen += 1).await.unwrap() else {
        panic!("interrupted");
    };
    assert!(outcome.worst >= 0.8 && outcome.alone_mean < 0.6, "{outcome:?}");
    assert!(seen > 4 && outcome.peers.iter().all(|peer| peer.known == 3 && peer.bytes_in > 0), "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_demo_stops_when_told() {
    let (stop, stopped) = watch::channel(false);
    let endless = DemoPlan { until_accuracy: None, ..plan(100_000) };
    let ending = run(&endless, stopped, |progress| {
        if let Progress::Event(board, _) = progress
            && board.least_round() >= 2
        {
            stop.send_replace(true);
        }
    });
    assert!(matches!(ending.await.unwrap(), Ending::Interrupted));
}

/// Runs four peers until the worst has 70 %; answers its accuracy, and how many models were mixed.
async fn learn(partition: &str, settings: &[&str]) -> (f32, usize) {
    let texts: Vec<String> = settings.iter().chain(&["round.min_interval=0s"]).map(|text| (*text).to_owned()).collect();
    let config = Layers::new().settings(&texts).unwrap().load().unwrap();
    let partition = partition.parse().unwrap();
    let short = DemoPlan { until_accuracy: Some(0.7), partition, config, ..plan(300) };
    let (_stop, stopped) = watch::channel(false);
    let mut models = 0;
    let ending = run(&short, stopped, |progress| {
        if let Progress::Event(_, stamped) = progress
            && let NodeEvent::RoundClosed { mixed, .. } = stamped.event
        {
            models += mixed;
        }
    });
    let Ending::Finished { outcome, .. } = ending.await.unwrap() else { panic!("interrupted") };
    (outcome.worst, models)
}

/// Every setting works in whole nodes: four peers so skewed that none gets past 55 % alone.
#[tokio::test(flavor = "multi_thread")]
async fn every_rule_codec_and_draw_learns() {
    let skewed: [&[&str]; 13] = [
        &["mixing.rule=push-sum"],
        &["mixing.rule=clip:auto"],
        &["mixing.rule=trimmed-mean:1"],
        &["mixing.rule=ios:1"],
        &["mixing.rule=balance:2"],
        &["mixing.rule=metropolis", "membership.sampling=ring"],
        &["exchange.codec=bf16"],
        &["exchange.codec=int8-row"],
        &["exchange.codec=fragment:2"],
        &["exchange.codec=top-k:200"],
        &["exchange.codec=top-k:200", "exchange.compression=zstd"],
        &["exchange.rounding=stochastic", "membership.sampling=base:1"],
        &["training.reference_steps=10", "membership.sampling=uniform"],
    ];
    // With such data nobody else's model does better on own rows, so ubar takes none; it is made for similar data.
    let similar: [&[&str]; 1] = [&["mixing.rule=ubar:0.6"]];
    let cases = skewed.map(|settings| ("shards:3", settings)).into_iter().chain(similar.map(|it| ("iid", it)));
    let is_built = |settings: &[&str]| cfg!(feature = "zstd") || !settings.contains(&"exchange.compression=zstd");
    for (partition, settings) in cases.filter(|(_, settings)| is_built(settings)) {
        let (worst, models) = learn(partition, settings).await;
        assert!(worst > 0.65 && models > 4, "{settings:?}: worst {worst}, {models} models mixed");
    }
}
