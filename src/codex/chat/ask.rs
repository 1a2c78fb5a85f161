//! A request as the app-server is asked it: what the thread is started with, what it is told of before, and what it is
//! asked. Pure.

use serde_json::{Map, Value, json};

use crate::codex::engine::thread::{dynamic_tools, image_url, input, without_tools};
use crate::model::{Block, Message, Request, Role, ToolCall, ToolResult};

/// In place of what makes Codex write code, where a request says nothing of its own.
const PLAIN: &str = "You answer what you are asked.";

/// A thread that sees nothing, may do nothing, and is forgotten afterwards.
pub fn start(request: &Request, model: Option<&str>) -> Value {
    let mut config = without_tools();
    if let Some(verbosity) = option(request, "verbosity") {
        config["model_verbosity"] = json!(verbosity);
    }
    let mut params = json!({
        "ephemeral": true,
        "environments": [],
        "sandbox": "read-only",
        "approvalPolicy": "never",
        "baseInstructions": request.system_text().unwrap_or(PLAIN),
        "config": config,
    });
    if !request.tools.is_empty() {
        params["dynamicTools"] = Value::Array(dynamic_tools(&request.tools));
    }
    if let Some(model) = model {
        params["model"] = json!(model);
    }
    params
}

/// What is asked, and what was said before. Results of calls are no new question: the model goes on from them.
pub fn split(messages: &[Message]) -> (&[Message], &[Message]) {
    let asks = messages.last().is_some_and(|message| message.role == Role::User);
    messages.split_at(messages.len() - usize::from(asks))
}

/// What a thread is asked that knows what was said before: all since it last answered.
pub fn latest(messages: &[Message]) -> &[Message] {
    let answered = messages.iter().rposition(|message| message.role == Role::Assistant);
    &messages[answered.map_or(0, |at| at + 1)..]
}

/// `more` are members beside the usual ones.
pub fn turn(
    request: &Request,
    thread: &str,
    model: Option<&str>,
    asked: &[Message],
    more: Map<String, Value>,
) -> Value {
    let asked = input(asked.iter().flat_map(|message| &message.blocks));
    let mut params = Map::from_iter([("threadId".to_owned(), json!(thread)), ("input".to_owned(), json!(asked))]);
    let wanted = [
        ("model", model),
        ("effort", option(request, "reasoningEffort")),
        ("summary", option(request, "reasoningSummary")),
        ("serviceTier", option(request, "serviceTier")),
    ];
    params.extend(wanted.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value?)))));
    params.extend(more);
    Value::Object(params)
}

pub fn option<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    request.options.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// Messages as items of the Responses API, calls and results in their own words.
pub fn history(messages: &[Message]) -> Vec<Value> {
    let mut items = Vec::new();
    for message in messages {
        let (role, text_type) = match message.role {
            Role::Assistant => ("assistant", "output_text"),
            Role::System => ("developer", "input_text"),
            Role::User | Role::Tool => ("user", "input_text"),
        };
        let mut content: Vec<Value> = Vec::new();
        for block in &message.blocks {
            match block {
                Block::Text { text } if !text.is_empty() => content.push(json!({ "type": text_type, "text": text })),
                Block::Image { source } if role == "user" => {
                    content.push(json!({ "type": "input_image", "image_url": image_url(source) }));
                }
                Block::ToolCall(call) => {
                    items.extend(said(role, &mut content));
                    items.push(called(call));
                }
                Block::ToolResult(result) => items.push(gave(result)),
                Block::Text { .. } | Block::Image { .. } | Block::Reasoning { .. } | Block::Foreign { .. } => {}
            }
        }
        items.extend(said(role, &mut content));
    }
    items
}

fn said(role: &str, content: &mut Vec<Value>) -> Option<Value> {
    let content = std::mem::take(content);
    (!content.is_empty()).then(|| json!({ "type": "message", "role": role, "content": content }))
}

fn called(call: &ToolCall) -> Value {
    let arguments = if call.arguments.trim().is_empty() { "{}" } else { &call.arguments };
    json!({ "type": "function_call", "call_id": call.id, "name": call.name, "arguments": arguments })
}

fn gave(result: &ToolResult) -> Value {
    json!({ "type": "function_call_output", "call_id": result.call_id, "output": result.content })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(role: Role, blocks: Vec<Block>) -> Message {
        Message { role, blocks }
    }

    fn text(text: &str) -> Block {
        Block::Text { text: text.to_owned() }
    }

    #[test]
    fn calls_and_results_stay_what_they_are() {
        let call = ToolCall { id: "c1".into(), name: "look".into(), arguments: String::new(), opaque: None };
        let result = ToolResult { call_id: "c1".into(), name: "look".into(), is_error: false, content: "it is".into() };
        let messages = [
            message(Role::System, vec![text("be brief")]),
            message(Role::User, vec![text("look"), text("")]),
            message(Role::Assistant, vec![text("I look"), Block::ToolCall(call)]),
            message(Role::Tool, vec![Block::ToolResult(result)]),
        ];
        let (before, asked) = split(&messages);
        assert_eq!((before.len(), asked.len()), (4, 0));
        let part = |kind: &str, text: &str| json!([{ "type": kind, "text": text }]);
        let expected = json!([
            { "type": "message", "role": "developer", "content": part("input_text", "be brief") },
            { "type": "message", "role": "user", "content": part("input_text", "look") },
            { "type": "message", "role": "assistant", "content": part("output_text", "I look") },
            { "type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}" },
            { "type": "function_call_output", "call_id": "c1", "output": "it is" },
        ]);
        assert_eq!(json!(history(before)), expected);
    }

    #[test]
    fn the_last_words_of_the_user_are_what_is_asked() {
        let [user, assistant] = [Role::User, Role::Assistant].map(|role| message(role, vec![text("a")]));
        let messages = [user.clone(), assistant.clone(), user.clone()];
        assert_eq!(split(&messages), (&messages[..2], &messages[2..]));
        assert_eq!(latest(&messages), &messages[2..]);
        assert_eq!(latest(&messages[..1]), &messages[..1]);
        assert_eq!(latest(&messages[..2]), &[] as &[Message]);
        assert_eq!(split(&messages[..2]), (&messages[..2], &[] as &[Message]));
    }

    #[test]
    fn a_thread_is_started_with_nothing_to_work_with() {
        let request = Request { system: Some("Be kind.".into()), ..Request::default() };
        let params = start(&request, Some("gpt-x"));
        assert_eq!((&params["baseInstructions"], &params["model"]), (&json!("Be kind."), &json!("gpt-x")));
        assert_eq!((&params["environments"], &params["sandbox"]), (&json!([]), &json!("read-only")));
        assert_eq!(params["config"]["features.shell_tool"], json!(false));
        assert!(params.get("dynamicTools").is_none());
    }
}
