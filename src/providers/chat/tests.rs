use std::collections::HashSet;

use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use url::Url;

use super::decode::Decoder;
use super::encode;
use super::vendors::vendor;
use super::{Chat, ChatSettings};
use crate::config::{self, Secret};
use crate::model::{Block, Message, Opaque, Request, Role, ToolCall};
use crate::providers::conversation::{self, MODEL};
use crate::providers::fixtures;
use crate::providers::http::HttpRequest;
use crate::providers::loopback::http;

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

/// The conversation's first answer, as it is sent back to the model that gave it.
fn given_back(thought: &Value, on_call: &Value) -> Value {
    let request = conversation::of_everything(super::DIALECT, thought, on_call);
    sent(&request, "localhost")["messages"][2].clone()
}

#[test]
fn quirk_17_a_thought_goes_back_under_the_name_it_came_by() {
    for (field, other) in [("reasoning", "reasoning_content"), ("reasoning_content", "reasoning")] {
        let message = given_back(&json!({ "field": field }), &json!({}));
        assert_eq!((&message[field], message.get(other)), (&json!("Hm."), None));
    }
}

#[test]
fn quirk_17_signed_thoughts_go_back_in_full() {
    let blocks = json!([{ "type": "thinking", "thinking": "Hm.", "signature": "s" }]);
    let message = given_back(&json!({ "field": "reasoning_content", "blocks": blocks }), &json!({}));
    assert_eq!((&message["thinking_blocks"], &message["reasoning_content"]), (&blocks, &json!("Hm.")));
}

#[test]
fn quirk_17_several_thoughts_of_one_answer_all_go_back() {
    let thought = |text: &str, value: Value| {
        let opaque = Opaque { dialect: super::DIALECT.to_owned(), model: MODEL.to_owned(), value };
        Block::Reasoning { text: text.to_owned(), opaque: Some(opaque) }
    };
    let said = |text: &str| Block::Text { text: text.to_owned() };
    let given_back = |first: Value, second: Value| {
        let blocks = vec![thought("One. ", first), said("A"), thought("Two.", second), said("B")];
        let messages = vec![Message { role: Role::Assistant, blocks }];
        sent(&Request { messages, ..Request::default() }, "localhost")["messages"][0].take()
    };
    let named = || json!({ "field": "reasoning_content" });
    assert_eq!(given_back(named(), named())["reasoning_content"], "One. Two.");
    let listed = |name: &str, n: u32| json!({ "field": "reasoning", name: [{ "signature": n }] });
    let details = given_back(listed("details", 1), listed("details", 2));
    let both = json!([{ "signature": 1 }, { "signature": 2 }]);
    assert_eq!((&details["reasoning"], &details["reasoning_details"]), (&json!("One. Two."), &both));
    assert_eq!(given_back(listed("blocks", 1), listed("blocks", 2))["thinking_blocks"], both);
}

#[test]
fn quirk_19_the_signature_of_a_call_goes_back_with_it() {
    for key in ["google", "vertex"] {
        let extra = json!({ key: { "thought_signature": "s" } });
        let message = given_back(&json!({}), &json!({ "extra_content": extra }));
        assert_eq!(message["tool_calls"][0]["extra_content"], extra);
        assert_eq!(message["tool_calls"][1].get("extra_content"), None);
    }
}

#[test]
fn quirk_08_arguments_that_were_encoded_twice_go_back_as_an_object() {
    let call = |arguments: &str| {
        let (id, name, arguments) = ("c".to_owned(), "read".to_owned(), arguments.to_owned());
        let block = Block::ToolCall(ToolCall { id, name, arguments, opaque: None });
        let messages = vec![Message { role: Role::Assistant, blocks: vec![block] }];
        let request = Request { messages, ..Request::default() };
        sent(&request, "localhost")["messages"][0]["tool_calls"][0]["function"]["arguments"].clone()
    };
    assert_eq!(call(r#""{\"a\":1}""#), r#"{"a":1}"#);
    assert_eq!(call(r#"{"a": 1}"#), r#"{"a": 1}"#);
    assert_eq!(call(""), "{}");
}

#[test]
fn vendors_are_known_by_their_hosts() {
    let home = |host: &str| vendor(host).home;
    assert_eq!(home("api.groq.com"), "/openai/v1");
    assert_eq!(home("openrouter.ai"), "/api/v1");
    assert_eq!(home("generativelanguage.googleapis.com"), "/v1beta/openai");
    assert_eq!(home("somebody.openai.azure.com"), "/openai/v1");
    for host in ["localhost", "127.0.0.1", "api.deepseek.com", "api.together.xyz", "api.x.ai", "api.mistral.ai"] {
        assert_eq!(home(host), "/v1", "{host}");
    }
}

#[test]
fn a_key_goes_where_the_vendor_looks_for_it() {
    let headers = |base: &str| {
        let settings = ChatSettings {
            id: "vendor",
            upstream: fixtures::source().upstream,
            base_url: Url::parse(base).unwrap(),
            key: Some(Secret::new("sk-1")),
            headers: HeaderMap::new(),
            default_model: None,
        };
        let chat = Chat::new(http(&[], config::Http::default()), settings);
        chat.authorised(HttpRequest::get(chat.url.clone())).unwrap().headers
    };
    let azure = headers("https://somebody.openai.azure.com");
    assert_eq!((azure["api-key"].as_bytes(), azure.get("authorization")), (&b"sk-1"[..], None));
    assert!(azure["api-key"].is_sensitive());
    let other = headers("https://api.x.ai");
    assert_eq!((other["authorization"].as_bytes(), other.get("api-key")), (&b"Bearer sk-1"[..], None));
}

#[test]
fn what_is_not_asked_for_is_not_sent() {
    let request = Request { messages: vec![Message::text(Role::User, "Hi")], ..Request::default() };
    let expected = json!({ "model": MODEL, "messages": [{ "role": "user", "content": "Hi" }], "stream": false });
    assert_eq!(sent(&request, "localhost"), expected);
}
