use std::collections::HashSet;

use serde_json::{Value, json};

use super::decode::Decoder;
use super::encode;
use super::vendors::vendor;
use crate::model::{Message, Request, Role};
use crate::providers::conversation::{self, MODEL};
use crate::providers::fixtures;

fn decoder() -> Decoder {
    Decoder::new(fixtures::source(), "m".to_owned(), HashSet::from(["call_taken".to_owned()]))
}

#[test]
fn answers_are_read_as_recorded() {
    fixtures::check_all("chat", decoder);
    fixtures::check_damaged("chat", decoder);
}

fn sent(request: &Request, host: &str) -> Value {
    serde_json::from_slice(&encode::body(request, MODEL, &vendor(host))).unwrap()
}

#[test]
fn a_conversation_is_said_in_full() {
    let thought = json!({ "field": "reasoning", "details": [{ "type": "reasoning.encrypted", "data": "z" }] });
    let on_call = json!({ "extra_content": { "google": { "thought_signature": "s" } } });
    let request = conversation::of_everything(super::DIALECT, &thought, &on_call);
    fixtures::check_request("chat", &sent(&request, "localhost"));
    let mistral = sent(&request, "api.mistral.ai");
    assert_eq!(mistral.get("stream_options"), None);
    let id = &mistral["messages"][2]["tool_calls"][0]["id"];
    assert_eq!(id.as_str().unwrap().len(), 9);
    assert_eq!(*id, mistral["messages"][3]["tool_call_id"]);
    let openai = sent(&request, "api.openai.com");
    assert_eq!((openai.get("max_tokens"), &openai["max_completion_tokens"]), (None, &json!(100)));
}

#[test]
fn what_is_not_asked_for_is_not_sent() {
    let request = Request { messages: vec![Message::text(Role::User, "Hi")], ..Request::default() };
    let expected = json!({ "model": MODEL, "messages": [{ "role": "user", "content": "Hi" }], "stream": false });
    assert_eq!(sent(&request, "localhost"), expected);
}
