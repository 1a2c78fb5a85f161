//! What meets in one session from several sides at once: another daemon, an interrupt, a deletion, the end.

use std::sync::{Arc, Mutex};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::home::Home;
use crate::serving::{self, whole};
use crate::wire::{Framing, Wire};

const NAP: &str = "call take-a-nap {}";

fn say(session: &str, mode: &str, content: &str) -> Value {
    json!({"sessionName": session, "mode": mode, "content": content})
}

async fn messages(wire: &mut Wire, session: &str) -> Vec<Value> {
    let result = wire.ask("sessions.messages", json!({"sessionName": session})).await.expect("messages");
    result["messages"].as_array().expect("rows").clone()
}

/// Waits until so many naps have begun.
async fn until_naps(home: &Home, wire: &mut Wire, count: usize) {
    while home.naps().len() < count {
        wire.ask("daemon.status", json!({})).await.expect("a status");
    }
}

#[track_caller]
fn check_all_dead(home: &Home, count: usize) {
    assert_eq!(home.naps().len(), count);
    for pid in home.naps() {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        assert!(stat.is_empty() || stat.contains(") Z "), "a skill outlived its turn: {stat}");
    }
}

#[tokio::test]
async fn what_another_daemon_has_decided_does_not_run_again() {
    let home = Home::new();
    let (first, second) = (home.daemon().await, home.daemon().await);
    let mut asked_one = Wire::connect(&first, Framing::Lines);
    let mut elsewhere = Wire::connect(&second, Framing::Lines);
    asked_one.initialize(json!({"approvals": true})).await;
    let id = asked_one.send("conductor.message", say("s", "selective", "call write-note {\"text\":\"quince\"}")).await;
    let asked = asked_one.until(|frame| frame["method"] == "conductor.approval").await;

    let ids = json!([asked["params"]["actions"][0]["id"]]);
    let params = json!({"sessionName": "s", "actionIds": ids, "decision": "approve"});
    let result = elsewhere.ask("conductor.approve", params).await.expect("a result");
    assert_eq!(result["trace"][0]["ok"], true, "{result}");
    assert_eq!(home.notes().len(), 1);

    asked_one.write(&json!({"id": asked["id"], "result": {"decision": "approve"}}).to_string()).await;
    // With a result or an error: what was decided elsewhere is not this turn's any more.
    let _ = asked_one.answer(id).await;
    assert_eq!(home.notes(), [json!({"text": "quince"})], "it ran once for each daemon");
}

/// Answers every request with a few words, and keeps what was asked.
async fn record() -> (String, Arc<Mutex<Vec<Value>>>) {
    const ANSWER: &str =
        r#"{"choices":[{"message":{"role":"assistant","content":"So it is."},"finish_reason":"stop"}]}"#;
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&bodies);
    let answer = move |request: &str| {
        let body = request.split_once("\r\n\r\n").and_then(|(_, body)| serde_json::from_str(body).ok());
        kept.lock().expect("nobody panics with it").extend(body);
        whole("200 OK", "content-type: application/json\r\n", ANSWER)
    };
    (format!("{}/v1", serving::answer(answer).await), bodies)
}

#[tokio::test]
async fn what_ran_before_an_interrupt_is_remembered() {
    let (url, bodies) = record().await;
    let home = Home::new().set("OPENAI_COMPATIBLE_URL", &url).set("OPENAI_COMPATIBLE_DEFAULT_MODEL", "m");
    let daemon = home.daemon().await;
    let mut wire = Wire::connect(&daemon, Framing::Lines);
    let mut params = say("s", "auto", &format!("call write-note {{\"text\":\"quince\"}}\n{NAP}"));
    params["provider"] = "offline".into();
    params["stream"] = true.into();
    let id = wire.send("conductor.message", params).await;
    wire.until_event("tool-result").await;
    until_naps(&home, &mut wire, 1).await;
    wire.ask("conductor.interrupt", json!({"sessionName": "s"})).await.expect("an answer");
    assert_eq!(wire.answer(id).await.expect("a result")["stopReason"], "cancelled");
    assert_eq!(home.notes().len(), 1);

    let rows = messages(&mut wire, "s").await;
    let results: Vec<&Value> = rows.iter().filter(|row| row["role"] == "tool").collect();
    assert!(json!(results).to_string().contains("quince"), "the result is not kept: {rows:#?}");

    let mut params = say("s", "auto", "what was done?");
    params["provider"] = "openai-compatible".into();
    wire.ask("conductor.message", params).await.expect("a result");
    let request = bodies.lock().expect("nobody panics with it").last().cloned().expect("a request");
    let told = request["messages"].as_array().expect("messages").iter();
    let told: Vec<&str> =
        told.filter(|message| message["role"] == "tool").filter_map(|message| message["content"].as_str()).collect();
    assert_eq!(told.len(), 2, "every call has its result: {request:#}");
    assert!(told[0].contains("quince"), "the model is not told that it ran: {told:?}");
    assert!(!told[1].contains("quince"), "{told:?}");
}

