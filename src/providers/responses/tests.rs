use std::collections::HashSet;

use serde_json::{Value, json};

use super::decode::{Asked, Decoder};
use super::encode;
use super::item::Binding;
use super::limits::Limits;
use super::profile::{CHATGPT, PUBLIC, Profile};
use crate::model::{Block, Delta, Fold, Message, Request, Role, ToolCall, ToolResult};
use crate::providers::conversation::{self, MODEL};
use crate::providers::fixtures;
use crate::providers::reader::{Deltas, replay};

fn decoder_of(asked: Asked) -> Decoder {
    let binding = Binding { dialect: PUBLIC.dialect, model: "m".to_owned() };
    Decoder::new(fixtures::source(), binding, asked, Limits::default())
}

fn decoder() -> Decoder {
    decoder_of(Asked { call_ids: HashSet::from(["call_taken".to_owned()]), ..Asked::default() })
}

#[test]
fn answers_are_read_as_recorded() {
    fixtures::check_all("responses", decoder);
    fixtures::check_damaged("responses", decoder);
}

fn sent(request: &Request, profile: &Profile) -> Value {
    serde_json::from_slice(&encode::body(request, MODEL, profile, "thread-1").unwrap()).unwrap()
}

fn conversation(profile: &Profile) -> Request {
    let thought = json!({ "encrypted_content": "gAAA" });
    let mut request = conversation::of_everything(profile.dialect, &thought, &json!({ "namespace": "notes" }));
    request.options = json!({ "reasoningEffort": "low", "verbosity": "high" }).as_object().unwrap().clone();
    request
}

#[test]
fn a_conversation_is_said_in_full_to_the_public_api() {
    fixtures::check_request("responses", &sent(&conversation(&PUBLIC), &PUBLIC));
}

#[test]
fn a_conversation_is_said_in_full_to_the_backend_of_subscriptions() {
    fixtures::check_request("responses/chatgpt", &sent(&conversation(&CHATGPT), &CHATGPT));
}

#[test]
fn what_is_not_asked_for_is_not_sent() {
    let request = Request { messages: vec![Message::text(Role::User, "Hi")], ..Request::default() };
    let part = json!({ "type": "input_text", "text": "Hi" });
    let input = json!([{ "type": "message", "role": "user", "content": [part] }]);
    let include = json!(["reasoning.encrypted_content"]);
    let mut expected = json!({ "model": MODEL, "input": input, "store": false, "include": include, "stream": false });
    assert_eq!(sent(&request, &PUBLIC), expected);
    expected["stream"] = json!(true);
    expected["reasoning"] = json!({ "summary": "auto" });
    expected["prompt_cache_key"] = json!("thread-1");
    assert_eq!(sent(&request, &CHATGPT), expected);
    let body = encode::body(&request, "gpt-4.1", &PUBLIC, "").unwrap();
    assert!(!String::from_utf8(body).unwrap().contains("include"), "models that do not think refuse it");
    assert!(encode::body(&Request::default(), MODEL, &PUBLIC, "").is_err());
}

/// What the model said, and what goes back of it together with the results of its calls.
fn given_back(fixture: &str) -> Vec<Value> {
    let path = format!("{}/tests/fixtures/responses/{fixture}", env!("CARGO_MANIFEST_DIR"));
    let bytes = std::fs::read(path).unwrap();
    let binding = Binding { dialect: PUBLIC.dialect, model: MODEL.to_owned() };
    let decoder = Decoder::new(fixtures::source(), binding, Asked::default(), Limits::default());
    let (deltas, result) = replay(decoder, fixtures::source(), [&bytes[..]]);
    result.unwrap();
    let mut fold = Fold::default();
    deltas.iter().for_each(|delta| fold.push(delta));
    let message = fold.finish().0.message;
    let result = |call: &ToolCall| {
        let (call_id, name) = (call.id.clone(), call.name.clone());
        Block::ToolResult(ToolResult { call_id, name, is_error: false, content: "done".to_owned() })
    };
    let results = message.tool_calls().map(result).collect();
    let messages = vec![message, Message { role: Role::Tool, blocks: results }];
    let body = sent(&Request { messages, ..Request::default() }, &PUBLIC);
    body["input"].as_array().unwrap().clone()
}

