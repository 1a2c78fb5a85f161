//! What the model answers, which the last words of the user decide:
//!
//! | words | answer |
//! |---|---|
//! | `call NAME JSON` | a call of that tool; several with ` and ` between them at once, with ` then ` one after the other |
//! | `run COMMAND`, `run outside COMMAND` | the same for the shell tool; the latter asks to leave the sandbox |
//! | `patch FILE` | a patch that adds this file |
//! | `think` | reasoning, then text |
//! | `slowly NAME` | a piece of text, the rest once the gate of that name is opened |
//! | `talk N` | so many pieces |
//! | `fail STATUS`, `fail usage` | that status; the usage limit |
//! | `cut` | a stream that ends in the middle |
//! | `once fail …`, `once cut` | the same, but the first time only |
//! | anything else | `You said: …` in several pieces |
//!
//! What calls gave is quoted: `Done: …`.

use serde_json::{Deserializer, Value, json};

/// When the usage limit ends, in seconds.
pub const RESETS_AT: u64 = 4_102_444_800;

pub enum Reply {
    Refused(u16, Value),
    Stream(Vec<Step>),
}

pub enum Step {
    Event(Value),
    /// The rest waits here.
    Gate(String),
    /// The connection ends.
    Cut,
}

/// `again` if the same was asked before.
pub fn reply(body: &Value, again: bool) -> Reply {
    // A websocket is made ready ahead of need.
    if body["generate"] == false {
        return whole([]);
    }
    let (text, outputs) = last_words(body);
    let (text, once) = match text.strip_prefix("once ") {
        Some(rest) => (rest, true),
        None => (text, false),
    };
    let over = once && again;
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    match word {
        "fail" if !over => refused(rest),
        "cut" if !over => stream(said("This ends in the middle").into_iter().take(4).chain([Step::Cut])),
        "call" | "run" | "patch" => match calls(text, outputs.len()) {
            Some(calls) => whole(calls),
            None => whole(said(&format!("Done: {}", outputs.join(", ")))),
        },
        "think" => whole(reasoned().into_iter().chain(said("Thought through."))),
        "slowly" => slowly(rest),
        "talk" => whole(said(&"word ".repeat(rest.parse().expect("a number of pieces")))),
        _ => whole(said(&format!("You said: {text}"))),
    }
}

/// The last thing that the user said, and what the calls since then gave.
pub fn last_words(body: &Value) -> (&str, Vec<String>) {
    let items = body["input"].as_array().map(Vec::as_slice).unwrap_or_default();
    let Some(at) = items.iter().rposition(|item| words(item).is_some()) else { return ("", Vec::new()) };
    let outputs = items[at..].iter().filter(|item| !item["output"].is_null());
    (words(&items[at]).unwrap_or_default(), outputs.map(|item| output_text(&item["output"])).collect())
}

/// What the user said. What the program itself says in the user's place is in tags.
fn words(item: &Value) -> Option<&str> {
    let part = if item["role"] == "user" { item["content"].as_array()?.last()? } else { return None };
    part["text"].as_str().filter(|text| !text.starts_with('<'))
}

fn output_text(output: &Value) -> String {
    match output {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
        other => other.to_string(),
    }
}

fn refused(how: &str) -> Reply {
    let error = |kind: &str, message: &str| json!({"error": {"type": kind, "message": message}});
    match how {
        "usage" => {
            let message = "The usage limit has been reached";
            let error =
                json!({"type": "usage_limit_reached", "message": message, "plan_type": "pro", "resets_at": RESETS_AT});
            Reply::Refused(429, json!({"error": error}))
        }
        "401" => Reply::Refused(401, error("invalid_request_error", "The key is not valid")),
        "429" => Reply::Refused(429, error("requests", "Too many requests")),
        status => Reply::Refused(status.parse().expect("a status"), error("server_error", "Something broke")),
    }
}

/// The next calls of such a text, after so many outputs; none if all were made.
fn calls(text: &str, outputs: usize) -> Option<Vec<Step>> {
    let mut made = 0;
    let mut rest = text;
    loop {
        let (group, after) = group(rest);
        if made >= outputs {
            return Some(group);
        }
        made += group.len();
        rest = after?;
    }
}

