use std::sync::Arc;

use serde_json::{Value, json};

use super::decode::Decoder;
use super::encode::{self, Cache};
use crate::model::{Block, ErrorKind, Fold, ImageSource, Message, Request, Role, ToolChoice};
use crate::providers::conversation::{self, MODEL};
use crate::providers::fixtures;

#[test]
fn answers_are_read_as_recorded() {
    let decoder = || Decoder::new(fixtures::source(), "claude-x".to_owned());
    fixtures::check_all("anthropic", decoder);
    fixtures::check_damaged("anthropic", decoder);
}

fn sent(request: &Request) -> Value {
    serde_json::from_slice(&encode::body(request, MODEL, Cache::OnDemand).unwrap()).unwrap()
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
    assert_eq!(encode::body(&request, MODEL, Cache::OnDemand).unwrap_err().kind, ErrorKind::InvalidRequest);
}

/// What is sent when a recorded answer has become a part of the history of `model`.
fn sent_after(answer: &str, model: &str) -> Value {
    let decoder = Decoder::new(fixtures::source(), "claude-x".to_owned());
    let deltas = fixtures::deltas("anthropic", answer, decoder);
    let mut fold = Fold::default();
    deltas.iter().for_each(|delta| fold.push(delta));
    let messages = vec![Message::text(Role::User, "Hi"), fold.finish().0.message];
    let request = Request { messages, ..Request::default() };
    serde_json::from_slice(&encode::body(&request, model, Cache::OnDemand).unwrap()).unwrap()
}

/// What of it is the answer.
fn given_back(answer: &str, model: &str) -> Value {
    sent_after(answer, model)["messages"][1]["content"].take()
}

#[test]
fn the_vendors_tools_go_on_where_they_ran() {
    assert_eq!(sent_after("blocks-of-all-types.sse", "claude-x")["container"], "c");
    assert_eq!(sent_after("blocks-of-all-types.sse", "claude-y").get("container"), None);
}

#[test]
fn blocks_of_the_vendors_own_go_back_as_they_came_and_where_they_stood() {
    let located =
        |text, index| json!({ "type": "web_search_result_location", "cited_text": text, "encrypted_index": index });
    let execution = json!({
        "type": "code_execution_result", "stdout": "1", "stderr": "", "return_code": 0, "content": [],
    });
    let failed = json!({ "type": "bash_code_execution_tool_result_error", "error_code": "unavailable" });
    let page = json!({ "type": "web_fetch_result", "url": "https://e.example/", "content": { "type": "document" } });
    let call_of = json!({ "type": "code_execution_20250825", "tool_id": "srvtoolu_2" });
    let expected = json!([
        { "type": "server_tool_use", "id": "srvtoolu_1", "name": "web_fetch", "input": { "url": "https://e.example/" } },
        { "type": "web_fetch_tool_result", "tool_use_id": "srvtoolu_1", "content": page },
        {
            "type": "server_tool_use", "id": "srvtoolu_2", "name": "code_execution", "input": { "code": "1" },
            "caller": { "type": "direct" },
        },
        { "type": "code_execution_tool_result", "tool_use_id": "srvtoolu_2", "content": execution },
        { "type": "bash_code_execution_tool_result", "tool_use_id": "srvtoolu_2", "content": failed },
        { "type": "container_upload", "file_id": "file_1" },
        { "type": "compaction", "content": "So far: nothing." },
        { "type": "block_of_tomorrow", "x": [1, 2], "y": { "z": 1 } },
        { "type": "text", "text": "It is so.", "citations": [located("a", "e1"), located("b", "e2")] },
        { "type": "text", "text": "And not otherwise." },
        { "type": "tool_use", "id": "toolu_a", "name": "read", "input": { "a": 1 }, "caller": call_of },
    ]);
    assert_eq!(given_back("blocks-of-all-types.sse", "claude-x"), expected);
    // Another model gets what it can understand.
    let expected = json!([
        { "type": "text", "text": "It is so." },
        { "type": "text", "text": "And not otherwise." },
        { "type": "tool_use", "id": "toolu_a", "name": "read", "input": { "a": 1 } },
    ]);
    assert_eq!(given_back("blocks-of-all-types.sse", "claude-y"), expected);
}

