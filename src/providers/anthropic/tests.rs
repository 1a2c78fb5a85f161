use std::sync::Arc;

use serde_json::{Value, json};

use super::decode::Decoder;
use super::encode;
use crate::model::{ErrorKind, Message, Request, Role};
use crate::providers::conversation::{self, MODEL};
use crate::providers::fixtures;

#[test]
fn answers_are_read_as_recorded() {
    let decoder = || Decoder::new(fixtures::source(), "claude-x".to_owned());
    fixtures::check_all("anthropic", decoder);
    fixtures::check_damaged("anthropic", decoder);
}

fn sent(request: &Request) -> Value {
    serde_json::from_slice(&encode::body(request, MODEL).unwrap()).unwrap()
}

#[test]
fn a_conversation_is_said_in_full() {
    let thought = json!({ "signature": "c2ln" });
    let mut request = conversation::of_everything(super::DIALECT, &thought, &json!({ "caller": { "type": "direct" } }));
    fixtures::check_request("anthropic", &sent(&request));
    // Calls of the past need their tools declared.
    request.tools = Arc::default();
    let without = sent(&request);
    assert_eq!(without["tool_choice"], json!({ "type": "none" }));
    assert_eq!(without["tools"][0]["name"], "read");
    assert_eq!(without["tools"].as_array().unwrap().len(), 1);
}

#[test]
fn a_redacted_thought_goes_back_as_it_came() {
    let thought = json!({ "type": "redacted_thinking", "data": "enc" });
    let request = conversation::of_everything(super::DIALECT, &thought, &json!({}));
    assert_eq!(sent(&request)["messages"][1]["content"][0], thought);
}

#[test]
fn what_is_not_asked_for_is_not_sent() {
    let request = Request { messages: vec![Message::text(Role::User, "Hi")], ..Request::default() };
    let content = json!([{ "type": "text", "text": "Hi" }]);
    let messages = json!([{ "role": "user", "content": content }]);
    let expected = json!({ "model": MODEL, "max_tokens": 8192, "messages": messages, "stream": false });
    assert_eq!(sent(&request), expected);
}

#[test]
fn nothing_to_send_is_an_error() {
    let request = Request { messages: vec![Message::text(Role::User, " ")], ..Request::default() };
    assert_eq!(encode::body(&request, MODEL).unwrap_err().kind, ErrorKind::InvalidRequest);
}