/// The calls that are made at once, and the text of those after them.
fn group(text: &str) -> (Vec<Step>, Option<&str>) {
    let mut calls = Vec::new();
    let mut rest = text;
    loop {
        let (word, arguments) = rest.split_once(' ').unwrap_or((rest, ""));
        let (item, after) = match word {
            "call" => {
                let (name, arguments) = arguments.split_once(' ').expect("a name and JSON");
                let mut values = Deserializer::from_str(arguments).into_iter::<Value>();
                let value = values.next().expect("arguments").expect("JSON");
                (function_call(name, &value), &arguments[values.byte_offset()..])
            }
            "run" => (shell_call(arguments), ""),
            "patch" => (patch_call(arguments), ""),
            _ => panic!("no call: {rest:?}"),
        };
        calls
            .push(Step::Event(json!({"type": "response.output_item.done", "output_index": calls.len(), "item": item})));
        if let Some(next) = after.strip_prefix(" and ") {
            rest = next;
        } else {
            return (calls, after.strip_prefix(" then "));
        }
    }
}

fn function_call(name: &str, arguments: &Value) -> Value {
    let (id, call_id) = (unique("fc"), unique("call"));
    json!({"type": "function_call", "id": id, "call_id": call_id, "name": name, "arguments": arguments.to_string()})
}

fn shell_call(command: &str) -> Value {
    match command.strip_prefix("outside ") {
        None => function_call("exec_command", &json!({"cmd": command})),
        Some(command) => {
            let reason = "It has to be outside.";
            let arguments =
                json!({"cmd": command, "sandbox_permissions": "require_escalated", "justification": reason});
            function_call("exec_command", &arguments)
        }
    }
}

fn patch_call(file: &str) -> Value {
    let patch = format!("*** Begin Patch\n*** Add File: {file}\n+patched\n*** End Patch\n");
    let (id, call_id) = (unique("ctc"), unique("call"));
    json!({"type": "custom_tool_call", "id": id, "call_id": call_id, "name": "apply_patch", "input": patch})
}

fn unique(prefix: &str) -> String {
    format!("{prefix}_{}", uuid::Uuid::new_v4().simple())
}

/// A message of the assistant, a word a piece.
fn said(text: &str) -> Vec<Step> {
    let id = unique("msg");
    let message = |status: &str, content: Value| json!({"type": "message", "id": id, "role": "assistant", "status": status, "content": content});
    let part = |text: &str| json!({"type": "output_text", "text": text, "annotations": []});
    let place = |kind: &str, key: &str, value: Value| {
        let mut event = json!({"type": kind, "item_id": id, "output_index": 0, "content_index": 0});
        event[key] = value;
        Step::Event(event)
    };
    let mut steps = vec![
        Step::Event(
            json!({"type": "response.output_item.added", "output_index": 0, "item": message("in_progress", json!([]))}),
        ),
        place("response.content_part.added", "part", part("")),
    ];
    steps.extend(text.split_inclusive(' ').map(|piece| place("response.output_text.delta", "delta", json!(piece))));
    steps.push(place("response.output_text.done", "text", json!(text)));
    let done = message("completed", json!([part(text)]));
    steps.push(Step::Event(json!({"type": "response.output_item.done", "output_index": 0, "item": done})));
    steps
}

fn slowly(gate: &str) -> Reply {
    let mut steps = said("Slowly but surely.");
    // After the item, its part and the first piece.
    steps.insert(3, Step::Gate(gate.to_owned()));
    whole(steps)
}

fn reasoned() -> Vec<Step> {
    let id = unique("rs");
    let summary = json!([{"type": "summary_text", "text": "**Thinking** hard"}]);
    let events = [
        json!({"type": "response.output_item.added", "output_index": 0, "item": {"type": "reasoning", "id": id, "summary": []}}),
        json!({"type": "response.reasoning_summary_part.added", "item_id": id, "output_index": 0, "summary_index": 0, "part": {"type": "summary_text", "text": ""}}),
        json!({"type": "response.reasoning_summary_text.delta", "item_id": id, "output_index": 0, "summary_index": 0, "delta": "**Thinking** hard"}),
        json!({"type": "response.output_item.done", "output_index": 0, "item": {"type": "reasoning", "id": id, "summary": summary, "encrypted_content": "opaque"}}),
    ];
    events.map(Step::Event).into()
}

fn stream(steps: impl IntoIterator<Item = Step>) -> Reply {
    let created = json!({"type": "response.created", "response": {"id": unique("resp"), "status": "in_progress"}});
    Reply::Stream([Step::Event(created)].into_iter().chain(steps).collect())
}

fn whole(steps: impl IntoIterator<Item = Step>) -> Reply {
    let usage = json!({
        "input_tokens": 1200, "input_tokens_details": {"cached_tokens": 1024},
        "output_tokens": 40, "output_tokens_details": {"reasoning_tokens": 8}, "total_tokens": 1240,
    });
    let response = json!({"id": unique("resp"), "status": "completed", "output": [], "usage": usage});
    let completed = Step::Event(json!({"type": "response.completed", "response": response}));
    stream(steps.into_iter().chain([completed]))
}
