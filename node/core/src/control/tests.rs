use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};

use super::clients::{Clients, GRACE};
use super::*;

/// Tells the test process that is to serve, where.
const SERVE_IN: &str = "PEERLEARN_TEST_SERVE_IN";

struct Echo;

impl Answerer for Echo {
    async fn answer(&self, ask: ControlRequest) -> Result<Value, String> {
        match ask {
            ControlRequest::Stop {} => Err("no".to_owned()),
            ask => Ok(json!(ask)),
        }
    }
}

/// Sends bytes, closes the sending side, and reads all that comes back.
async fn raw(home: &std::path::Path, bytes: Vec<u8>) -> String {
    let path = home.join(SOCKET);
    tokio::task::spawn_blocking(move || {
        let mut stream = UnixStream::connect(path).unwrap();
        // The server may have answered and closed before everything is sent.
        let _ = stream.write_all(&bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8(answer).unwrap()
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn requests_are_answered_or_refused_in_words() {
    let home = tempfile::tempdir().unwrap();
    let server = ControlServer::open(home.path(), Echo).unwrap();
    let mode = std::fs::metadata(home.path().join(SOCKET)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(ask(home.path(), &ControlRequest::Status {}).await.unwrap(), json!({ "ask": "status" }));
    let error = ask(home.path(), &ControlRequest::Stop {}).await.unwrap_err();
    assert!(matches!(&error, ControlError::Refused { message } if message == "no"), "{error}");
    drop(server);
    let error = ask(home.path(), &ControlRequest::Status {}).await.unwrap_err();
    assert!(matches!(error, ControlError::NotRunning { .. }), "{error}");
    assert!(error.to_string().contains("peerlearn run"));
}

#[tokio::test]
async fn garbage_is_answered_with_an_error_and_the_next_client_is_served() {
    let home = tempfile::tempdir().unwrap();
    let _server = ControlServer::open(home.path(), Echo).unwrap();
    let garbage: Vec<Vec<u8>> = vec![
        b"hello\n".to_vec(),
        b"{\"ask\":\"destroy\"}\n".to_vec(),
        b"{\"ask\":\"status\",\"and\":1}\n".to_vec(),
        vec![0xff, 0xfe, 0x00, b'\n'],
        b"{\"ask\":".to_vec(),
        vec![b'['; 60_000],
        vec![b'x'; 200_000],
    ];
    for bytes in garbage {
        let answer = raw(home.path(), bytes.clone()).await;
        let answer: Value = serde_json::from_str(answer.lines().next().unwrap_or("null")).unwrap();
        assert!(answer["error"].is_string(), "{answer} to {} bytes", bytes.len());
    }
    assert_eq!(raw(home.path(), Vec::new()).await, "");
    let two = raw(home.path(), b"{\"ask\":\"status\"}\n{\"ask\":\"ticket\"}\n".to_vec()).await;
    assert_eq!(two.lines().count(), 2);
    let all = futures::future::join_all((0..100).map(|_| ask(home.path(), &ControlRequest::Status {}))).await;
    assert!(all.iter().all(Result::is_ok));
}

#[tokio::test]
async fn the_socket_of_a_dead_node_is_replaced() {
    let home = tempfile::tempdir().unwrap();
    drop(std::os::unix::net::UnixListener::bind(home.path().join(SOCKET)).unwrap());
    assert!(matches!(ask(home.path(), &ControlRequest::Status {}).await, Err(ControlError::NotRunning { .. })));
    let _server = ControlServer::open(home.path(), Echo).unwrap();
    assert!(ask(home.path(), &ControlRequest::Ticket {}).await.is_ok());
}

/// Connections that ask nothing, over the system's own calls.
fn silent(home: &std::path::Path, count: usize) -> Vec<UnixStream> {
    (0..count).map(|_| UnixStream::connect(home.join(SOCKET)).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_silent_clients_do_not_keep_out_one_that_asks() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    let home = tempfile::tempdir().unwrap();
    let _server = ControlServer::open(home.path(), Echo).unwrap();
    let path = home.path().to_owned();
    let silent = tokio::task::spawn_blocking(move || silent(&path, 1000)).await.unwrap();
    for _ in 0..3 {
        assert_eq!(ask(home.path(), &ControlRequest::Status {}).await.unwrap(), json!({ "ask": "status" }));
    }
    drop(silent);
}

#[tokio::test]
async fn who_is_silent_longest_makes_room_and_who_is_being_answered_does_not() {
    let clients = Arc::new(Clients::with_places(3));
    let (ended, mut ends) = tokio::sync::mpsc::channel(8);
    for name in 0..3 {
        clients.make_room().await;
        let ended = ended.clone();
        clients.seat(|seat| async move {
            // The first is being answered, so that the second has been silent longest.
            seat.is_answered(name == 0);
            // Told when the task is dropped.
            let _end = TellEnd(name, ended);
            std::future::pending::<()>().await;
        });
        tokio::time::sleep(GRACE / 5).await;
    }
    clients.make_room().await;
    assert_eq!(ends.recv().await, Some(1));
    clients.close_all();
    let rest = [ends.recv().await, ends.recv().await];
    assert!(rest.contains(&Some(0)) && rest.contains(&Some(2)), "{rest:?}");
}

struct TellEnd(usize, tokio::sync::mpsc::Sender<usize>);

impl Drop for TellEnd {
    fn drop(&mut self) {
        let _ = self.1.try_send(self.0);
    }
}

/// Not a test of its own: the process that the next test starts. Serves with hardly any descriptors, of which all are taken.
#[test]
#[ignore = "run by another test"]
fn serves_without_descriptors() {
    let Some(home) = std::env::var_os(SERVE_IN) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(32), ..limit }).unwrap();
    let _in_runtime = runtime.enter();
    let _server = ControlServer::open(home.as_ref(), Echo).unwrap();
    assert!(runtime.block_on(ask(home.as_ref(), &ControlRequest::Status {})).is_ok());
    let taken: Vec<std::fs::File> = (0..64).map_while(|_| std::fs::File::open("/dev/null").ok()).collect();
    assert!(taken.len() < 32, "the limit holds");
    println!("\nserving");
    // Until the other end of the pipe is closed.
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}

#[tokio::test]
async fn a_node_out_of_descriptors_still_answers() {
    let home = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["control::tests::serves_without_descriptors", "--exact", "--ignored", "--nocapture"])
        .env(SERVE_IN, home.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line == "serving"));
    for round in 0..3 {
        let answer = ask(home.path(), &ControlRequest::Status {}).await;
        assert!(answer.is_ok(), "time {round}: {answer:?}");
    }
    let silent = silent(home.path(), 40);
    let answer = ask(home.path(), &ControlRequest::Status {}).await;
    assert!(answer.is_ok(), "beside silent ones: {answer:?}");
    drop((silent, child.stdin.take()));
    let rest: Vec<String> = lines.collect();
    assert!(child.wait().unwrap().success(), "{rest:?}");
}

#[tokio::test]
async fn a_home_whose_path_is_too_long_for_a_socket_is_served() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path().join("a-rather-long-name-".repeat(8)).join("home");
    std::fs::create_dir_all(&home).unwrap();
    let server = ControlServer::open(&home, Echo).unwrap();
    assert!(ask(&home, &ControlRequest::Status {}).await.is_ok());
    drop(server);
    assert!(!home.join(SOCKET).exists());
    assert!(matches!(ask(&home, &ControlRequest::Status {}).await, Err(ControlError::NotRunning { .. })));
}

#[tokio::test]
async fn a_node_that_ends_leaves_the_socket_of_the_next_one() {
    let home = tempfile::tempdir().unwrap();
    let first = ControlServer::open(home.path(), Echo).unwrap();
    let _second = ControlServer::open(home.path(), Echo).unwrap();
    drop(first);
    assert!(ask(home.path(), &ControlRequest::Status {}).await.is_ok());
}

#[tokio::test]
async fn half_a_request_is_given_up_soon() {
    let home = tempfile::tempdir().unwrap();
    let _server = ControlServer::open(home.path(), Echo).unwrap();
    let mut stream = UnixStream::connect(home.path().join(SOCKET)).unwrap();
    stream.write_all(b"{\"ask\":").unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let answer = tokio::task::spawn_blocking(move || {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map(|_| answer)
    });
    assert_eq!(answer.await.unwrap().unwrap(), "");
}
