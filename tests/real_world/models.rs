//! Every wire format, and both paths of the AI gateway, against a mock of them that others wrote.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::{Client, check_events, streamed_text};
use crate::home::{Home, PROGRAM};
use crate::upstream::{DIALECTS, Dialect, Upstream};

/// Goes through the dialects with a fresh home, daemon and upstream each.
pub fn with_each_dialect(check: impl Fn(Dialect, &mut Client, &mut Upstream)) {
    for dialect in DIALECTS {
        let home = Home::new();
        let Some(mut upstream) = Upstream::start(&home) else { return };
        let mut daemon = home.command(PROGRAM);
        upstream.configure(&mut daemon, dialect);
        let mut client = Client::start(daemon);
        check(dialect, &mut client, &mut upstream);
        assert!(client.hang_up().success(), "{dialect:?}");
    }
}

/// One turn in a session of its own; its events are checked when it streams.
fn turn(client: &mut Client, mode: &str, content: &str, stream: bool) -> Value {
    let session = format!("{mode} {content} {stream}");
    let params = json!({"sessionName": session, "mode": mode, "content": content, "stream": stream});
    let result = client.ask("conductor.message", params).unwrap_or_else(|error| panic!("{session}: {error}"));
    if stream {
        check_events(&client.events, &session);
        assert_eq!(result["assistantMessage"]["content"], streamed_text(&client.events, &session), "{session}");
    } else {
        assert!(client.events.iter().all(|params| params["sessionName"] != session.as_str()), "{session}");
    }
    result
}

fn said(result: &Value) -> &str {
    result["assistantMessage"]["content"].as_str().expect("an answer")
}

#[test]
fn a_plain_answer() {
    with_each_dialect(|dialect, client, _| {
        for stream in [false, true] {
            let result = turn(client, "selective", "say hello", stream);
            assert_eq!(said(&result), "Hello from upstream, in several pieces.");
            assert_eq!(result["providerUsed"], dialect.plugin());
            assert_eq!((&result["stopReason"], &result["iterationsUsed"]), (&json!("end-turn"), &json!(1)));
            assert_eq!(said(&turn(client, "selective", "think first", stream)), "Thought through.");
        }
    });
}

#[test]
fn skills_run_and_the_answer_quotes_them() {
    with_each_dialect(|dialect, client, upstream| {
        for (stream, mode) in [(false, "selective"), (true, "auto")] {
            let one = turn(client, mode, "read one note", stream);
            assert_eq!(one["trace"][0]["input"], json!({"name": "quince"}), "{dialect:?}");
            assert_eq!(one["iterationsUsed"], 2);
            assert!(said(&one).contains("quince"), "{one}");

            let two = turn(client, mode, "read two notes", stream);
            let names: Vec<&Value> =
                two["trace"].as_array().expect("a trace").iter().map(|row| &row["result"]["name"]).collect();
            assert_eq!(names, ["quince", "medlar"], "the trace has the order of the calls");
            assert!(said(&two).contains("quince") && said(&two).contains("medlar"), "{two}");
        }
        let last = upstream.requests().pop().expect("a request");
        let roles: Vec<&str> = last["body"]["messages"].as_array().expect("messages").iter().filter_map(role).collect();
        // In Responses each call stands alone, and the mock makes a message of each.
        let calls = if dialect.plugin() == "codex" { 2 } else { 1 };
        let expected = [vec!["system", "user"], vec!["assistant"; calls], vec!["tool", "tool"]].concat();
        assert_eq!(roles, expected, "{dialect:?}");
    });
}

fn role(message: &Value) -> Option<&str> {
    message["role"].as_str()
}

#[test]
fn a_later_turn_knows_what_the_skills_said() {
    with_each_dialect(|dialect, client, upstream| {
        let say = |content: &str| json!({"mode": "auto", "content": content});
        client.ask("conductor.message", say("read one note")).expect("a first turn");
        client.ask("conductor.message", say("say hello")).expect("a second turn");
        let last = upstream.requests().pop().expect("a request");
        let roles: Vec<&str> = last["body"]["messages"].as_array().expect("messages").iter().filter_map(role).collect();
        assert_eq!(roles, ["system", "user", "assistant", "tool", "assistant", "user"], "{dialect:?}");
    });
}

#[test]
fn a_plan_offers_no_tools_and_hides_its_blocks() {
    with_each_dialect(|_, client, upstream| {
        let result = turn(client, "propose", "make a plan", false);
        let action = &result["suggestedActions"][0];
        assert_eq!((&action["skill"], &action["input"]), (&json!("read-note"), &json!({"name": "planned"})));
        assert!(said(&result).contains("First read") && !said(&result).contains("open-think-action"), "{result}");
        let request = upstream.requests().pop().expect("a request");
        assert!(request["body"]["tools"].as_array().is_none_or(Vec::is_empty), "{request}");
    });
}

#[test]
fn a_model_that_never_stops_is_stopped() {
    with_each_dialect(|_, client, _| {
        let params = json!({"mode": "auto", "content": "go on for ever", "maxIterations": 3});
        let result = client.ask("conductor.message", params).expect("a result");
        assert_eq!((&result["halted"], &result["iterationsUsed"]), (&json!("iteration-cap"), &json!(3)));
    });
}

#[test]
fn a_cancelled_stream_ends_at_once_and_leaves_the_connection_alive() {
    with_each_dialect(|dialect, client, _| {
        let params = json!({"sessionName": "slow", "content": "talk slowly", "mode": "auto", "stream": true});
        let id = client.send("conductor.message", params);
        client.wait_for("text-delta");
        let started = Instant::now();
        client.notify("$/cancelRequest", json!({"id": id}));
        let error = client.answer(id).expect_err("it was cancelled");
        assert_eq!(error["code"], -32800, "{dialect:?}");
        assert!(started.elapsed() < Duration::from_secs(5), "{dialect:?}");
        assert_eq!(said(&turn(client, "auto", "say hello", true)), "Hello from upstream, in several pieces.");
    });
}

#[test]
fn the_models_are_listed() {
    with_each_dialect(|dialect, client, _| {
        // The mock has no list at the other places.
        if matches!(dialect, Dialect::OpenAi | Dialect::Responses) {
            let models = client.ask("providers.models", json!({"provider": dialect.plugin()})).expect("models");
            assert!(models["models"].as_array().is_some_and(|models| !models.is_empty()), "{models}");
        }
        let listed = client.ask("providers.list", json!({})).expect("providers");
        let rows = listed["providers"].as_array().expect("rows");
        let row = rows.iter().find(|row| row["id"] == dialect.plugin()).expect("a row");
        let facts = [&row["enabled"], &row["configured"], &row["default"]];
        assert_eq!(facts, [&json!(true), &json!(true), &json!(true)], "{row}");
        assert!(!listed.to_string().contains("sk-test"), "a key shows: {listed}");
    });
}
