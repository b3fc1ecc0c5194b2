use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;

use serde_json::{Value, json};

use super::*;

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
