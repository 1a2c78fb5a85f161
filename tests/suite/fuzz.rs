//! Whatever comes in, the daemon lives, and each request gets one answer.

use std::collections::HashMap;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};

use crate::home::Home;
use crate::wire::{Framing, Wire};

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() })
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map("[a-zA-Z]{1,12}", inner, 0..4)
                .prop_map(|members| members.into_iter().collect::<Map<_, _>>().into()),
        ]
    })
}

/// Names of the wire more often than not; nothing that ends the connection.
fn method() -> impl Strategy<Value = Value> {
    let known: Vec<String> = open_think::protocol::request_names();
    let known: Vec<String> = known.into_iter().filter(|name| name != "shutdown").collect();
    prop_oneof![
        6 => prop::sample::select(known).prop_map(Value::from),
        1 => "[a-z.$/]{0,12}".prop_filter("it ends the connection", |name| name != "exit").prop_map(Value::from),
        1 => json_value().prop_filter("it ends the connection", |value| value != "exit" && value != "shutdown"),
    ]
}

fn params() -> impl Strategy<Value = Value> {
    let names = [
        "content",
        "sessionName",
        "mode",
        "provider",
        "actionIds",
        "decision",
        "skill",
        "input",
        "limit",
        "before",
        "afterSeq",
        "wait",
        "stream",
        "capabilities",
        "processId",
        "workDoneToken",
        "queue",
        "detach",
    ];
    let value = prop_oneof![
        2 => json_value(),
        1 => prop::sample::select(vec!["s", "auto", "selective", "accepted", "approve", "read-note", "offline"])
            .prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
    ];
    let members = prop::collection::vec((prop::sample::select(names.to_vec()), value), 0..5);
    prop_oneof![
        4 => members.prop_map(|members| {
            // Somebody else's process must not end the test.
            let members = members.into_iter().filter(|(name, _)| *name != "processId");
            members.map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>().into()
        }),
        1 => json_value(),
    ]
}

fn frame() -> impl Strategy<Value = Value> {
    (prop::option::of(any::<bool>()), method(), prop::option::of(params()), any::<bool>()).prop_map(
        |(version, method, params, has_id)| {
            let mut frame = json!({"method": method});
            match version {
                Some(true) => frame["jsonrpc"] = "2.0".into(),
                Some(false) => frame["jsonrpc"] = "1.0".into(),
                None => {}
            }
            if let Some(params) = params {
                frame["params"] = params;
            }
            frame["has_id"] = has_id.into();
            frame
        },
    )
}

#[test]
fn each_request_gets_exactly_one_answer() {
    let runtime = runtime();
    let home = Home::new();
    let daemon = runtime.block_on(home.daemon());
    let frames = prop::collection::vec(frame(), 1..20);
    let outcome = runner(48).run(&frames, |frames| {
        runtime.block_on(async {
            let mut wire = Wire::connect(&daemon, Framing::Lines);
            wire.ask("sessions.list", json!({})).await.expect("sessions");
            let mut asked = Vec::new();
            for (number, mut frame) in frames.into_iter().enumerate() {
                if frame["has_id"] == true {
                    frame["id"] = format!("r{number}").into();
                    asked.push(format!("r{number}"));
                }
                wire.write(&frame.to_string()).await;
            }
            let mut answers: HashMap<String, usize> = HashMap::new();
            for frame in wire.rest().await {
                if let (Some(id), None) = (frame["id"].as_str(), frame.get("method")) {
                    *answers.entry(id.to_owned()).or_default() += 1;
                }
            }
            for id in asked {
                prop_assert_eq!(answers.remove(&id), Some(1), "{}", id);
            }
            prop_assert!(answers.is_empty(), "answers to nothing: {:?}", answers);
            Ok(())
        })
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn bytes_of_any_kind_never_kill_the_daemon() {
    let runtime = runtime();
    let home = Home::new();
    let daemon = runtime.block_on(home.daemon());
    let start =
        prop::sample::select(vec!["{", "{\"id\":1,", "{}\n", "Content-Length: ", "content-length: 2\r\n\r\n{}"]);
    let input = (start, prop::collection::vec(any::<u8>(), 0..400));
    let outcome = runner(128).run(&input, |(start, bytes)| {
        runtime.block_on(async {
            let framing = if start.starts_with('{') { Framing::Lines } else { Framing::Headers };
            let mut wire = Wire::connect(&daemon, framing);
            wire.write_raw(start.as_bytes()).await;
            wire.write_raw(&bytes).await;
            wire.rest().await;
            let mut other = Wire::connect(&daemon, Framing::Lines);
            let answer = other.ask("sessions.list", json!({})).await;
            prop_assert!(answer.is_ok(), "{:?}", answer);
            Ok(())
        })
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}
