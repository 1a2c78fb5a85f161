//! A mock that others wrote, with its fault switches on: what passes is got over, what stays is told, and the next turn
//! is answered.

use serde_json::{Value, json};

use crate::client::Client;
use crate::models::with_each_dialect;
use crate::upstream::{Dialect, Upstream};

fn say(client: &mut Client, content: &str, stream: bool) -> Result<Value, Value> {
    let session = format!("{content} {stream}");
    client
        .ask("conductor.message", json!({"sessionName": session, "mode": "auto", "content": content, "stream": stream}))
}

/// How often it was asked this.
fn asked(upstream: &mut Upstream, content: &str) -> usize {
    upstream.requests().iter().filter(|request| request["body"].to_string().contains(content)).count()
}

#[test]
fn what_passes_is_got_over() {
    with_each_dialect(|dialect, client, upstream| {
        for content in ["limit once", "overload once"] {
            let result = say(client, content, true).unwrap_or_else(|error| panic!("{dialect:?}, {content}: {error}"));
            assert_eq!(result["assistantMessage"]["content"], "Better now.", "{dialect:?}");
            assert_eq!(result["attempts"].as_array().map(Vec::len), Some(1), "asking again is no other attempt");
            assert_eq!(asked(upstream, content), 2, "{dialect:?}, {content}");
        }
    });
}

#[test]
fn what_stays_is_told_and_the_next_turn_is_answered() {
    with_each_dialect(|dialect, client, _| {
        for content in ["be dropped", "be garbled", "be hung up on"] {
            for stream in [false, true] {
                let error = say(client, content, stream).expect_err(content);
                check(dialect, content, &error);
            }
        }
        for content in ["be cut short", "be cut off"] {
            let error = say(client, content, true).expect_err(content);
            check(dialect, content, &error);
            assert_eq!(error["data"]["attempts"].as_array().map(Vec::len), Some(1), "{dialect:?}: {error}");
        }
        let result = say(client, "say hello", true).expect("an answer");
        assert_eq!(result["assistantMessage"]["content"], "Hello from upstream, in several pieces.");
    });
}

#[track_caller]
fn check(dialect: Dialect, content: &str, error: &Value) {
    assert_eq!(error["data"]["code"], "E_PROVIDER_FAILED", "{dialect:?}, {content}: {error}");
    assert_eq!(error["data"]["provider"], dialect.plugin(), "{error}");
    assert!(error["message"].as_str().is_some_and(|message| message.len() > 20), "a sentence: {error}");
    // What is no JSON now will be none the next time.
    assert_eq!(error["data"]["retryable"], content != "be garbled", "{dialect:?}, {content}: {error}");
}
