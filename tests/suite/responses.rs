//! Whole turns over the Responses API, by key and by the sign-in of the Codex CLI: every mode, streamed and not.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::clients::check_numbers;
use crate::home::Home;
use crate::serving::{self, whole};
use crate::wire::{Framing, Wire};

const TOKEN: &str = "at-secret-token-of-the-file";
const KEY: &str = "sk-secret-key";

#[derive(Clone, Copy, Debug, PartialEq)]
enum By {
    Key,
    Tokens,
}

/// A model that calls `read-note` when it may, and then quotes what that said.
struct Model {
    url: String,
    asked: Arc<Mutex<Vec<Value>>>,
}

impl Model {
    async fn start() -> Self {
        let asked = Arc::<Mutex<Vec<Value>>>::default();
        let log = Arc::clone(&asked);
        let url = serving::answer(move |request| answer(request, &log)).await;
        Self { url, asked }
    }

    fn asked(&self) -> Vec<Value> {
        self.asked.lock().expect("the log").drain(..).collect()
    }
}

fn answer(request: &str, log: &Mutex<Vec<Value>>) -> String {
    let (head, body) = request.split_once("\r\n\r\n").expect("a head");
    let body: Value = serde_json::from_str(body).expect("JSON");
    let output = output(&body);
    let answer = match body["stream"] == true {
        true => whole("200 OK", "content-type: text/event-stream\r\n", &events(&output)),
        false => {
            let response = json!({"object": "response", "status": "completed", "model": "m-1", "output": output});
            whole("200 OK", "content-type: application/json\r\n", &response.to_string())
        }
    };
    log.lock().expect("the log").push(json!({"head": head, "body": body}));
    answer
}

/// The items of the answer.
fn output(body: &Value) -> Vec<Value> {
    let message = |phase: &str, text: &str| {
        let content = json!([{"type": "output_text", "text": text}]);
        json!({"type": "message", "id": "msg", "role": "assistant", "phase": phase, "content": content})
    };
    let last = body["input"].as_array().and_then(|items| items.last()).expect("an item");
    if last["type"] == "function_call_output" {
        return vec![message("final_answer", &format!("It said {}", last["output"].as_str().unwrap_or_default()))];
    }
    if body["tools"].as_array().is_none_or(Vec::is_empty) {
        let plan = "First.\n\n```open-think-action\n{\"skill\":\"read-note\",\"input\":{\"name\":\"plum\"}}\n```\n";
        return vec![message("final_answer", plan)];
    }
    let call = json!({"type": "function_call", "id": "fc", "call_id": "call_1", "name": "read-note", "arguments": "{\"name\":\"quince\"}"});
    let thought = json!({"type": "reasoning", "id": "rs", "summary": [], "encrypted_content": "gAAA"});
    vec![thought, message("commentary", "Let me look."), call]
}

fn events(output: &[Value]) -> String {
    let item = |(index, item): (usize, &Value)| {
        let mut begun = item.clone();
        let (delta, name) = match item["type"].as_str() {
            Some("message") => (begun["content"][0]["text"].take(), "response.output_text.delta"),
            Some("function_call") => (begun["arguments"].take(), "response.function_call_arguments.delta"),
            _ => (json!(""), "response.ignored"),
        };
        begun["content"] = json!([]);
        [
            json!({"type": "response.output_item.added", "output_index": index, "item": begun}),
            json!({"type": name, "output_index": index, "content_index": 0, "delta": delta}),
            json!({"type": "response.output_item.done", "output_index": index, "item": item}),
        ]
    };
    let end = json!({"type": "response.completed", "response": {"model": "m-1", "output": []}});
    let events = output.iter().enumerate().flat_map(item).chain([end]);
    events.map(|event| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap_or_default())).collect()
}

fn home(by: By, url: &str) -> Home {
    let home = Home::new();
    match by {
        By::Key => home.set("OPENAI_API_KEY", KEY).set("OPENAI_BASE_URL", &format!("{url}/v1")),
        By::Tokens => {
            let file = json!({"auth_mode": "chatgpt", "tokens": {"access_token": TOKEN, "account_id": "acct-1"}});
            std::fs::write(home.path().join("auth.json"), file.to_string()).expect("a sign-in");
            let directory = home.path().display().to_string();
            home.set("CODEX_HOME", &directory).set("CODEX_BACKEND_URL", &format!("{url}/backend-api/codex"))
        }
    }
}

#[tokio::test]
async fn every_mode_works_by_key_and_by_tokens() {
    for by in [By::Key, By::Tokens] {
        let model = Model::start().await;
        let home = home(by, &model.url);
        let daemon = home.daemon().await;
        let mut wire = Wire::connect(&daemon, Framing::Lines);
        for stream in [false, true] {
            for mode in ["selective", "auto", "propose"] {
                let session = format!("{by:?} {mode} {stream}");
                let params = json!({"sessionName": session, "mode": mode, "content": "Look.", "stream": stream});
                let result = wire.ask("conductor.message", params).await.unwrap_or_else(|error| panic!("{error}"));
                assert_eq!((&result["providerUsed"], &result["stopReason"]), (&json!("codex"), &json!("end-turn")));
                let asked = model.asked();
                match mode {
                    "propose" => check_plan(&result, &asked),
                    _ => check_run(by, &result, &asked),
                }
                if stream {
                    check_numbers(&wire.events(&session));
                }
                assert!(asked.iter().all(|request| request["body"]["stream"] == (stream || by == By::Tokens)));
            }
        }
        let all = format!("{:?}", wire.seen);
        assert!(!all.contains(TOKEN) && !all.contains(KEY), "a secret shows");
    }
}

fn check_plan(result: &Value, asked: &[Value]) {
    let action = &result["suggestedActions"][0];
    assert_eq!((&action["skill"], &action["input"]), (&json!("read-note"), &json!({"name": "plum"})), "{result}");
    assert_eq!(asked.len(), 1);
}

fn check_run(by: By, result: &Value, asked: &[Value]) {
    let said = result["assistantMessage"]["content"].as_str().expect("an answer");
    assert!(said.contains("quince"), "{result}");
    assert_eq!(result["trace"][0]["input"], json!({"name": "quince"}), "{result}");
    let (path, secret) = match by {
        By::Key => ("POST /v1/responses ", KEY),
        By::Tokens => ("POST /backend-api/codex/responses ", TOKEN),
    };
    let head = asked[1]["head"].as_str().expect("a head");
    assert!(head.starts_with(path) && head.contains(&format!("authorization: Bearer {secret}")), "{head}");
    assert_eq!(head.contains("chatgpt-account-id: acct-1"), by == By::Tokens);
    let input = asked[1]["body"]["input"].as_array().expect("items");
    let kinds: Vec<&str> = input.iter().filter_map(|item| item["type"].as_str()).collect();
    let after = kinds.iter().position(|kind| *kind == "reasoning").expect("the thought goes back");
    assert_eq!(kinds[after..], ["reasoning", "message", "function_call", "function_call_output"]);
    assert_eq!(input[after + 1]["phase"], "commentary");
    assert_eq!(input[after + 2]["call_id"], input[after + 3]["call_id"]);
}
