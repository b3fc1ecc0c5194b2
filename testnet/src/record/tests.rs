//! A run is written, cut, damaged and read back.

use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};

use peerlearn::event::{NodeEvent, Stamped};
use peerlearn::learner::Evaluation;
use peerlearn_protocols::id::{PeerId, TaskId};

use super::*;

fn peer(name: &str, attack: Option<&str>) -> PeerRow {
    let attack = attack.map(str::to_owned);
    PeerRow { peer: "ab".repeat(32), name: name.into(), group: "g".into(), attack, rows: 30, classes: vec![10, 0, 20] }
}

fn round(t_ms: u64, name: &str, round: u64, test: Option<f64>) -> RoundRow {
    let name = name.into();
    RoundRow { t_ms, name, round, drawn: 4, mixed: 3, test_accuracy: test, bytes_in: 10 * round, ..RoundRow::default() }
}

fn fault(t_ms: u64, kind: &str, name: &str) -> FaultRow {
    FaultRow { t_ms, kind: kind.into(), names: vec![name.into()], words: format!("{kind}s,\n\"{name}\"") }
}

fn info() -> RunInfo {
    RunInfo { name: "small".into(), seeds: vec![3, 4], machine: Machine::here(), ..RunInfo::default() }
}

/// Writes one seed with every kind of row.
fn write(writer: &RunWriter, seed: u64) -> SeedWriter {
    let mut seed = writer.seed(seed).unwrap();
    seed.peer(peer("ant", None)).unwrap();
    seed.peer(peer("bat", None)).unwrap();
    seed.peer(peer("eve", Some("sign flip"))).unwrap();
    seed.link(LinkRow { t_ms: 5, name: "ant".into(), other: "bat".into(), up: true }).unwrap();
    seed.mix(MixRow { t_ms: 9, name: "ant".into(), round: 0, from: "bat".into(), bytes: 100, ms: 2 }).unwrap();
    seed.round(round(10, "ant", 1, Some(0.5))).unwrap();
    seed.round(round(11, "bat", 2, Some(0.9))).unwrap();
    seed.round(round(12, "eve", 9, Some(0.1))).unwrap();
    seed.fault(fault(20, "crash", "ant")).unwrap();
    let sample = NetworkRow { disagreement: Some(0.25), rss_mb: Some(9.0), ..seed.standings().network(25) };
    seed.network(sample).unwrap();
    seed
}

#[test]
fn what_is_written_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let writer = RunWriter::create(folder.path(), &info(), "peers = 3\n").unwrap();
    let outcomes = [3, 4].map(|number| {
        let seed = write(&writer, number);
        let outcome = seed.standings().outcome(true, "all rounds closed");
        seed.finish(&outcome).unwrap();
        outcome
    });
    let whole = RunOutcome::new(&outcomes, Vec::new());
    writer.finish(&whole).unwrap();
    let run = read_run(folder.path()).unwrap();
    assert!(!run.is_cut());
    assert_eq!((&run.info, run.scenario.as_str(), &run.outcome), (&info(), "peers = 3\n", &Some(whole)));
    let seed = &run.seeds[1];
    assert_eq!((seed.seed, seed.peers.len(), seed.rounds.len()), (4, 3, 3));
    assert_eq!(seed.peers[2], peer("eve", Some("sign flip")));
    assert_eq!(seed.rounds[0], round(10, "ant", 1, Some(0.5)));
    assert_eq!(seed.faults[0].words, "crashs, \"ant\"");
    assert!(seed.links[0].up && seed.mixes[0].from == "bat");
    assert_eq!(seed.network[0].disagreement, Some(0.25));
    assert_eq!(seed.outcome(), outcomes[1]);
}

#[test]
fn a_cut_run_is_read_up_to_its_last_whole_line() {
    let folder = tempfile::tempdir().unwrap();
    let writer = RunWriter::create(folder.path(), &info(), "").unwrap();
    drop(write(&writer, 3));
    let table = folder.path().join("seed-3/rounds.csv");
    let text = std::fs::read_to_string(&table).unwrap();
    for length in 0..text.len() {
        std::fs::write(&table, &text[..length]).unwrap();
        let run = read_run(folder.path()).unwrap();
        let lines = text[..length].matches('\n').count();
        assert_eq!(run.seeds[0].rounds.len(), lines.saturating_sub(1), "cut at byte {length}");
        assert!(run.is_cut() && run.outcome.is_none() && !run.seeds[0].outcome().finished);
    }
}

