//! Conversations for tests, as a dialect's own model left them: one that holds one of everything, and one for each
//! scenario that every dialect must be able to say.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::model::{Block, ImageSource, Message, Opaque, Request, Role, ToolCall, ToolChoice, ToolResult, ToolSpec};

pub(super) const MODEL: &str = "m";

fn opaque(dialect: &str, model: &str, value: Value) -> Option<Opaque> {
    Some(Opaque { dialect: dialect.to_owned(), model: model.to_owned(), value })
}

fn call(id: &str, arguments: &str, opaque: Option<Opaque>) -> Block {
    let (id, name, arguments) = (id.to_owned(), "read".to_owned(), arguments.to_owned());
    Block::ToolCall(ToolCall { id, name, arguments, opaque })
}

fn result(id: &str, is_error: bool, content: &str) -> Block {
    let (call_id, name, content) = (id.to_owned(), "read".to_owned(), content.to_owned());
    Block::ToolResult(ToolResult { call_id, name, is_error, content })
}

pub(super) fn tools() -> Arc<[ToolSpec]> {
    let input_schema = json!({ "type": "object", "properties": { "a": {} } }).into();
    [ToolSpec { name: "read".to_owned(), description: "Reads".to_owned(), input_schema }].into()
}

/// `thought` and `on_call` are what the dialect keeps with a thought and with a call.
pub(super) fn of_everything(dialect: &str, thought: &Value, on_call: &Value) -> Request {
    let text = |text: &str| Block::Text { text: text.to_owned() };
    let image = |source| Block::Image { source };
    let picture = ImageSource::Base64 { media_type: "image/png".to_owned(), data: "AAAA".to_owned() };
    let user =
        vec![text("Look: "), image(picture), image(ImageSource::Url { url: "https://e.example/x.png".to_owned() })];
    let reasoning =
        |model: &str| Block::Reasoning { text: "Hm.".to_owned(), opaque: opaque(dialect, model, thought.clone()) };
    let assistant = vec![
        reasoning(MODEL),
        reasoning("another-model"),
        text(""),
        text("Let me see."),
        call("call_a", "{\"a\": 1}", opaque(dialect, MODEL, on_call.clone())),
        call("call b:2", "", opaque(dialect, "another-model", on_call.clone())),
        call("call_c", "{broken", None),
        Block::Foreign { opaque: opaque("another-dialect", MODEL, json!({ "x": 1 })).expect("one") },
    ];
    Request {
        system: Some("Be brief.".to_owned()),
        messages: vec![
            Message { role: Role::User, blocks: user },
            Message { role: Role::Assistant, blocks: assistant },
            Message { role: Role::Tool, blocks: vec![result("call_a", false, "1"), result("gone", false, "?")] },
            Message { role: Role::Tool, blocks: vec![result("call b:2", true, "no such file")] },
            Message::text(Role::User, "Go on."),
            Message::text(Role::System, "It is late."),
            Message { role: Role::Assistant, blocks: vec![reasoning("another-model")] },
            Message::text(Role::User, "Well?"),
            Message::text(Role::Assistant, "I would say "),
        ],
        tools: tools(),
        tool_choice: ToolChoice::Required,
        max_tokens: Some(100),
        temperature: Some(1.5),
        stream: true,
        ..Request::default()
    }
}

/// Those that must be sent rightly in every dialect, by name; `thought` and `on_call` as above.
pub(super) fn scenarios(dialect: &str, thought: &Value, on_call: &Value) -> Vec<(&'static str, Request)> {
    let text = |text: &str| Block::Text { text: text.to_owned() };
    let user = |blocks| Message { role: Role::User, blocks };
    let assistant = |blocks| Message { role: Role::Assistant, blocks };
    let tool = |blocks| Message { role: Role::Tool, blocks };
    let ask = |messages: Vec<Message>| Request { model: Some(MODEL.to_owned()), messages, ..Request::default() };
    let with_tools = |messages| Request { tools: tools(), ..ask(messages) };
    let question = || Message::text(Role::User, "What is in it?");
    let inline = ImageSource::Base64 { media_type: "image/png".to_owned(), data: "AAAA".to_owned() };
    let linked = ImageSource::Url { url: "https://e.example/x.png".to_owned() };
    let images = [inline, linked].map(|source| Block::Image { source });
    let thinking = |of: &str| Block::Reasoning { text: "Hm.".to_owned(), opaque: opaque(dialect, of, thought.clone()) };
    let own_call = || call("call_a", "{\"a\":1}", opaque(dialect, MODEL, on_call.clone()));
    vec![
        ("text", Request { system: Some("Be brief.".to_owned()), stream: true, ..ask(vec![question()]) }),
        ("one-call", {
            let answer = assistant(vec![text("Let me see."), call("call_a", "{\"a\":1}", None)]);
            with_tools(vec![question(), answer, tool(vec![result("call_a", false, "1")])])
        }),
        ("parallel-calls", {
            let answer = assistant(vec![call("call_a", "{\"a\":1}", None), call("call_b", "", None)]);
            let results =
                [tool(vec![result("call_b", true, "no such file")]), tool(vec![result("call_a", false, "1")])];
            with_tools([question(), answer].into_iter().chain(results).collect())
        }),
        ("result-turn", {
            let answer = assistant(vec![call("call_a", "{\"a\":1}", None)]);
            let said = [Message::text(Role::Assistant, "One."), Message::text(Role::User, "And now?")];
            let begin = [question(), answer, tool(vec![result("call_a", false, "1")])];
            let request = with_tools(begin.into_iter().chain(said).collect());
            Request { tool_choice: ToolChoice::Required, ..request }
        }),
        ("image", ask(vec![user([text("Look:")].into_iter().chain(images).collect())])),
        // An answer that was refused left nothing behind.
        ("refusal", ask(vec![question(), assistant(Vec::new()), Message::text(Role::User, "Why not?")])),
        ("max-tokens", {
            let answer = assistant(vec![text("Half a"), call("call_a", "{\"a\":", None)]);
            let request = with_tools(vec![question(), answer, tool(vec![result("call_a", true, "it was cut off")])]);
            Request { max_tokens: Some(100), temperature: Some(0.5), ..request }
        }),
        ("reasoning", {
            let answer = assistant(vec![thinking(MODEL), own_call()]);
            let before = assistant(vec![thinking("another-model"), text("Well.")]);
            with_tools(vec![question(), before, question(), answer, tool(vec![result("call_a", false, "1")])])
        }),
    ]
}
