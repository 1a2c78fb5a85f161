//! The shim: finds or starts the daemon, passes on what is said, and outlives a daemon that goes.

use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use open_think::daemon::Record;
use serde_json::{Value, json};
use tokio::net::{TcpListener, UnixListener};

use crate::background::pid;
use crate::home::Home;
use crate::wire::{Framing, Wire};

async fn status(wire: &mut Wire) -> Value {
    wire.ask("daemon.status", json!({})).await.expect("a status")
}

fn record(home: &Home) -> Record {
    Record::read(&home.address()).expect("a daemon's record")
}

#[tokio::test]
async fn the_first_starts_the_daemon_and_the_next_shares_it() {
    let home = Home::new();
    let mut first = home.shim(Framing::Headers);
    let daemon = status(&mut first).await["pid"].clone();
    let mut second = home.shim(Framing::Lines);
    let status_of_second = status(&mut second).await;
    assert_eq!((&status_of_second["pid"], &status_of_second["clients"]), (&daemon, &json!(2)));
    assert_eq!(json!(record(&home).pid), daemon);
    for wire in [first, second] {
        let (status, said) = wire.exit().await;
        assert_eq!((status.code(), said.as_str()), (Some(0), ""));
    }
    let mut third = home.shim(Framing::Lines);
    assert_eq!(status(&mut third).await["pid"], daemon, "it lives on without clients");
}

#[tokio::test]
async fn a_daemon_in_the_background_belongs_to_nobody_and_keeps_nothing_open() {
    let home = Home::new();
    let mut wire = home.shim(Framing::Lines);
    let daemon = status(&mut wire).await["pid"].as_u64().expect("a process");
    let proc = |file: &str| format!("/proc/{daemon}/{file}");
    let Ok(stat) = std::fs::read_to_string(proc("stat")) else {
        return crate::skipped::skipped("the system has no /proc");
    };
    let fields: Vec<&str> = stat.rsplit(") ").next().expect("fields").split(' ').collect();
    let (parent, session) = (fields[1], fields[3]);
    assert_ne!(parent, std::process::id().to_string());
    assert_ne!(session, daemon.to_string(), "its session is the launcher's, which is gone");
    assert_eq!(std::fs::read_link(proc("cwd")).expect("a directory"), std::path::Path::new("/"));
    for descriptor in 0..3 {
        let target = std::fs::read_link(proc(&format!("fd/{descriptor}"))).expect("a descriptor");
        assert_eq!(target, std::path::Path::new("/dev/null"), "{descriptor}");
    }
}

#[tokio::test]
async fn a_client_outlives_its_daemon() {
    let home = Home::new();
    let mut wire = home.shim(Framing::Headers);
    wire.initialize(json!({})).await;
    wire.ask("conductor.subscribe", json!({"sessionName": "s"})).await.expect("a subscription");
    let before = record(&home);
    let nap = wire.send("skills.invoke", json!({"skill": "take-a-nap"})).await;
    while home.naps().is_empty() {
        status(&mut wire).await;
    }
    kill(pid(&before), Signal::SIGKILL).expect("it lives");
    let lost = wire.answer(nap).await.expect_err("its daemon is gone");
    assert_eq!((&lost["code"], &lost["data"]["retryable"]), (&json!(-32802), &json!(true)));
    // What outlives a kill of the daemon is cleaned up by nobody else.
    let _ = kill(nix::unistd::Pid::from_raw(home.naps()[0]), Signal::SIGKILL);

    assert_ne!(status(&mut wire).await["pid"], json!(before.pid));
    let again = wire.ask("initialize", json!({"capabilities": {}})).await.expect_err("it was said again by the shim");
    assert_eq!(again["code"], -32600);
    let mut other = home.shim(Framing::Lines);
    other.ask("conductor.message", json!({"sessionName": "s", "content": "hello"})).await.expect("a result");
    wire.until_event("loop-done").await;
    assert!(
        wire.seen.iter().all(|frame| frame.get("id").is_none()),
        "an answer that nobody asked for: {:?}",
        wire.seen
    );
    assert_eq!(wire.exit().await.0.code(), Some(0));
}