#[tokio::test]
async fn an_interrupt_right_behind_a_message_stops_it() {
    for framing in [Framing::Lines, Framing::Headers] {
        let home = Home::new();
        let mut wire = home.spawn(framing);
        let frames = [
            json!({"id": 1, "method": "conductor.message", "params": say("s", "auto", NAP)}),
            json!({"id": 2, "method": "conductor.interrupt", "params": {"sessionName": "s"}}),
        ];
        let frames = frames.map(|frame| match framing {
            Framing::Lines => format!("{frame}\n"),
            Framing::Headers => format!("Content-Length: {}\r\n\r\n{frame}", frame.to_string().len()),
        });
        // In one go, so that the daemon reads them as one.
        wire.write_raw(frames.concat().as_bytes()).await;
        assert_eq!(wire.answer(2).await, Ok(json!({"interrupted": true})), "{framing:?}");
        assert_eq!(wire.answer(1).await.expect("a result")["stopReason"], "cancelled", "{framing:?}");
    }
}

#[tokio::test]
async fn an_interrupt_right_behind_an_approval_stops_it() {
    let home = Home::new();
    let mut wire = home.spawn(Framing::Lines);
    let held = "call write-note {\"text\":\"quince\"}";
    let halted = wire.ask("conductor.message", say("s", "selective", held)).await.expect("a result");
    let ids = json!([halted["suggestedActions"][0]["id"]]);
    let approval = json!({"sessionName": "s", "actionIds": ids, "decision": "approve"});
    let frames = [
        json!({"id": 101, "method": "conductor.approve", "params": approval.clone()}),
        json!({"id": 102, "method": "conductor.interrupt", "params": {"sessionName": "s"}}),
    ];
    wire.write_raw(frames.map(|frame| format!("{frame}\n")).concat().as_bytes()).await;
    assert_eq!(wire.answer(102).await, Ok(json!({"interrupted": true})));
    assert_eq!(wire.answer(101).await.expect("a result")["stopReason"], "cancelled");
    assert_eq!(home.notes(), [] as [Value; 0]);
    // It was not decided, and can be.
    wire.ask("conductor.approve", approval).await.expect("a result");
    assert_eq!(home.notes().len(), 1);
}

#[tokio::test]
async fn a_message_behind_a_deletion_begins_the_session_anew() {
    let home = Home::new();
    let daemon = home.daemon().await;
    let mut wire = Wire::connect(&daemon, Framing::Lines);
    let first = wire.send("conductor.message", say("s", "auto", NAP)).await;
    until_naps(&home, &mut wire, 1).await;
    let deletion = wire.send("sessions.delete", json!({"sessionName": "s"})).await;
    let later = "call read-note {\"name\":\"medlar\"}";
    let second = wire.send("conductor.message", say("s", "auto", later)).await;

    assert_eq!(wire.answer(first).await.expect("a result")["stopReason"], "cancelled");
    assert_eq!(wire.answer(deletion).await, Ok(json!({"deleted": true})));
    let result = wire.answer(second).await.expect("a result");
    assert_eq!(result["trace"][0]["result"], json!({"name": "medlar"}), "{result}");

    // As another process finds it.
    let mut other = Wire::connect(&home.daemon().await, Framing::Lines);
    let rows = messages(&mut other, "s").await;
    let roles: Vec<&Value> = rows.iter().map(|row| &row["role"]).collect();
    assert_eq!(roles, ["user", "assistant", "tool", "assistant"], "{rows:#?}");
    assert_eq!(rows[0]["content"], later);
}

#[tokio::test]
async fn a_cursor_from_before_a_kill_is_told_to_read_anew() {
    for turn_between in [false, true] {
        let home = Home::new();
        let mut wire = home.spawn(Framing::Lines);
        let mut params = say("s", "auto", NAP);
        params["stream"] = true.into();
        wire.send("conductor.message", params).await;
        let last = wire.until_event("turn-stop").await["seq"].clone();
        until_naps(&home, &mut wire, 1).await;
        wire.kill().await;
        // What outlives a kill of the daemon is cleaned up by nobody else.
        for nap in home.naps() {
            let _ = kill(Pid::from_raw(nap), Signal::SIGKILL);
        }

        let daemon = home.daemon().await;
        let mut watcher = Wire::connect(&daemon, Framing::Lines);
        watcher.ask("conductor.subscribe", json!({"sessionName": "s"})).await.expect("a subscription");
        if turn_between {
            // With more events than the client had seen before the kill.
            let calls = "call read-note {\"name\":\"medlar\"}\n".repeat(4);
            watcher.ask("conductor.message", say("s", "auto", &calls)).await.expect("a result");
        }
        let mut wire = Wire::connect(&daemon, Framing::Lines);
        wire.ask("conductor.subscribe", json!({"sessionName": "s", "afterSeq": last})).await.expect("a subscription");
        let first = wire.until(|frame| frame["method"] == "conductor.event").await;
        assert_eq!(first["params"]["event"]["kind"], "resync", "events are missing unsaid behind {last}: {first}");
    }
}

#[tokio::test]
async fn the_end_of_input_ends_the_skills_of_all_sessions() {
    let home = Home::new();
    let mut wire = home.spawn(Framing::Lines);
    let ids = [
        wire.send("conductor.message", say("one", "auto", NAP)).await,
        wire.send("conductor.message", say("other", "auto", NAP)).await,
    ];
    until_naps(&home, &mut wire, 2).await;
    let frames = wire.rest().await;
    for id in ids {
        let answers: Vec<&Value> = frames.iter().filter(|frame| frame["id"] == id).collect();
        assert_eq!(answers.len(), 1, "{frames:?}");
        assert_eq!(answers[0]["error"]["code"], -32802, "{frames:?}");
    }
    let (status, said) = wire.exit().await;
    assert_eq!((status.code(), said.as_str()), (Some(0), ""));
    check_all_dead(&home, 2);
}