#[test]
fn quirk_18_signed_thoughts_stay_around_the_calls_they_led_to() {
    let calls = [
        json!({ "type": "tool_use", "id": "toolu_a", "name": "read", "input": { "a": 1 } }),
        json!({ "type": "tool_use", "id": "toolu_b", "name": "read", "input": {} }),
    ];
    let expected = json!([
        { "type": "thinking", "thinking": "First.", "signature": "c2lnMQ==" },
        calls[0],
        { "type": "thinking", "thinking": "", "signature": "b21pdHRlZA==" },
        { "type": "redacted_thinking", "data": "enc" },
        calls[1],
    ]);
    assert_eq!(given_back("quirk-18-thoughts-around-calls.sse", "claude-x"), expected);
    // A signature of another model is refused, none is not.
    assert_eq!(given_back("quirk-18-thoughts-around-calls.sse", "claude-y"), json!(calls));
}

fn asked(options: Value) -> Request {
    let options = options.as_object().cloned().unwrap();
    Request { messages: vec![Message::text(Role::User, "Hi")], options, ..Request::default() }
}

#[test]
fn options_go_onto_the_wire_and_what_is_not_understood_does_not() {
    let options = json!({
        "thinking": { "type": "enabled", "budget_tokens": 9000, "display": "omitted" },
        "effort": "high",
        "stopSequences": ["END"],
        "serverTools": [{ "type": "web_search_20250305", "name": "web_search" }],
        "providerKeyRef": "of another",
    });
    let request = Request { temperature: Some(0.5), tool_choice: ToolChoice::Required, ..asked(options) };
    let request = Request { tools: conversation::tools(), ..request };
    let sent = sent(&request);
    assert_eq!(sent["thinking"], json!({ "type": "enabled", "budget_tokens": 9000, "display": "omitted" }));
    assert_eq!((&sent["max_tokens"], &sent["output_config"]), (&json!(17192), &json!({ "effort": "high" })));
    assert_eq!((&sent["stop_sequences"], &sent["tool_choice"]), (&json!(["END"]), &json!({ "type": "auto" })));
    assert_eq!((&sent["tools"][0]["name"], &sent["tools"][1]["name"]), (&json!("web_search"), &json!("read")));
    assert_eq!((sent.get("temperature"), sent.get("providerKeyRef")), (None, None));
    assert_eq!(self::sent(&asked(json!({ "thinking": 1, "effort": 2, "betas": "x" }))), self::sent(&asked(json!({}))));
}

#[test]
fn the_cache_is_used_where_it_pays_or_is_asked_for() {
    let mark = json!({ "type": "ephemeral" });
    let said = |request: &Request, cache| -> Value {
        serde_json::from_slice(&encode::body(request, MODEL, cache).unwrap()).unwrap()
    };
    let request =
        |options| Request { system: Some("Be brief.".into()), tools: conversation::tools(), ..asked(options) };
    let check = |body: Value| {
        assert_eq!(body["tools"][0]["cache_control"], mark);
        assert_eq!(body["system"], json!([{ "type": "text", "text": "Be brief.", "cache_control": mark }]));
        let content = json!([{ "type": "text", "text": "Hi", "cache_control": mark }]);
        assert_eq!(body["messages"], json!([{ "role": "user", "content": content }]));
    };
    check(said(&request(json!({ "cacheControl": true })), Cache::OnDemand));
    check(said(&Request { goes_on: true, ..request(json!({})) }, Cache::WhereItPays));
    for (goes_on, options, cache) in [
        (true, json!({}), Cache::OnDemand),
        (false, json!({}), Cache::WhereItPays),
        (true, json!({ "cacheControl": false }), Cache::WhereItPays),
    ] {
        let body = said(&Request { goes_on, ..request(options) }, cache);
        assert!(!body.to_string().contains("cache_control"), "{body}");
    }
}

#[test]
fn an_image_may_stand_in_its_own_address() {
    let source = ImageSource::Url { url: "data:image/png;base64,AAAA".to_owned() };
    let messages = vec![Message { role: Role::User, blocks: vec![Block::Image { source }] }];
    let source = &sent(&Request { messages, ..Request::default() })["messages"][0]["content"][0]["source"];
    assert_eq!(*source, json!({ "type": "base64", "media_type": "image/png", "data": "AAAA" }));
}

#[test]
fn what_is_counted_is_what_is_read() {
    let request = conversation::of_everything(super::DIALECT, &json!({ "signature": "c2ln" }), &json!({}));
    let counted: Value = serde_json::from_slice(&encode::count_body(&request, MODEL).unwrap()).unwrap();
    let mut expected = sent(&request);
    for name in ["max_tokens", "temperature", "stream"] {
        expected.as_object_mut().unwrap().remove(name);
    }
    assert_eq!(counted, expected);
}
