//! Oddities of vendors that every dialect must cope with, seen on the wire.

use futures_util::StreamExt;
use serde_json::{Value, json};

use super::loopback::{Answer, Loopback};
use super::scenarios::{DIALECTS, Dialect, sent};
use crate::model::{Block, ErrorKind, Fold, Message, Provider, Request, Role, ToolCall, ToolResult, ToolSpec};

const MODEL: &str = "m";

fn dialect(name: &str) -> &'static Dialect {
    const { &DIALECTS }.iter().find(|dialect| dialect.name == name).expect("a dialect")
}

fn ask(messages: Vec<Message>) -> Request {
    Request { model: Some(MODEL.to_owned()), messages, stream: true, ..Request::default() }
}

fn question() -> Message {
    Message::text(Role::User, "Hi")
}

fn call(id: &str) -> Message {
    let call = ToolCall { id: id.to_owned(), name: "read".to_owned(), arguments: String::new(), opaque: None };
    Message { role: Role::Assistant, blocks: vec![Block::ToolCall(call)] }
}

fn result(id: &str) -> Message {
    let (call_id, name, content) = (id.to_owned(), "read".to_owned(), "1".to_owned());
    let result = ToolResult { call_id, name, is_error: false, content };
    Message { role: Role::Tool, blocks: vec![Block::ToolResult(result)] }
}

async fn answer(provider: &dyn Provider, request: Request) -> Message {
    let mut deltas = provider.stream(request).await.expect("an answer");
    let mut fold = Fold::default();
    while let Some(delta) = deltas.next().await {
        fold.push(&delta.expect("a whole answer"));
    }
    fold.finish().0.message
}

/// A signature that comes with a call, or after it, goes back with the call as it came.
async fn check_signature(pieces: &[Value], expected: Value) {
    let chunk = |piece: &Value| format!("data: {}\n\n", json!({ "choices": [{ "delta": { "tool_calls": [piece] } }] }));
    let end = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\ndata: [DONE]\n\n";
    let stream = pieces.iter().map(chunk).collect::<String>() + end;
    let server = Loopback::start(vec![Answer::events(&stream)]).await;
    let said = answer(&*(dialect("chat").provider)(&server), ask(vec![question()])).await;
    let body = sent(dialect("chat"), ask(vec![question(), said.clone(), result("c1")])).await;
    assert_eq!(body["messages"][1]["tool_calls"][0]["extra_content"], expected);
    // It means nothing to another model.
    let other = Request { model: Some("other".to_owned()), ..ask(vec![question(), said, result("c1")]) };
    assert!(!sent(dialect("chat"), other).await.to_string().contains("extra_content"));
}

#[tokio::test]
async fn quirk_19_the_signature_of_a_call_goes_back_with_it() {
    let function = json!({ "name": "read", "arguments": "{}" });
    for vendor in ["google", "vertex"] {
        let extra = json!({ vendor: { "thought_signature": "c2ln" } });
        let whole = json!({ "index": 0, "id": "c1", "function": function, "extra_content": extra });
        check_signature(&[whole], extra.clone()).await;
        let began = json!({ "index": 0, "id": "c1", "function": { "name": "read", "arguments": "{\"a\":" } });
        let later = json!({ "index": 0, "function": { "arguments": "1}" }, "extra_content": extra });
        check_signature(&[began, later], extra).await;
    }
}

#[tokio::test]
async fn an_empty_system_prompt_is_not_sent() {
    for dialect in &DIALECTS {
        for system in ["", " \n"] {
            let messages = vec![Message::text(Role::System, system), question()];
            let request = Request { system: Some(system.to_owned()), ..ask(messages) };
            let body = sent(dialect, request).await;
            assert_eq!(body, sent(dialect, ask(vec![question()])).await, "{}", dialect.name);
        }
    }
}

#[tokio::test]
async fn an_answer_of_which_nothing_can_go_back_is_left_out() {
    for dialect in &DIALECTS {
        let thought = Block::Reasoning { text: "Hm.".to_owned(), opaque: None };
        let blank = Block::Text { text: String::new() };
        let empty = Message { role: Role::Assistant, blocks: vec![thought, blank] };
        let body = sent(dialect, ask(vec![question(), empty, question()])).await;
        assert!(!body.to_string().contains("\"assistant\""), "{body}");
    }
}

#[tokio::test]
async fn a_history_that_was_cut_is_sent_with_each_call_answered_once() {
    for dialect in &DIALECTS {
        let cut = ask(vec![result("gone"), question(), call("kept"), question()]);
        let body = sent(dialect, cut).await.to_string();
        assert!(!body.contains("gone"), "{}: a result without its call: {body}", dialect.name);
        assert_eq!(body.matches("no result is known").count(), 1, "{}: a call without its result", dialect.name);
    }
}

fn tool(index: usize, name: String) -> ToolSpec {
    let input_schema = json!({ "type": "object", "properties": { "n": { "const": index, "format": "odd" } } });
    ToolSpec { name, description: "d".to_owned(), input_schema: input_schema.into() }
}

/// How many tools there may be, how they may be called and what their schemas may say is each vendor's own: what is
/// too much is refused in the vendor's words, and not asked again.
#[tokio::test]
async fn tools_that_are_too_many_or_too_long_are_refused_in_the_vendors_words() {
    let said = "Invalid 'tools': array too long. Expected an array with maximum length 128, but got 200.";
    let refusal = json!({ "error": { "message": said, "type": "invalid_request_error" } }).to_string();
    for dialect in &DIALECTS {
        let server = Loopback::start(vec![Answer::json(400, "", &refusal)]).await;
        let tools = (0..200).map(|index| tool(index, format!("{index:064}"))).collect();
        let outcome = (dialect.provider)(&server).stream(Request { tools, ..ask(vec![question()]) }).await;
        let error = outcome.err().expect("a refusal");
        assert_eq!((error.kind, error.retryable), (ErrorKind::InvalidRequest, false));
        assert!(error.message.ends_with(said), "{error}");
        let asked = server.asked();
        assert_eq!(asked.len(), 1);
        assert!(asked[0].contains(&format!("{:064}", 199)) && asked[0].contains("\"format\":\"odd\""));
    }
}
