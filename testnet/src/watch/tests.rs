//! Files of events grow, break and lie; a served page stays readable.

use std::io::Write;
use std::time::Duration;

use peerlearn::event::{NodeEvent, Stamped};
use peerlearn::learner::Evaluation;
use peerlearn_protocols::id::{PeerId, TaskId};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::record::{RunInfo, RunWriter};

fn line(node: u8, at_ms: u64, event: NodeEvent) -> String {
    serde_json::to_string(&Stamped { at_ms, node: PeerId([node; 32]), event }).unwrap() + "\n"
}

fn started(node: u8, at_ms: u64) -> String {
    line(node, at_ms, NodeEvent::Started { task: TaskId([0; 32]), round: 0 })
}

fn closed(node: u8, at_ms: u64, round: u64) -> String {
    let test = Some(Box::new(Evaluation::new(0.1, 0.5, 10)));
    let (drawn, mixed, refused, age, own) = (1, 1, 0, 1, None);
    let (bytes_in, bytes_out, cpu) = (100 * round, 100 * round, Duration::from_millis(round));
    line(node, at_ms, NodeEvent::RoundClosed { round, drawn, mixed, refused, age, own, test, bytes_in, bytes_out, cpu })
}

fn append(folder: &Path, name: &str, text: &str) {
    let file = std::fs::OpenOptions::new().create(true).append(true).open(folder.join(name));
    file.unwrap().write_all(text.as_bytes()).unwrap();
}

fn scan(events: &mut EventsDirectory) {
    events.scan(SystemTime::now()).unwrap();
}

#[test]
fn files_appear_grow_and_carry_half_lines() {
    let folder = tempfile::tempdir().unwrap();
    let mut events = EventsDirectory::new(folder.path());
    scan(&mut events);
    assert!(events.run().seeds[0].peers.is_empty());
    append(folder.path(), "ant.jsonl", &(started(1, 0) + &closed(1, 10, 1)));
    let half = closed(2, 20, 1);
    append(folder.path(), "bat.jsonl", &(started(2, 0) + &half[..30]));
    append(folder.path(), "notes.txt", "not mine");
    scan(&mut events);
    let seed = &events.run().seeds[0];
    assert_eq!(seed.peers.iter().map(|peer| peer.name.as_str()).collect::<Vec<_>>(), ["ant", "bat"]);
    assert_eq!(seed.rounds.len(), 1);
    append(folder.path(), "bat.jsonl", &half[30..]);
    scan(&mut events);
    let seed = &events.run().seeds[0];
    assert_eq!((seed.rounds.len(), seed.rounds[1].name.as_str()), (2, "bat"));
    assert_eq!(seed.rounds[1].test_accuracy, Some(0.5));
}

#[test]
fn a_file_is_replaced_cut_and_removed_without_losing_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let mut events = EventsDirectory::new(folder.path());
    append(folder.path(), "ant.jsonl", &(started(1, 0) + &closed(1, 10, 1)));
    scan(&mut events);
    append(folder.path(), "ant.jsonl", &closed(1, 20, 2));
    std::fs::rename(folder.path().join("ant.jsonl"), folder.path().join("ant.jsonl.1")).unwrap();
    append(folder.path(), "ant.jsonl", &closed(1, 30, 3));
    scan(&mut events);
    assert_eq!(events.run().seeds[0].rounds.iter().map(|row| row.round).collect::<Vec<_>>(), [1, 2, 3]);
    std::fs::write(folder.path().join("ant.jsonl"), "").unwrap();
    scan(&mut events);
    append(folder.path(), "ant.jsonl", &closed(1, 40, 4));
    scan(&mut events);
    std::fs::remove_file(folder.path().join("ant.jsonl")).unwrap();
    scan(&mut events);
    assert_eq!(events.run().seeds[0].rounds.len(), 4);
}

#[test]
fn rubbish_is_skipped_and_nobody_speaks_for_another() {
    let folder = tempfile::tempdir().unwrap();
    let mut events = EventsDirectory::new(folder.path());
    append(folder.path(), "ant.jsonl", &(started(1, 0) + "{\"at_ms\":\n\u{0}\u{1}<script>\n[]\n" + &closed(1, 10, 1)));
    append(folder.path(), "ant.jsonl", &("x".repeat(100_000) + "\n" + &closed(1, 11, 2)));
    scan(&mut events);
    append(folder.path(), "eve.jsonl", &(started(9, 0) + &closed(1, 12, 99) + &closed(9, u64::MAX, 1)));
    (10..40).for_each(|node| append(folder.path(), "eve.jsonl", &started(node, 0)));
    std::os::unix::fs::symlink("/dev/zero", folder.path().join("zero.jsonl")).unwrap();
    scan(&mut events);
    let seed = &events.run().seeds[0];
    assert_eq!(
        seed.rounds.iter().map(|row| (&row.name[..], row.round)).collect::<Vec<_>>(),
        [("ant", 1), ("ant", 2), ("eve", 1)]
    );
    assert_eq!(seed.peers.len(), 2);
    assert!(seed.outcome().seconds < 3600.0, "{}", seed.outcome().seconds);
}

#[test]
fn stops_and_restarts_are_marked_and_counters_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut events = EventsDirectory::new(folder.path());
    let life = started(1, 0) + &closed(1, 10, 1) + &line(1, 20, NodeEvent::Stopping);
    append(folder.path(), "ant-1.jsonl", &life);
    scan(&mut events);
    assert_eq!(events.run().seeds[0].network.last().map(|row| row.up), Some(1));
    append(folder.path(), "ant-1.jsonl", &(started(1, 0) + &closed(1, 10, 2)));
    scan(&mut events);
    let seed = &events.run().seeds[0];
    let words: Vec<&str> = seed.faults.iter().map(|fault| fault.words.as_str()).collect();
    assert_eq!(words, ["ant-1 stopped", "ant-1 started again"]);
    assert_eq!(seed.rounds[1].bytes_in, 300);
    assert_eq!(seed.peers[0].group, "ant");
}

#[tokio::test]
async fn a_page_and_its_data_are_served_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let info = RunInfo { name: "<b>bold</b>".into(), seeds: vec![0], ..RunInfo::default() };
    let writer = RunWriter::create(folder.path(), &info, "").unwrap();
    drop(writer.seed(0).unwrap());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(serve(Source::run(folder.path()).unwrap(), listener));
    let ask = |request: &'static str| async move {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let request = format!("{request} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    let page = ask("GET /").await;
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("\"live\":true") && !page.contains("<b>bold"));
    let data = ask("GET /data.json").await;
    assert!(data.contains("application/json") && data.contains("<b>bold</b>"));
    assert!(ask("POST /data.json").await.starts_with("HTTP/1.1 405"));
    assert!(ask("GET /../etc/passwd").await.starts_with("HTTP/1.1 404"));
    server.abort();
}
