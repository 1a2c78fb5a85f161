//! The AI gateway end to end: all modes over both of its paths, and its skills.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::home::Home;
use crate::serving::{self, whole};
use crate::wire::{Framing, Wire};

const TOKENS: [&str; 2] = ["cf-api-token-secret", "aig-auth-token-secret"];
const KEY: &str = "sk-of-the-caller-secret";

/// What leads to a model, and what says so in the result.
struct Way {
    model: &'static str,
    has_token: bool,
    target: &'static str,
}

const WAYS: [Way; 4] = [
    Way { model: "openai/m", has_token: true, target: "/client/v4/accounts/acct/ai/v1/chat/completions" },
    Way { model: "anthropic/m", has_token: true, target: "/client/v4/accounts/acct/ai/v1/messages" },
    Way { model: "alibaba/m", has_token: true, target: "/client/v4/accounts/acct/ai/run" },
    Way { model: "grok/m", has_token: false, target: "/v1/acct/gw/compat/chat/completions" },
];

impl Way {
    fn home(&self, url: &str) -> Home {
        let home = Home::with("[http]\nmax_retries = 0")
            .set("AI_GATEWAY_ID", "gw")
            .set("CLOUDFLARE_ACCOUNT_ID", "acct")
            .set("AI_GATEWAY_AUTH_TOKEN", TOKENS[1])
            .set("CF_AI_GATEWAY_BASE_URL", url)
            .set("CLOUDFLARE_API_BASE_URL", &format!("{url}/client/v4"))
            .set("CF_AI_GATEWAY_DEFAULT_MODEL", self.model);
        if self.has_token { home.set("CLOUDFLARE_API_TOKEN", TOKENS[0]) } else { home }
    }
}

/// Answers each request as it asks to be: by its door, and with a call of a skill before the text.
pub async fn serve() -> String {
    serving::answer(answer).await
}

fn answer(request: &str) -> String {
    let (head, body) = request.split_once("\r\n\r\n").expect("a head");
    let target = head.split(' ').nth(1).unwrap_or_default();
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    if body.to_string().contains("fail at once") {
        let quoted: Vec<&str> = head.lines().filter(|line| line.contains("authorization:")).collect();
        let echo = json!({ "error": { "message": format!("I do not like {}", quoted.join(" nor ")) } });
        return whole("400 Bad Request", "content-type: application/json\r\n", &echo.to_string());
    }
    let is_universal = target.ends_with("/ai/run");
    let input = if is_universal { &body["input"] } else { &body };
    let said = said(&input["messages"], !input["tools"].is_null());
    let streamed = input["stream"] == true;
    let chunks = if target.ends_with("/messages") { messages(&said, streamed) } else { completion(&said, streamed) };
    if streamed {
        return format!(
            "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: text/event-stream\r\ncf-aig-step: 0\r\n\r\n{chunks}"
        );
    }
    let chunks = match is_universal {
        true => format!("{{\"result\":{chunks},\"success\":true,\"errors\":[],\"messages\":[]}}"),
        false => chunks,
    };
    whole("200 OK", "content-type: application/json\r\ncf-aig-log-id: 01J\r\n", &chunks)
}

enum Said {
    Text(String),
    Call,
}

/// First a call, then what came of it; a plan where no tools are on offer.
fn said(messages: &Value, has_tools: bool) -> Said {
    let last = messages.as_array().and_then(|messages| messages.last()).map(ToString::to_string).unwrap_or_default();
    match (has_tools, last.contains("quince")) {
        (true, false) => Said::Call,
        (true, true) => Said::Text("The note says quince.".to_owned()),
        (false, _) => {
            let action = r#"{"skill":"read-note","input":{"name":"quince"}}"#;
            Said::Text(format!("I would read.\n```open-think-action\n{action}\n```\n"))
        }
    }
}

fn completion(said: &Said, streamed: bool) -> String {
    let call = json!([{ "index": 0, "id": "call_1", "function": { "name": "read-note", "arguments": "{\"name\":\"quince\"}" } }]);
    let (piece, reason) = match said {
        Said::Text(text) => (json!({ "content": text }), "stop"),
        Said::Call => (json!({ "tool_calls": call }), "tool_calls"),
    };
    if !streamed {
        return json!({ "choices": [{ "index": 0, "message": piece, "finish_reason": reason }] }).to_string();
    }
    let first = json!({ "choices": [{ "index": 0, "delta": piece }] });
    let last = json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": reason }] });
    format!("data: {first}\n\ndata: {last}\n\ndata: [DONE]\n\n")
}

fn messages(said: &Said, streamed: bool) -> String {
    let (block, reason) = match said {
        Said::Text(text) => (json!({ "type": "text", "text": text }), "end_turn"),
        Said::Call => {
            let input = json!({ "name": "quince" });
            (json!({ "type": "tool_use", "id": "toolu_1", "name": "read-note", "input": input }), "tool_use")
        }
    };
    if !streamed {
        let message = json!({ "type": "message", "role": "assistant", "id": "1", "model": "m", "content": [block] });
        let mut message = message;
        message["stop_reason"] = json!(reason);
        return message.to_string();
    }
    let events = [
        json!({ "type": "message_start", "message": { "id": "1", "model": "m", "content": [] } }),
        json!({ "type": "content_block_start", "index": 0, "content_block": block }),
        json!({ "type": "content_block_stop", "index": 0 }),
        json!({ "type": "message_delta", "delta": { "stop_reason": reason } }),
        json!({ "type": "message_stop" }),
    ];
    events.iter().map(|event| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap_or("x"))).collect()
}