#[test]
fn a_growing_run_is_followed() {
    let folder = tempfile::tempdir().unwrap();
    let writer = RunWriter::create(folder.path(), &info(), "").unwrap();
    let mut run = read_run(folder.path()).unwrap();
    assert!(run.seeds.is_empty());
    let mut seed = write(&writer, 3);
    run.refresh().unwrap();
    assert_eq!(run.seeds[0].rounds.len(), 3);
    seed.round(round(30, "bat", 3, None)).unwrap();
    run.refresh().unwrap();
    run.refresh().unwrap();
    assert_eq!(run.seeds[0].rounds.len(), 4);
}

#[test]
fn a_wrong_line_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let writer = RunWriter::create(folder.path(), &info(), "").unwrap();
    drop(write(&writer, 3));
    let table = folder.path().join("seed-3/mixes.csv");
    let good = std::fs::read_to_string(&table).unwrap();
    for (line, words) in [("1,ant,0,bat,many,2\n", "invalid digit"), ("1,ant\n", "2 columns, the header has 6")] {
        std::fs::write(&table, format!("{good}{line}")).unwrap();
        let error = read_run(folder.path()).unwrap_err().to_string();
        assert!(error.contains("mixes.csv, line 3: ") && error.contains(words), "{error}");
    }
    std::fs::write(folder.path().join("run.json"), "{\n\"name\": 3}").unwrap();
    let error = read_run(folder.path()).unwrap_err().to_string();
    assert!(error.contains("run.json, line 2"), "{error}");
    assert!(matches!(read_run(&folder.path().join("seed-3")), Err(RecordError::NoRun { .. })));
}

#[test]
fn only_an_earlier_run_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("thesis.txt"), "years of work").unwrap();
    assert!(matches!(RunWriter::create(folder.path(), &info(), ""), Err(RecordError::NotEmpty { .. })));
    let below = folder.path().join("run");
    drop(write(&RunWriter::create(&below, &info(), "").unwrap(), 3));
    std::fs::write(below.join("notes.txt"), "mine").unwrap();
    RunWriter::create(&below, &info(), "").unwrap();
    assert!(!below.join("seed-3").exists() && below.join("notes.txt").exists());
}

#[test]
fn attackers_and_the_dead_do_not_count() {
    let mut standings = Standings::default();
    for index in 0..20 {
        standings.take(&Row::Peer(peer(&format!("p{index}"), None)));
        standings.take(&Row::Round(round(index, &format!("p{index}"), index + 1, Some(index as f64 / 20.0))));
    }
    standings.take(&Row::Peer(peer("eve", Some("noise"))));
    standings.take(&Row::Round(round(50, "eve", 1, Some(0.0))));
    standings.take(&Row::Fault(fault(60, "crash", "p0")));
    standings.take(&Row::Fault(fault(61, "crash", "p1")));
    standings.take(&Row::Fault(fault(70, "restart", "p1")));
    let outcome = standings.outcome(true, "done");
    assert_eq!((outcome.worst, outcome.best, outcome.rounds_min), (0.05, 0.95, 2));
    // 19 count, so the worst tenth is two: 0.05 and 0.10.
    assert!((outcome.worst_tenth - 0.075).abs() < 1e-12);
    assert!((outcome.mean - 0.5).abs() < 1e-12);
    assert_eq!(standings.network(80).up, 20);
    assert_eq!(outcome.seconds, 0.07);
}

#[test]
fn nobody_and_nothing_measured_give_zeros() {
    assert_eq!(Standings::default().outcome(false, "cut").worst, 0.0);
    let mut standings = Standings::default();
    standings.take(&Row::Peer(peer("ant", None)));
    standings.take(&Row::Round(round(1, "ant", 1, Some(f64::NAN))));
    let outcome = standings.outcome(false, "cut");
    assert_eq!((outcome.worst, outcome.mean, outcome.worst_tenth), (0.0, 0.0, 0.0));
    assert_eq!(RunOutcome::new(&[], Vec::new()).worst, [0.0, 0.0]);
}

