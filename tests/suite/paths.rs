//! Every path to a model, in every mode, streamed and not: whatever the wire format, the turn is the same.

use serde_json::{Value, json};

use crate::home::Home;
use crate::serving::{self, whole};
use crate::wire::{Framing, Wire};

/// One way to a model: which plugin, what is set for it, and the wire format that is spoken on it.
struct Way {
    plugin: &'static str,
    /// `{}` stands for the server's address.
    settings: &'static [(&'static str, &'static str)],
    tables: &'static str,
    model: &'static str,
    answer: fn(Said, bool) -> String,
    /// Which of its ways it took, where it has several.
    path: Option<&'static str>,
}

/// What the model says.
#[derive(Clone, Copy)]
enum Said {
    /// One safe call and one dangerous.
    Calls,
    Text(&'static str),
}

const CALLS: [(&str, &str, &str); 2] =
    [("call_1", "read-note", r#"{"name":"quince"}"#), ("call_2", "write-note", r#"{"text":"medlar"}"#)];
const PROPOSAL: &str =
    "I would read it.\n\n```open-think-action\n{\"skill\":\"read-note\",\"input\":{\"name\":\"quince\"}}\n```\n";
const LAST: &str = "It says quince.";

const CLOUDFLARE: [(&str, &str); 4] = [
    ("CLOUDFLARE_ACCOUNT_ID", "acc"),
    ("CLOUDFLARE_API_BASE_URL", "{}/client/v4"),
    ("CF_AI_GATEWAY_BASE_URL", "{}/gateway"),
    ("CLOUDFLARE_API_TOKEN", "cf-token"),
];

const WAYS: [Way; 9] = [
    Way {
        plugin: "openai-compatible",
        settings: &[("OPENAI_COMPATIBLE_URL", "{}/v1")],
        tables: "",
        model: "m",
        answer: chat,
        path: None,
    },
    Way {
        plugin: "anthropic",
        settings: &[("ANTHROPIC_BASE_URL", "{}"), ("ANTHROPIC_API_KEY", "sk-a")],
        tables: "",
        model: "m",
        answer: messages,
        path: None,
    },
    Way {
        plugin: "codex",
        settings: &[("OPENAI_BASE_URL", "{}/v1"), ("OPENAI_API_KEY", "sk-o")],
        tables: "",
        model: "m",
        answer: responses,
        path: Some("api-key"),
    },
    Way {
        plugin: "codex",
        settings: &[("OPENAI_BASE_URL", "{}/v1"), ("OPENAI_API_KEY", "sk-o")],
        tables: "[codex]\napi = \"chat\"\n",
        model: "m",
        answer: chat,
        path: Some("api-key"),
    },
    Way {
        plugin: "codex",
        settings: &[("CODEX_BACKEND_URL", "{}/backend-api/codex"), ("CODEX_ACCESS_TOKEN", "token-of-chatgpt")],
        tables: "",
        model: "m",
        answer: responses,
        path: Some("chatgpt-tokens"),
    },
    Way {
        plugin: "cf-ai-gateway",
        settings: &[("AI_GATEWAY_ID", "gw"), CLOUDFLARE[0], CLOUDFLARE[1], CLOUDFLARE[2], CLOUDFLARE[3]],
        tables: "",
        model: "openai/m",
        answer: chat,
        path: Some("run"),
    },
    Way {
        plugin: "cf-ai-gateway",
        settings: &[("AI_GATEWAY_ID", "gw"), CLOUDFLARE[0], CLOUDFLARE[1], CLOUDFLARE[2], CLOUDFLARE[3]],
        tables: "",
        model: "anthropic/m",
        answer: messages,
        path: Some("run"),
    },
    Way {
        plugin: "cf-ai-gateway",
        settings: &[("AI_GATEWAY_ID", "gw"), CLOUDFLARE[0], CLOUDFLARE[2], ("AI_GATEWAY_AUTH_TOKEN", "gw-token")],
        tables: "",
        model: "anthropic/m",
        answer: chat,
        path: Some("compat"),
    },
    Way {
        plugin: "workers-ai",
        settings: &[CLOUDFLARE[0], CLOUDFLARE[1], CLOUDFLARE[3]],
        tables: "[workers_ai]\nnative_tools = true\n",
        model: "@cf/author/m",
        answer: workers_ai,
        path: None,
    },
];

fn chat(said: Said, streamed: bool) -> String {
    let calls = || {
        let call = |(index, (id, name, arguments)): (usize, (&str, &str, &str))| json!({"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": arguments}});
        CALLS.into_iter().enumerate().map(call).collect::<Vec<_>>()
    };
    let (message, reason) = match said {
        Said::Calls => (json!({"role": "assistant", "content": null, "tool_calls": calls()}), "tool_calls"),
        Said::Text(text) => (json!({"role": "assistant", "content": text}), "stop"),
    };
    let usage = json!({"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10});
    if !streamed {
        let choice = json!({"index": 0, "message": message, "finish_reason": reason});
        return json!({"model": "m-1", "choices": [choice], "usage": usage}).to_string();
    }
    let chunk = json!({"model": "m-1", "choices": [{"index": 0, "delta": message}]});
    let end = json!({"model": "m-1", "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]});
    events(&[chunk, end, json!({"model": "m-1", "choices": [], "usage": usage}), json!("[DONE]")])
}

fn messages(said: Said, streamed: bool) -> String {
    let blocks: Vec<Value> = match said {
        Said::Calls => {
            CALLS.map(|(id, name, _)| json!({"type": "tool_use", "id": id, "name": name, "input": {}})).into()
        }
        Said::Text(_) => vec![json!({"type": "text", "text": ""})],
    };
    let deltas: Vec<Value> = match said {
        Said::Calls => CALLS.map(|(_, _, input)| json!({"type": "input_json_delta", "partial_json": input})).into(),
        Said::Text(text) => vec![json!({"type": "text_delta", "text": text})],
    };
    let reason = if matches!(said, Said::Calls) { "tool_use" } else { "end_turn" };
    let usage = json!({"input_tokens": 7, "output_tokens": 3});
    if !streamed {
        let filled = blocks.into_iter().zip(&deltas).map(|(mut block, delta)| {
            match &delta["partial_json"] {
                Value::String(input) => block["input"] = serde_json::from_str(input).expect("JSON"),
                _ => block["text"] = delta["text"].clone(),
            }
            block
        });
        let content: Vec<Value> = filled.collect();
        return json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m-1", "content": content,
            "stop_reason": reason, "usage": usage})
        .to_string();
    }
    let start = json!({"id": "msg_1", "model": "m-1", "content": [], "usage": {"input_tokens": 7, "output_tokens": 1}});
    let mut all = vec![json!({"type": "message_start", "message": start})];
    for (index, (block, delta)) in blocks.into_iter().zip(deltas).enumerate() {
        all.push(json!({"type": "content_block_start", "index": index, "content_block": block}));
        all.push(json!({"type": "content_block_delta", "index": index, "delta": delta}));
        all.push(json!({"type": "content_block_stop", "index": index}));
    }
    all.push(json!({"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 3}}));
    all.push(json!({"type": "message_stop"}));
    events(&all)
}

fn responses(said: Said, streamed: bool) -> String {
    let items: Vec<Value> = match said {
        Said::Calls => CALLS
            .map(|(id, name, arguments)| {
                json!({"type": "function_call", "id": format!("fc_{id}"), "call_id": id, "name": name,
                    "arguments": arguments})
            })
            .into(),
        Said::Text(text) => {
            let part = json!({"type": "output_text", "text": text, "annotations": []});
            vec![json!({"type": "message", "id": "msg_1", "role": "assistant", "content": [part]})]
        }
    };
    let usage = json!({"input_tokens": 7, "output_tokens": 3, "total_tokens": 10});
    let whole = json!({"id": "resp_1", "model": "m-1", "status": "completed", "output": items, "usage": usage});
    if !streamed {
        return whole.to_string();
    }
    let mut all = vec![json!({"type": "response.created", "response": {"id": "resp_1", "model": "m-1"}})];
    for (index, item) in items.iter().enumerate() {
        let mut begun = item.clone();
        let piece = match said {
            Said::Calls => {
                begun["arguments"] = json!("");
                json!({"type": "response.function_call_arguments.delta", "output_index": index, "item_id": item["id"],
                    "delta": item["arguments"]})
            }
            Said::Text(text) => {
                begun["content"] = json!([]);
                json!({"type": "response.output_text.delta", "output_index": index, "item_id": item["id"],
                    "content_index": 0, "delta": text})
            }
        };
        all.push(json!({"type": "response.output_item.added", "output_index": index, "item": begun}));
        all.push(piece);
        all.push(json!({"type": "response.output_item.done", "output_index": index, "item": item}));
    }
    all.push(json!({"type": "response.completed", "response": whole}));
    events(&all)
}

/// In its own dialect: calls have no ids, and arguments are objects.
fn workers_ai(said: Said, streamed: bool) -> String {
    let usage = json!({"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10});
    let mut answer = match said {
        Said::Calls => {
            let input = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
            let calls = CALLS.map(|(_, name, arguments)| json!({"name": name, "arguments": input(arguments)}));
            json!({"response": "", "tool_calls": calls})
        }
        Said::Text(text) => json!({"response": text}),
    };
    if !streamed {
        answer["usage"] = usage;
        return json!({"result": answer, "success": true, "errors": [], "messages": []}).to_string();
    }
    events(&[answer, json!({"response": "", "usage": usage}), json!("[DONE]")])
}

fn events(all: &[Value]) -> String {
    let event = |value: &Value| match value.as_str() {
        Some(text) => format!("data: {text}\n\n"),
        None => format!("event: {}\ndata: {value}\n\n", value["type"].as_str().unwrap_or("message")),
    };
    all.iter().map(event).collect()
}

/// Whether the server streams when it is asked to.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Server {
    Streams,
    NeverStreams,
}

/// A model that calls skills when it is given any, and says its last word when it hears what came of the first.
async fn serve(answer: fn(Said, bool) -> String, server: Server) -> String {
    serving::answer(move |request| answered(request, answer, server)).await
}

fn answered(request: &str, answer: fn(Said, bool) -> String, server: Server) -> String {
    let body: Value =
        request.split_once("\r\n\r\n").and_then(|(_, body)| serde_json::from_str(body).ok()).unwrap_or_default();
    let has_tools = body["tools"].as_array().is_some_and(|tools| !tools.is_empty());
    let said = match (has_tools, request.contains("quince")) {
        (false, _) => Said::Text(PROPOSAL),
        (true, false) => Said::Calls,
        (true, true) => Said::Text(LAST),
    };
    let streams = server == Server::Streams && body["stream"] == true;
    let answer = answer(said, streams);
    let kind = if streams { "text/event-stream" } else { "application/json" };
    whole("200 OK", &format!("content-type: {kind}\r\n"), &answer)
}

/// What is the same on all paths: no ids, no times, no names of models.
#[derive(Debug, PartialEq)]
struct Seen {
    result: Value,
    events: Vec<String>,
}

async fn run(way: &Way, mode: &str, server: Server, stream: bool) -> Seen {
    let url = serve(way.answer, server).await;
    let home = Home::with(way.tables);
    let home = way.settings.iter().fold(home, |home, (name, value)| home.set(name, &value.replace("{}", &url)));
    let home = home.set("ENABLED_PLUGINS", &format!("{},command", way.plugin));
    let daemon = home.daemon().await;
    let mut wire = Wire::connect(&daemon, Framing::Lines);
    let params = json!({"content": "What does the note say?", "mode": mode, "model": way.model, "stream": stream});
    let mut result =
        wire.ask("conductor.message", params).await.unwrap_or_else(|error| panic!("{}: {error}", way.plugin));
    assert_eq!(result["providerUsed"], way.plugin);
    assert_eq!(result["metadata"]["path"].as_str(), way.path, "{}: {result}", way.plugin);
    if mode == "selective" {
        let action = &result["suggestedActions"][0]["id"];
        let approve = json!({"sessionName": "conductor:default", "actionIds": [action], "decision": "approve"});
        result = wire.ask("conductor.approve", approve).await.expect("the turn goes on");
        assert_eq!(home.notes(), [json!({"text": "medlar"})], "{}", way.plugin);
    }
    let events = kinds(&wire.events("conductor:default"));
    let trace = result["trace"].as_array().expect("a trace").iter();
    let trace: Vec<Value> = trace.map(|entry| json!([entry["skill"], entry["ok"], entry["result"]])).collect();
    let suggested = result["suggestedActions"].as_array().expect("actions").iter();
    let result = json!({
        "text": result["assistantMessage"]["content"],
        "trace": trace,
        "suggested": suggested.map(|action| json!([action["skill"], action["input"]])).collect::<Vec<_>>(),
        "stopReason": result["stopReason"],
        "iterations": result["iterationsUsed"],
        "usage": result["usage"],
        "mode": result["mode"],
    });
    Seen { result, events }
}

/// How a text is cut is the server's affair, and whether its calls are interleaved.
fn kinds(events: &[Value]) -> Vec<String> {
    let mut kinds: Vec<(String, u64)> = Vec::new();
    for event in events.iter().map(|event| &event["event"]) {
        let kind = event["kind"].as_str().expect("a kind").to_owned();
        let index = event["index"].as_u64().unwrap_or_default();
        let same = kinds.last().is_some_and(|last| *last == (kind.clone(), index));
        if !same || !(kind.ends_with("-delta") || kind == "tool-use-input") {
            kinds.push((kind, index));
        }
    }
    let calls =
        |one: &(String, u64), other: &(String, u64)| one.0.starts_with("tool-use-") == other.0.starts_with("tool-use-");
    for run in kinds.chunk_by_mut(calls).filter(|run| run[0].0.starts_with("tool-use-")) {
        run.sort_by_key(|(_, index)| *index);
    }
    kinds.into_iter().map(|(kind, index)| format!("{index} {kind}")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_turn_is_the_same_on_every_path() {
    for mode in ["propose", "selective", "auto"] {
        let (first, others) = WAYS.split_first().expect("there are ways");
        for stream in [true, false] {
            let expected = run(first, mode, Server::Streams, stream).await;
            insta::assert_json_snapshot!(
                format!("{mode}_{}", if stream { "streamed" } else { "whole" }),
                json!([expected.result, expected.events])
            );
            for way in [first].into_iter().chain(others) {
                for server in [Server::Streams, Server::NeverStreams] {
                    let seen = run(way, mode, server, stream).await;
                    assert_eq!(seen, expected, "{} in {mode}, {server:?}, streamed: {stream}", way.plugin);
                }
            }
        }
    }
}
