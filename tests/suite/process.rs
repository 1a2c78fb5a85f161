//! The built program: how it ends, with what code, and when.

use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::time::timeout;

use crate::home::{Home, PROGRAM};
use crate::program::is_gone;
use crate::wire::{Framing, Wire};

const FRAMINGS: [Framing; 2] = [Framing::Lines, Framing::Headers];

/// The daemon may be in this process, and must get to end them.
async fn check_dead(home: &Home) {
    for nap in home.naps() {
        let gone = async {
            while !is_gone(nap) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(Duration::from_secs(20), gone).await.expect("a skill outlived the program");
    }
}

async fn code(wire: Wire) -> Option<i32> {
    let (status, said) = wire.exit().await;
    assert_eq!(said, "", "an editor shows standard error as an error");
    status.code()
}

/// The program by itself, or before a daemon.
fn one(home: &Home, framing: Framing, shared: bool) -> Wire {
    if shared { home.shim(framing) } else { home.spawn(framing) }
}

#[tokio::test]
async fn exit_after_shutdown_ends_well_and_exit_alone_does_not() {
    for framing in FRAMINGS {
        for (shutdown, expected, shared) in [(true, 0, false), (false, 1, false), (true, 0, true), (false, 1, true)] {
            let home = Home::new();
            let mut wire = one(&home, framing, shared);
            wire.initialize(json!({})).await;
            if shutdown {
                assert_eq!(wire.ask("shutdown", json!({})).await, Ok(Value::Null));
            }
            wire.notify("exit", json!({})).await;
            // Its input stays open meanwhile.
            assert_eq!(wire.read().await, None);
            assert_eq!(code(wire).await, Some(expected), "shutdown {shutdown}, shared {shared}");
        }
    }
}

#[tokio::test]
async fn the_end_of_input_ends_well_with_all_answers_given() {
    for shared in [false, true] {
        check_end_of_input(shared).await;
    }
}

async fn check_end_of_input(shared: bool) {
    let home = Home::new();
    let mut wire = one(&home, Framing::Lines, shared);
    let mut nap = json!({"mode": "auto", "content": "call take-a-nap {}", "stream": true});
    wire.send("conductor.message", nap.take()).await;
    wire.until_event("turn-stop").await;
    wire.send("skills.invoke", json!({"skill": "read-note", "input": {"name": "quince"}})).await;
    wire.send("sessions.list", json!({})).await;
    let frames = wire.rest().await;
    let of = |id: u64| {
        let answers = frames.iter().filter(|frame| frame["id"] == id).collect::<Vec<_>>();
        assert_eq!(answers.len(), 1, "{frames:?}");
        answers[0].clone()
    };
    assert_eq!(of(1)["error"]["code"], -32802);
    assert_eq!(of(1)["error"]["data"]["code"], "E_SHUTTING_DOWN");
    assert_eq!(of(2)["result"]["data"], json!({"name": "quince"}));
    assert!(of(3)["result"]["sessions"].is_array());
    assert_eq!(code(wire).await, Some(0));
    check_dead(&home).await;
}

#[tokio::test]
async fn a_signal_ends_it_well_with_all_answers_given_and_all_skills_dead() {
    let signals = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP];
    for (signal, shared) in signals.into_iter().flat_map(|signal| [(signal, false), (signal, true)]) {
        let home = Home::new();
        let mut wire = one(&home, Framing::Lines, shared);
        let turn = wire.send("conductor.message", json!({"mode": "auto", "content": "call take-a-nap {}"})).await;
        let skill = wire.send("skills.invoke", json!({"skill": "take-a-nap"})).await;
        while home.naps().len() < 2 {
            wire.ask("daemon.status", json!({})).await.expect("a status");
        }
        wire.signal(signal);
        for id in [turn, skill] {
            assert_eq!(wire.answer(id).await.expect_err("it ends")["code"], -32802, "{signal}");
        }
        // Its input stays open meanwhile.
        assert_eq!(wire.read().await, None);
        assert_eq!(code(wire).await, Some(0), "{signal}");
        check_dead(&home).await;
    }
}

#[tokio::test]
async fn no_input_at_all_ends_well() {
    for shared in [false, true] {
        let home = Home::new();
        let wire = one(&home, Framing::Lines, shared);
        assert_eq!(code(wire).await, Some(0));
    }
}

#[tokio::test]
async fn a_client_that_closes_its_ear_is_gone() {
    let home = Home::new();
    let mut program = home.alone();
    let mut process =
        program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    drop(process.stdout.take());
    let mut stdin = process.stdin.take().expect("its input is piped");
    // The first answer finds nobody; the input stays open.
    let write = tokio::io::AsyncWriteExt::write_all(&mut stdin, b"{\"id\":1,\"method\":\"sessions.list\"}\n");
    write.await.expect("it listens");
    let output = process.wait_with_output().await.expect("it ends");
    drop(stdin);
    assert!(output.status.success(), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
}

#[tokio::test]
async fn it_ends_with_the_process_that_started_it() {
    for shared in [false, true] {
        check_parent(shared).await;
    }
}

async fn check_parent(shared: bool) {
    let home = Home::new();
    // Its input is held open by this test, so that only the death of the process it names can end it.
    let mut parent = tokio::process::Command::new("sleep").arg("60").kill_on_drop(true).spawn().expect("it starts");
    let mut wire = one(&home, Framing::Headers, shared);
    wire.ask("initialize", json!({"processId": parent.id(), "capabilities": {}})).await.expect("a welcome");
    parent.kill().await.expect("it can be killed");
    assert_eq!(wire.read().await, None);
    assert_eq!(code(wire).await, Some(0));
}

#[tokio::test]
async fn a_parent_that_cannot_be_seen_is_not_watched() {
    let home = Home::new();
    let mut wire = home.spawn(Framing::Lines);
    wire.ask("initialize", json!({"processId": i32::MAX, "capabilities": {}})).await.expect("a welcome");
    wire.ask("sessions.list", json!({})).await.expect("sessions");
    assert_eq!(code(wire).await, Some(0));
}

#[tokio::test]
async fn standard_error_stays_quiet_when_it_is_closed() {
    let home = Home::new();
    let mut shell = tokio::process::Command::new("sh");
    shell.args(["-c", &format!("printf 'hello\\n' | {PROGRAM} --stdio --no-daemon 2>&-; echo $?")]);
    shell.env("HOME", home.path()).env("XDG_STATE_HOME", home.path()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut process = shell.spawn().expect("it starts");
    let mut said = String::new();
    process.stdout.take().expect("piped").read_to_string(&mut said).await.expect("text");
    assert_eq!(said.trim(), "2");
}

#[tokio::test]
async fn an_accepted_turn_is_told_to_its_end_though_the_input_has_ended() {
    let home = Home::new();
    let mut wire = home.spawn(Framing::Lines);
    let params = json!({"content": "call read-note {\"name\":\"quince\"}", "mode": "auto", "wait": "accepted"});
    let id = wire.send("conductor.message", params).await;
    wire.end_input().await;
    assert!(wire.answer(id).await.expect("a result")["turnId"].is_string());
    assert_eq!(wire.until_event("loop-done").await["event"]["stopReason"], "end-turn");
}