#[tokio::test]
async fn every_mode_works_on_every_way_streamed_and_not() {
    let url = serve().await;
    for way in &WAYS {
        let home = way.home(&url);
        let daemon = home.daemon().await;
        let mut wire = Wire::connect(&daemon, Framing::Lines);
        for mode in ["propose", "selective", "auto"] {
            let mut kinds = Vec::new();
            for stream in [false, true] {
                let session = format!("{mode} {stream}");
                let params = json!({"sessionName": session, "mode": mode, "content": "read it", "stream": stream});
                let result = wire.ask("conductor.message", params).await.expect("an answer");
                assert_eq!(result["providerUsed"], "cf-ai-gateway", "{}", way.target);
                let text = result["assistantMessage"]["content"].as_str().unwrap_or_default();
                if mode == "propose" {
                    assert_eq!(text.trim(), "I would read.", "{} {session}", way.target);
                    assert_eq!(result["suggestedActions"][0]["skill"], "read-note");
                } else {
                    assert_eq!(text, "The note says quince.", "{} {session}", way.target);
                    assert_eq!(result["trace"][0]["result"], json!({ "name": "quince" }));
                }
                kinds.push(wire.events(&session).len());
            }
            assert!(kinds[0] == 0 && kinds[1] > 3, "{mode}: {kinds:?}");
        }
    }
}

#[tokio::test]
async fn its_skills_say_the_path_and_list_the_attempts() {
    let url = serve().await;
    let home = WAYS[0].home(&url);
    let daemon = home.daemon().await;
    let mut wire = Wire::connect(&daemon, Framing::Lines);
    let messages = json!([{ "role": "user", "content": "quince" }]);
    for (model, force, path) in
        [("openai/m", false, "run"), ("openai/m", true, "compat"), ("openrouter/a/m", false, "native")]
    {
        let input = json!({ "model": model, "messages": messages, "forceCompat": force, "includeRaw": true });
        let result =
            wire.ask("skills.invoke", json!({ "skill": "cf-gateway-chat", "input": input })).await.expect("an answer");
        let data = &result["data"];
        assert_eq!((&data["path"], &data["provider"]), (&json!(path), &json!("cf-ai-gateway")), "{data}");
        assert_eq!((&data["metadata"]["logId"], data["response"].is_object()), (&json!("01J"), true), "{data}");
    }
    let failing = json!([{ "role": "user", "content": "fail at once" }]);
    let input = json!({ "messages": failing, "models": ["openai/m", "elevenlabs/x", "mistral/m"] });
    let error = wire
        .ask("skills.invoke", json!({ "skill": "cf-gateway-chat-fallbacks", "input": input }))
        .await
        .expect_err("all fail");
    assert_eq!((&error["code"], &error["data"]["code"]), (&json!(-32012), &json!("E_FALLBACKS_EXHAUSTED")), "{error}");
    let attempts = error["data"]["attempts"].as_array().expect("attempts");
    let statuses: Vec<_> = attempts.iter().map(|row| (row["ok"].as_bool(), row["status"].as_u64())).collect();
    assert_eq!(statuses, [(Some(false), Some(400)), (Some(false), None), (Some(false), Some(400))], "{error}");
}

/// Frames, log and rows of a run in which the other side quotes every secret that it was sent.
#[tokio::test]
async fn no_secret_is_told_logged_or_kept() {
    let url = serve().await;
    let home = WAYS[0].home(&url);
    let mut wire = home.spawn(Framing::Lines);
    let mut told = String::new();
    for content in ["quince", "fail at once"] {
        let input = json!({
            "model": "openai/m",
            "messages": [{ "role": "user", "content": content }],
            "providerApiKey": KEY,
            "includeRaw": true,
        });
        let answer = wire.ask("skills.invoke", json!({ "skill": "cf-gateway-chat", "input": input })).await;
        told.push_str(&format!("{answer:?}"));
        let answer = wire.ask("conductor.message", json!({ "content": content, "mode": "auto" })).await;
        told.push_str(&format!("{answer:?}"));
    }
    assert!(told.contains("***"), "the other side quoted something: {told}");
    told.push_str(&format!("{:?}", wire.seen));
    wire.end_input().await;
    told.push_str(&format!("{:?}", wire.exit().await));
    let kept = everything(home.path());
    assert!(kept.len() > 1000, "there is a log and a database");
    for secret in TOKENS.into_iter().chain([KEY]) {
        assert!(!told.contains(secret), "{secret} is told");
        let found = kept.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!found, "{secret} is kept on disk");
    }
}

/// Every byte of every file below.
fn everything(directory: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            bytes.extend(everything(&path));
        } else {
            bytes.extend(fs::read(&path).expect("a file"));
        }
    }
    bytes
}