#[tokio::test]
async fn a_daemon_that_was_stopped_stays_away_until_its_client_needs_one() {
    let home = Home::new();
    let mut wire = home.shim(Framing::Headers);
    wire.initialize(json!({})).await;
    let stop = || async {
        let output = home.command().arg("stop").output().await.expect("it ends");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    for _ in 0..6 {
        let before = status(&mut wire).await["pid"].clone();
        let said = stop().await;
        assert!(said.contains(&format!("process {before}")), "{said}");
        assert!(stop().await.contains("No daemon runs"));
        assert_ne!(status(&mut wire).await["pid"], before);
    }
    // Nor is one started for a client that takes its leave.
    let mut leaving = home.shim(Framing::Lines);
    status(&mut leaving).await;
    stop().await;
    assert_eq!(leaving.ask("shutdown", json!({})).await, Ok(Value::Null));
    leaving.notify("exit", json!({})).await;
    assert_eq!(leaving.exit().await.0.code(), Some(0));
    assert!(stop().await.contains("No daemon runs"));
    // One that others need is gone to, for what is watched.
    wire.ask("conductor.subscribe", json!({"sessionName": "s"})).await.expect("a subscription");
    stop().await;
    let mut other = home.shim(Framing::Lines);
    let message = json!({"sessionName": "s", "content": "hello"});
    other.ask("conductor.message", message).await.expect("a result");
    wire.until_event("loop-done").await;
}

#[tokio::test]
async fn what_keeps_the_daemon_from_starting_is_said() {
    let home = Home::with("modle_default = \"x\"\n");
    let (status, said) = home.shim(Framing::Lines).exit().await;
    assert_eq!(status.code(), Some(2), "{said}");
    assert!(said.contains("config.toml:1") && said.contains("model_default") && said.lines().count() <= 2, "{said}");

    let home = Home::new();
    home.address().prepare().expect("a directory");
    std::fs::create_dir(home.address().spawn_lock()).expect("a directory in the way");
    let (status, said) = home.shim(Framing::Lines).exit().await;
    std::fs::remove_dir(home.address().spawn_lock()).expect("it is there");
    assert_eq!(status.code(), Some(69), "{said}");
    assert!(said.contains("is no file and is left as it is") && said.lines().count() <= 2, "{said}");
}

#[tokio::test]
async fn a_client_that_listens_is_dialled() {
    let home = Home::new();
    let path = home.path().join("editor.sock");
    let (pipe, socket) =
        (UnixListener::bind(&path).expect("a socket"), TcpListener::bind("127.0.0.1:0").await.expect("a port"));
    let port = socket.local_addr().expect("an address").port();
    let dial = |flag: String| {
        let mut command = home.command();
        command.arg(flag).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("it starts")
    };
    let dialled = [dial(format!("--pipe={}", path.display())), dial(format!("--socket={port}"))];
    let (reader, writer) = pipe.accept().await.expect("it connects").0.into_split();
    let by_pipe = Wire::new(Box::new(reader), Box::new(writer), Framing::Headers);
    let (reader, writer) = socket.accept().await.expect("it connects").0.into_split();
    let by_socket = Wire::new(Box::new(reader), Box::new(writer), Framing::Headers);
    for (mut wire, process) in [by_pipe, by_socket].into_iter().zip(dialled) {
        wire.initialize(json!({})).await;
        assert_eq!(status(&mut wire).await["pid"], json!(record(&home).pid));
        wire.ask("shutdown", json!({})).await.expect("an answer");
        wire.notify("exit", json!({})).await;
        assert_eq!(wire.read().await, None);
        let output = tokio::time::timeout(Duration::from_secs(20), process.wait_with_output()).await.expect("it ends");
        let output = output.expect("it can be waited for");
        assert_eq!((output.status.code(), output.stdout.len(), output.stderr.len()), (Some(0), 0, 0));
    }
}