#[test]
fn events_become_rows_and_counters_survive_restarts() {
    let (ant, bat) = (PeerId([1; 32]), PeerId([2; 32]));
    let mut fold = EventFold::new(BTreeMap::from([(ant, "ant".to_owned())]));
    let mut rows = |event| fold.rows(7, &Stamped { at_ms: 1, node: ant, event });
    let closed = |round, bytes_in| NodeEvent::RoundClosed {
        round,
        drawn: 2,
        mixed: 1,
        refused: 0,
        age: 5,
        own: None,
        test: Some(Box::new(Evaluation { balanced: Some(0.5), ..Evaluation::new(0.1, 0.9, 10) })),
        bytes_in,
        bytes_out: 1,
        cpu: Duration::from_millis(250),
    };
    assert!(rows(NodeEvent::Started { task: TaskId([0; 32]), round: 0 }).is_empty());
    let connected = rows(NodeEvent::PeerConnected { peer: bat, dialled: true });
    assert_eq!(connected, [Row::Link(LinkRow { t_ms: 7, name: "ant".into(), other: bat.short(), up: true })]);
    let [Row::Round(first)] = &rows(closed(1, 100))[..] else { panic!("no round") };
    assert_eq!((first.bytes_in, first.test_accuracy, first.cpu_s), (100, Some(0.9), 0.25));
    assert_eq!((first.test_balanced, first.own_balanced), (Some(0.5), None));
    let pulled = rows(NodeEvent::Pulled { peer: bat, bytes: 9, wall: Duration::from_millis(3) });
    assert!(matches!(&pulled[..], [Row::Mix(MixRow { round: 2, bytes: 9, ms: 3, .. })]));
    rows(NodeEvent::Started { task: TaskId([0; 32]), round: 1 });
    let [Row::Round(second)] = &rows(closed(2, 40))[..] else { panic!("no round") };
    assert_eq!((second.bytes_in, second.bytes_out, second.cpu_s), (140, 2, 0.5));
    assert!(rows(NodeEvent::Stopping).is_empty());
}

#[test]
fn balanced_accuracy_is_that_of_the_rows_of_the_accuracy() {
    let mut standings = Standings::default();
    for (name, attack) in [("ant", None), ("bat", None), ("eve", Some("sign flip"))] {
        standings.take(&Row::Peer(peer(name, attack)));
    }
    let closed = |name: &str, test_balanced, own_balanced| {
        let row = RoundRow { own_accuracy: Some(0.9), own_balanced, test_balanced, ..round(1, name, 1, Some(0.99)) };
        Row::Round(row)
    };
    standings.take(&closed("ant", Some(0.5), Some(0.75)));
    standings.take(&closed("eve", Some(0.1), None));
    assert_eq!(standings.outcome(true, "").balanced, Some([0.5; 3]), "an attacker does not count");
    standings.take(&closed("bat", None, Some(0.75)));
    let cut = standings.outcome(true, "");
    assert_eq!(cut.balanced, None, "one of two has an accuracy only, as in records of earlier versions");
    standings.take(&closed("bat", Some(1.0), None));
    let whole = standings.outcome(true, "");
    assert_eq!((whole.balanced, whole.peers[1].balanced), (Some([0.5, 0.75, 1.0]), Some(1.0)));
    let over = RunOutcome::new(&[whole.clone(), whole.clone()], Vec::new());
    assert_eq!(over.balanced, Some([[0.5, 0.0], [0.75, 0.0], [1.0, 0.0]]));
    assert_eq!(RunOutcome::new(&[whole, cut], Vec::new()).balanced, None);
}

/// Rounds as versions wrote them that knew of accuracy only.
#[test]
fn rounds_without_the_newer_columns_still_read() {
    let folder = tempfile::tempdir().unwrap();
    let writer = RunWriter::create(folder.path(), &info(), "").unwrap();
    drop(write(&writer, 3));
    let path = folder.path().join("seed-3/rounds.csv");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.lines().next().unwrap().ends_with(",cpu_s,own_balanced,test_balanced"), "{text}");
    let cut: Vec<&str> = text.lines().map(|line| line.rsplitn(3, ',').last().unwrap()).collect();
    std::fs::write(&path, cut.join("\n") + "\n").unwrap();
    let run = read_run(folder.path()).unwrap();
    let rounds = &run.seeds[0].rounds;
    assert_eq!((rounds.len(), rounds[0].test_accuracy, rounds[0].test_balanced), (3, Some(0.5), None));
}

#[test]
fn moments_are_written_in_utc() {
    for (seconds, text) in [
        (0, "1970-01-01T00:00:00Z"),
        (951_827_696, "2000-02-29T12:34:56Z"),
        (1_709_251_199, "2024-02-29T23:59:59Z"),
        (4_107_542_400, "2100-03-01T00:00:00Z"),
    ] {
        assert_eq!(utc(UNIX_EPOCH + Duration::from_secs(seconds)), text);
    }
}
