//! What goes wrong between the app-server and the model: what passes is got over, what stays is told, and the next turn
//! is answered.

use serde_json::{Value, json};

use super::harness::script::RESETS_AT;
use super::setting::{Setting, said, turn};
use crate::client::Client;

fn fails(client: &mut Client, words: &str, stream: bool) -> Value {
    let params = json!({"sessionName": words, "mode": "selective", "content": words, "stream": stream});
    client.ask("conductor.message", params).expect_err(words)
}

#[test]
fn what_passes_is_got_over_and_nothing_is_said_twice() {
    let Some(setting) = Setting::new() else { return };
    let mut client = setting.client();
    for words in ["once fail 500", "once cut"] {
        let result = turn(&mut client, words, "selective", words);
        assert_eq!(said(&result), format!("You said: {}", &words["once ".len()..]), "{result}");
        assert_eq!(setting.upstream.asked(words), 2, "{words}");
    }
}

#[test]
fn what_stays_is_told_and_the_next_turn_is_answered() {
    let Some(setting) = Setting::new() else { return };
    let mut client = setting.client();
    let faults = [
        ("fail 401", "E_AUTH", json!(401), false),
        ("fail 500", "E_PROVIDER_FAILED", Value::Null, true),
        ("fail 429", "E_PROVIDER_FAILED", json!(429), true),
        ("cut", "E_PROVIDER_FAILED", Value::Null, true),
    ];
    for (words, code, status, retryable) in faults {
        let error = fails(&mut client, words, words != "cut");
        let data = &error["data"];
        assert_eq!((&data["code"], &data["provider"]), (&json!(code), &json!("codex")), "{words}: {error}");
        assert_eq!((&data["status"], &data["retryable"]), (&status, &json!(retryable)), "{words}: {error}");
        assert!(error["message"].as_str().is_some_and(|message| message.len() > 20), "a sentence: {error}");
        assert_eq!(said(&turn(&mut client, words, "selective", "hello")), "You said: hello", "after {words}");
    }
}

#[test]
fn a_usage_limit_says_when_it_ends() {
    let Some(setting) = Setting::new() else { return };
    let mut client = setting.client();
    let error = fails(&mut client, "fail usage", true);
    assert_eq!(error["data"]["code"], "E_PROVIDER_FAILED", "{error}");
    assert_eq!(setting.upstream.asked("fail usage"), 1, "asking again does not help");
    let said_so = format!("{} {}", error["message"], error["data"]["hint"]);
    assert!(said_so.contains("usage limit") && said_so.contains("2100"), "when it ends: {error}");
    let status = client.ask("codex.status", json!({})).expect("a status");
    let windows = status["rateLimits"].as_array().unwrap_or_else(|| panic!("{status}"));
    let primary = windows.iter().find(|row| row["window"] == "primary").unwrap_or_else(|| panic!("{status}"));
    assert_eq!((&primary["windowMinutes"], &primary["resetsAt"]), (&json!(300), &json!(RESETS_AT)), "{status}");
    assert_eq!(status["problem"]["kind"], "usage-limit-reached", "{status}");
}
