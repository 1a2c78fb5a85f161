//! Clients that stop reading, or are killed: they are let go in bounded time, hold up nobody, and leave a session whole.

use std::collections::BTreeSet;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::timeout;

use super::place::{Place, Way};
use crate::home::{Home, PROGRAM};
use crate::wire::{Framing, Wire};

const PATIENCE: Duration = Duration::from_secs(20);

/// Asks for far more than any buffer on the way holds, and reads nothing of it.
async fn turn_deaf(wire: &mut Wire) {
    let calls: Vec<String> = (0..50).map(|_| "call no-such-skill {\"a\":1}".to_owned()).collect();
    let turn = json!({"mode": "auto", "content": calls.join("\n"), "stream": true, "detach": true});
    wire.send("conductor.message", turn).await;
    for _ in 0..150 {
        wire.send("rpc.discover", json!({})).await;
    }
}

/// Asks until it is so; each answer shows that this client is not held up.
async fn until_status(wire: &mut Wire, what: &str, test: impl Fn(&Value) -> bool) {
    let waited = async { while !test(&wire.ask("daemon.status", json!({})).await.expect("a status")) {} };
    timeout(PATIENCE, waited).await.unwrap_or_else(|_| panic!("never: {what}"));
}

#[tokio::test]
async fn one_that_stops_reading_is_left_and_holds_up_nobody() {
    for way in [Way::Shim(Framing::Headers), Way::Socket(Framing::Lines), Way::WebSocket] {
        let place = Place::open(way, "[limits]\nwrite_timeout_ms = 200").await;
        let (mut deaf, mut other) = (place.connect().await, place.connect().await);
        deaf.ask("daemon.status", json!({})).await.expect("a status");
        turn_deaf(&mut deaf).await;
        let alone = |status: &Value| status["clients"] == 1 && status["runningTurns"] == json!([]);
        until_status(&mut other, &format!("it is let go over {way:?}"), alone).await;
    }
}

#[tokio::test]
async fn a_program_that_nobody_reads_ends() {
    let place = Place::open(Way::Program(Framing::Headers), "[limits]\nwrite_timeout_ms = 200").await;
    let mut deaf = place.connect().await;
    turn_deaf(&mut deaf).await;
    let (status, said) = deaf.ended().await;
    assert_eq!((status.code(), said.as_str()), (Some(0), ""));
}

/// The shim itself, or the editor that started it.
#[tokio::test]
async fn one_that_is_killed_in_mid_turn_leaves_the_session_whole() {
    for editor in [false, true] {
        let home = Home::new();
        let mut killed = match editor {
            false => home.shim(Framing::Headers),
            true => {
                let mut shell = Command::new("sh");
                // Not in its place, and with the input that this test holds open.
                shell.args(["-c", "\"$0\" --stdio; :", PROGRAM]).envs(home.environment()).kill_on_drop(true);
                Wire::spawn(shell, Framing::Headers)
            }
        };
        killed.initialize(json!({"approvals": true})).await;
        let content = "call read-note {\"name\":\"quince\"}\nthen\ncall take-a-nap {}";
        let turn = json!({"sessionName": "s", "mode": "auto", "content": content, "stream": true});
        killed.send("conductor.message", turn).await;
        let mut other = home.shim(Framing::Lines);
        until_status(&mut other, "it works", |_| !home.naps().is_empty()).await;
        killed.signal(Signal::SIGKILL);
        until_status(&mut other, "the turn is over", |status| status["runningTurns"] == json!([])).await;
        crate::program::check_gone(home.naps()[0]);
        until_status(&mut other, "it is gone", |status| status["clients"] == 1).await;

        check_whole(&mut other).await;
        let again = json!({"sessionName": "s", "mode": "auto", "content": "call read-note {\"name\":\"medlar\"}"});
        let result = other.ask("conductor.message", again).await.expect("a result");
        assert_eq!(result["stopReason"], "end-turn");
        check_whole(&mut other).await;
        assert_eq!(other.exit().await.1, "");
    }
}

/// Every call has its result, and nothing waits.
async fn check_whole(wire: &mut Wire) {
    let session = wire.ask("sessions.get", json!({"sessionName": "s"})).await.expect("the session");
    assert_eq!(session["heldActions"], json!([]));
    let result = wire.ask("sessions.messages", json!({"sessionName": "s"})).await.expect("messages");
    let messages = result["messages"].as_array().expect("rows");
    let of = |kind: &str| -> BTreeSet<String> {
        let blocks = messages.iter().filter_map(|message| message["blocks"].as_array()).flatten();
        blocks.filter(|block| block["type"] == kind).map(|block| block["toolUseId"].to_string()).collect()
    };
    assert_eq!(of("tool-call"), of("tool-result"), "{result}");
    assert!(of("tool-call").len() >= 2, "{result}");
}
