//! Programs of different age: a newer client and an older daemon, idle, at work, or not to be understood.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use open_think::daemon::Record;
use serde_json::{Value, json};
use tokio::net::{UnixListener, UnixStream};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::home::{Home, PROGRAM};
use crate::wire::{Framing, Wire};

const PATIENCE: Duration = Duration::from_secs(20);

/// The same program, built earlier.
fn older(home: &Home) -> PathBuf {
    let path = home.path().join("older");
    std::fs::copy(PROGRAM, &path).expect("a copy");
    let written = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    std::fs::File::options().append(true).open(&path).and_then(|file| file.set_modified(written)).expect("it is ours");
    path
}

async fn serve(home: &Home, program: PathBuf) -> Child {
    let mut command = Command::new(program);
    command.arg("serve").envs(home.environment()).kill_on_drop(true);
    let process = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    while Record::read(&home.address()).is_none() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    process
}

async fn status(wire: &mut Wire) -> Value {
    wire.ask("daemon.status", json!({})).await.expect("a status")
}

#[tokio::test]
async fn a_newer_client_works_with_an_older_daemon_that_is_busy_and_replaces_it_when_it_is_idle() {
    let home = Home::new();
    let old = serve(&home, older(&home)).await;
    let mut wire = home.connect(Framing::Lines).await;
    let nap = json!({"sessionName": "s", "mode": "auto", "content": "call take-a-nap {}"});
    let nap = wire.send("conductor.message", nap).await;
    while home.naps().is_empty() {
        status(&mut wire).await;
    }
    let mut beside = home.shim(Framing::Headers);
    let seen = status(&mut beside).await;
    assert_eq!((&seen["pid"], &seen["clients"]), (&json!(old.id()), &json!(2)));
    assert!(seen["build"].as_str().is_some_and(|build| build.starts_with("1000000000.")), "{seen}");
    // It can even end what another client has begun there.
    beside.ask("conductor.interrupt", json!({"sessionName": "s"})).await.expect("an answer");
    assert_eq!(wire.answer(nap).await.expect("a result")["stopReason"], "cancelled");
    assert_eq!(beside.exit().await.0.code(), Some(0));

    // Somebody is still connected.
    let mut beside = home.shim(Framing::Lines);
    assert_eq!(status(&mut beside).await["pid"], json!(old.id()));
    assert_eq!(beside.exit().await.0.code(), Some(0));
    drop(wire);
    let mut next = replaced(&home, &old).await;
    let seen = status(&mut next).await;
    assert_eq!(Record::read(&home.address()).map(|record| json!(record.pid)), Some(seen["pid"].clone()));
    assert_eq!(seen["clients"], 1);
    let output = timeout(PATIENCE, old.wait_with_output()).await.expect("it makes way").expect("a status");
    assert_eq!(output.status.code(), Some(0));
    // What the older one had written down is there.
    let sessions = next.ask("sessions.list", json!({})).await.expect("sessions").to_string();
    assert!(sessions.contains("\"s\""), "{sessions}");
}

/// A client that has just left may still count for a moment.
async fn replaced(home: &Home, old: &Child) -> Wire {
    let replaced = async {
        loop {
            let mut wire = home.shim(Framing::Lines);
            if status(&mut wire).await["pid"] != json!(old.id()) {
                return wire;
            }
            wire.exit().await;
        }
    };
    timeout(PATIENCE, replaced).await.expect("it makes way in time")
}

/// A daemon that only says who it is.
async fn introduce(stream: UnixStream, hello: &Value) {
    let (reader, writer) = stream.into_split();
    let mut wire = Wire::new(Box::new(reader), Box::new(writer), Framing::Headers);
    while let Some(text) = wire.read_text().await {
        let frame: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(frame["method"], "daemon.hello", "nothing is asked of one that is not understood");
        let answer = json!({"jsonrpc": "2.0", "id": frame["id"], "result": hello});
        wire.write(&answer.to_string()).await;
    }
}

#[tokio::test]
async fn one_that_speaks_another_protocol_is_left_alone_and_the_way_out_is_said() {
    for (version, protocol, way_out) in
        [("0.0.1", "0.9", "wait until it is done"), ("99.0.0", "99.0", "update this program")]
    {
        let home = Home::new();
        home.address().prepare().expect("a directory");
        let listener = UnixListener::bind(home.address().socket()).expect("a socket");
        let hello = json!({
            "version": version, "build": "1.1", "protocolVersion": protocol, "pid": 7, "startedAt": 1, "idle": false,
            "frameBytes": 1024, "headerBytes": 1024,
        });
        let daemon = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.expect("it connects");
            introduce(stream, &hello).await;
        });
        let (status, said) = home.shim(Framing::Lines).exit().await;
        assert_eq!(status.code(), Some(69), "{said}");
        assert!(said.contains(way_out) && said.contains(protocol), "{said}");
        timeout(PATIENCE, daemon).await.expect("it is hung up on").expect("no panic");
        assert!(!home.address().record().exists(), "none was started beside it");
    }
}