#[test]
fn quirk_20_a_thought_goes_back_encrypted_and_before_its_call() {
    let call = json!({ "type": "function_call", "call_id": "call_1", "name": "read", "arguments": "{\"a\":1}" });
    let expected = [
        json!({ "type": "reasoning", "summary": [], "encrypted_content": "gAAA-whole" }),
        call,
        json!({ "type": "function_call_output", "call_id": "call_1", "output": "done" }),
    ];
    assert_eq!(given_back("reasoning-then-call.sse"), expected);
    assert_eq!(given_back("reasoning-hidden-is-not-overtaken.sse")[0]["encrypted_content"], "gAAA");
    let without = given_back("quirk-20-no-encrypted-content.sse");
    assert_eq!(without.len(), 1, "one that was not encrypted stays away: {without:?}");
}

#[test]
fn phases_and_foreign_items_go_back_as_they_came() {
    let phases: Vec<Value> = given_back("phases.sse").into_iter().map(|item| item["phase"].clone()).collect();
    assert_eq!(phases, ["commentary", "final_answer"]);
    let items = given_back("foreign-items.sse");
    assert_eq!(items[0]["action"], json!({ "type": "search", "query": "x" }));
    assert_eq!(items[2], json!({ "type": "compaction", "encrypted_content": "zz" }));
}

#[test]
fn custom_calls_go_back_as_they_came() {
    let expected = [
        json!({ "type": "custom_tool_call", "call_id": "call_1", "name": "patch", "input": "*** Begin\n\"x\"" }),
        json!({ "type": "custom_tool_call_output", "call_id": "call_1", "output": "done" }),
    ];
    assert_eq!(given_back("call-custom.sse"), expected);
}

#[test]
fn a_tool_that_is_named_like_the_wrapper_is_called() {
    let tools = HashSet::from(["parallel".to_owned()]);
    let bytes = include_bytes!("../../../tests/fixtures/responses/call-wrapper-short-name.sse");
    let (deltas, _) = replay(decoder_of(Asked { tools, ..Asked::default() }), fixtures::source(), [&bytes[..]]);
    let starts = deltas.iter().filter(|delta| matches!(delta, Delta::Start { .. }));
    assert_eq!(starts.count(), 1);
}

#[test]
fn long_ids_of_other_vendors_are_shortened_alike_in_call_and_result() {
    let id = "x".repeat(65);
    let call = ToolCall { id: id.clone(), name: "t".to_owned(), arguments: String::new(), opaque: None };
    let result = ToolResult { call_id: id, name: "t".to_owned(), is_error: false, content: "1".to_owned() };
    let messages = vec![
        Message { role: Role::Assistant, blocks: vec![Block::ToolCall(call)] },
        Message { role: Role::Tool, blocks: vec![Block::ToolResult(result)] },
    ];
    let body = sent(&Request { messages, ..Request::default() }, &PUBLIC);
    let id = |at: usize| body["input"][at]["call_id"].as_str().unwrap();
    assert!(id(0).len() <= 64 && id(0) == id(1), "{body}");
}

#[test]
fn an_answer_that_only_streams_can_still_be_had_as_it_came() {
    let bytes = include_bytes!("../../../tests/fixtures/responses/phases.sse");
    let decoder = decoder_of(Asked { keep_raw: true, ..Asked::default() });
    let (deltas, _) = replay(decoder, fixtures::source(), [&bytes[..]]);
    let raw = Deltas::from(deltas).into_iter().find_map(|delta| match delta {
        Delta::Metadata(mut metadata) => metadata.remove("response"),
        _ => None,
    });
    let raw = raw.unwrap();
    assert_eq!(raw["output"].as_array().unwrap().len(), 2);
    assert_eq!((&raw["status"], &raw["output"][1]["phase"]), (&json!("completed"), &json!("final_answer")));
}
