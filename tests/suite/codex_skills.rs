//! The skills of the plugin `codex` over an app-server, which says what 0.169.0 was recorded to say.

use std::sync::Arc;

use open_think::daemon::Daemon;
use serde_json::{Value, json};

use crate::app_server::{AppServer, Reply};
use crate::home::Home;
use crate::wire::{Framing, Wire};

/// What was recorded of a turn, in its own thread.
fn recorded(name: &str) -> (Vec<Value>, String, String) {
    let path = format!("{}/tests/fixtures/codex/{name}.jsonl", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let frames: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let started = frames.iter().find(|frame| frame["method"] == "turn/started").expect("a turn");
    let name = |value: &Value| value.as_str().expect("an id").to_owned();
    let (thread, turn) = (name(&started["params"]["threadId"]), name(&started["params"]["turn"]["id"]));
    (frames, thread, turn)
}

/// Runs this turn whenever it is asked for one, as far as this method; the rest once it is interrupted.
async fn playing(turn: &'static str, cut: Option<&'static str>) -> AppServer {
    let (frames, thread, id) = recorded(turn);
    let at = frames.iter().position(|frame| cut.is_some_and(|cut| frame["method"] == cut));
    let (now, later) = frames.split_at(at.map_or(frames.len(), |at| at + 1));
    let (now, later) = (now.to_vec(), later.to_vec());
    AppServer::start(move |method, _| match method {
        "thread/start" | "thread/resume" => Reply::Result(opened(&thread).to_string()),
        "turn/start" => Reply::Then(json!({ "turn": { "id": id, "status": "inProgress" } }).to_string(), now.clone()),
        "turn/interrupt" => Reply::Then("{}".into(), later.clone()),
        "account/rateLimits/read" => Reply::Result(limits(100, 1_700_000_000).to_string()),
        _ => Reply::Result("{}".into()),
    })
    .await
}

fn opened(thread: &str) -> Value {
    json!({
        "thread": { "id": thread, "status": { "type": "idle" }, "turns": [] },
        "model": "gpt-5.5", "cwd": "/home/user/work", "approvalPolicy": "on-request",
        "sandbox": { "type": "workspaceWrite", "networkAccess": false },
    })
}

fn limits(used: u64, resets_at: u64) -> Value {
    let primary = json!({ "usedPercent": used, "windowDurationMins": 300, "resetsAt": resets_at });
    let codex = json!({ "limitId": "codex", "primary": primary, "secondary": null });
    json!({ "ordinaryUsageAllowed": true, "rateLimits": codex, "rateLimitsByLimitId": { "codex": codex } })
}

async fn open(server: &AppServer, tables: &str) -> (Home, Arc<Daemon>) {
    let home = Home::with(tables).set("CODEX_APP_SERVER_URL", &server.url);
    let daemon = home.daemon().await;
    (home, daemon)
}

async fn invoke(daemon: &Arc<Daemon>, skill: &str, input: Value) -> Result<Value, Value> {
    let params = json!({ "skill": skill, "input": input, "confirm": true });
    let mut wire = Wire::connect(daemon, Framing::Lines);
    Ok(wire.ask("skills.invoke", params).await?["data"].clone())
}

fn question(text: &str) -> Value {
    json!([{ "role": "user", "content": text }])
}

#[tokio::test]
async fn a_chat_is_a_turn_in_a_thread_of_its_own() {
    let mut server = playing("text", None).await;
    let (_home, daemon) = open(&server, "").await;
    let input = json!({ "messages": [
        { "role": "system", "content": "Be brief." },
        { "role": "user", "content": "Hi" },
        { "role": "assistant", "content": "Yes?" },
        { "role": "user", "content": "Say hello" },
    ], "reasoningEffort": "low", "verbosity": "low" });
    let answer = invoke(&daemon, "codex-chat", input).await.expect("an answer");
    let usage = json!({
        "inputTokens": 1200, "outputTokens": 40, "cachedTokens": 200, "cacheWriteTokens": 0, "reasoningTokens": 10,
    });
    let mut answer = answer;
    let counted = answer["usage"].take();
    assert_eq!(
        counted.as_object().map(|counts| counts.keys().collect::<Vec<_>>()),
        usage.as_object().map(|counts| counts.keys().collect())
    );
    let expected = json!({
        "text": "Hello from the mock.", "toolCalls": [], "usage": null, "stopReason": "end-turn", "model": "gpt-5.5",
        "provider": "codex", "path": "app-server",
    });
    assert_eq!(answer, expected);
    let started = server.until("thread/start").await.0["params"].clone();
    assert_eq!(
        (&started["ephemeral"], &started["sandbox"], &started["approvalPolicy"]),
        (&json!(true), &json!("read-only"), &json!("never"))
    );
    assert_eq!((&started["environments"], &started["config"]["model_verbosity"]), (&json!([]), &json!("low")));
    let told = server.until("thread/inject_items").await.0["params"]["items"].clone();
    let roles: Vec<&Value> = told.as_array().expect("items").iter().map(|item| &item["role"]).collect();
    assert_eq!(roles, ["developer", "user", "assistant"]);
    let asked = server.until("turn/start").await.0["params"].clone();
    assert_eq!((&asked["input"][0]["text"], &asked["effort"]), (&json!("Say hello"), &json!("low")));
    server.until("thread/unsubscribe").await;
}

#[tokio::test]
async fn a_chat_that_is_cancelled_before_its_turn_is_known_stops_it_as_soon_as_it_is() {
    let (_, thread, turn) = recorded("text");
    let opens = opened(&thread).to_string();
    let mut server = AppServer::start(move |method, _| match method {
        "thread/start" | "thread/resume" => Reply::Result(opens.clone()),
        "turn/start" => Reply::Silence,
        _ => Reply::Result("{}".into()),
    })
    .await;
    let (_home, daemon) = open(&server, "").await;
    let mut wire = Wire::connect(&daemon, Framing::Lines);
    for of_thread in [json!({}), json!({ "threadId": thread })] {
        let mut input = of_thread;
        input["messages"] = question("go on for long");
        let params = json!({ "skill": "codex-chat", "input": input, "confirm": true });
        let request = wire.send("skills.invoke", params).await;
        let asked = server.until("turn/start").await.0;
        wire.notify("$/cancelRequest", json!({ "id": request })).await;
        assert_eq!(wire.answer(request).await.expect_err("it is cancelled")["code"], -32800);
        server.say(json!({ "id": asked["id"], "result": { "turn": { "id": turn, "status": "inProgress" } } }));
        let stopped = server.until("turn/interrupt").await.0["params"].clone();
        assert_eq!(stopped, json!({ "threadId": thread, "turnId": turn }));
    }
    assert_eq!(server.until("thread/settings/update").await.0["params"]["approvalPolicy"], "on-request");
}

#[tokio::test]
async fn what_a_chat_wants_to_call_is_given_back() {
    let mut server = playing("tool", Some("item/tool/call")).await;
    let (_home, daemon) = open(&server, "").await;
    let tool = json!({ "name": "lookup_ticket", "description": "d", "inputSchema": { "type": "object" } });
    let input = json!({ "messages": question("Look"), "tools": [tool] });
    let answer = invoke(&daemon, "codex-chat", input).await;
    let started = server.until("thread/start").await.0["params"].clone();
    assert_eq!(started["dynamicTools"][0]["name"], "lookup_ticket");
    server.until("turn/interrupt").await;
    let answer = answer.expect("an answer");
    assert_eq!(answer["stopReason"], "tool-use");
    assert_eq!(
        answer["toolCalls"],
        json!([{ "id": "call_46e503d58382", "name": "lookup_ticket", "input": { "id": "7" } }])
    );
}

#[tokio::test]
async fn a_turn_there_calls_what_a_client_offers() {
    let (frames, thread, id) = recorded("tool");
    let renamed = |frame: &Value| serde_json::from_str(&frame.to_string().replace("lookup_ticket", "lookup-ticket"));
    let frames: Vec<Value> = frames.iter().map(|frame| renamed(frame).expect("JSON")).collect();
    let at = frames.iter().position(|frame| frame["method"] == "item/tool/call").expect("a call");
    let (now, later) = (frames[..=at].to_vec(), frames[at + 1..].to_vec());
    let mut server = AppServer::start(move |method, _| match method {
        "thread/start" => Reply::Result(opened(&thread).to_string()),
        "turn/start" => Reply::Then(json!({ "turn": { "id": id, "status": "inProgress" } }).to_string(), now.clone()),
        _ => Reply::Result("{}".into()),
    })
    .await;
    let (_home, daemon) = open(&server, "").await;
    let mut wire = Wire::connect(&daemon, Framing::Lines);
    wire.ask("initialize", json!({ "capabilities": { "skills": true } })).await.expect("a result");
    wire.notify("initialized", json!({})).await;
    let skill = json!({ "id": "lookup-ticket", "description": "Looks a ticket up.", "dangerous": false });
    wire.ask("skills.register", json!({ "skills": [skill] })).await.expect("it is good");
    let params = json!({ "provider": "codex", "mode": "selective", "content": "Look up ticket 7." });
    let turn = wire.send("conductor.message", params).await;
    let started = server.until("thread/start").await.0["params"].clone();
    let offered = started["dynamicTools"].as_array().expect("tools").iter().any(|tool| tool["name"] == "lookup-ticket");
    assert!(offered, "{started}");
    let call = wire.until(|frame| frame["method"] == "skills.call").await;
    assert_eq!(call["params"]["input"], json!({ "id": "7" }));
    let answer = json!({ "jsonrpc": "2.0", "id": call["id"], "result": { "output": "ticket 7 is open" } });
    wire.write(&answer.to_string()).await;
    assert_eq!(server.answer(0).await["result"]["contentItems"][0]["text"], "ticket 7 is open");
    later.iter().for_each(|frame| server.say(frame));
    let result = wire.answer(turn).await.expect("a result");
    assert_eq!(result["trace"][0]["result"], "ticket 7 is open");
}

#[tokio::test]
async fn a_chat_in_a_thread_leaves_it_as_it_was() {
    let mut server = playing("text", None).await;
    let (_home, daemon) = open(&server, "").await;
    let (_, thread, _) = recorded("text");
    let input = json!({ "messages": question("Say hello"), "threadId": thread });
    let answer = invoke(&daemon, "codex-chat", input).await.expect("an answer");
    assert_eq!((&answer["text"], &answer["threadId"]), (&json!("Hello from the mock."), &json!(thread)));
    let asked = server.until("turn/start").await.0["params"].clone();
    assert_eq!(
        (&asked["sandboxPolicy"], &asked["approvalPolicy"]),
        (&json!({ "type": "readOnly" }), &json!("untrusted"))
    );
    let restored = server.until("thread/settings/update").await.0["params"].clone();
    let sandbox = json!({ "type": "workspaceWrite", "networkAccess": false });
    assert_eq!((&restored["sandboxPolicy"], &restored["approvalPolicy"]), (&sandbox, &json!("on-request")));
    let input = json!({ "messages": question("q"), "threadId": thread, "tools": [{ "name": "t", "inputSchema": {} }] });
    let error = invoke(&daemon, "codex-chat", input).await.expect_err("it has its own");
    assert!(error["message"].as_str().is_some_and(|text| text.contains("leave out")), "{error}");
}

#[tokio::test]
async fn a_limit_that_is_reached_says_so() {
    let server = playing("quota", None).await;
    let (_home, daemon) = open(&server, "").await;
    let error = invoke(&daemon, "codex-chat", json!({ "messages": question("go") })).await.expect_err("no more");
    assert!(error["message"].as_str().is_some_and(|text| text.contains("usage limit")), "{error}");
    assert_eq!(error["data"]["retryable"], false);
}

#[tokio::test]
async fn shims_that_answer_at_once_are_understood() {
    let server = AppServer::start(|method, _| match method {
        "thread/start" => Reply::Result(r#"{"thread_id":"thr_1"}"#.into()),
        "turn/start" => Reply::Result(r#"{"turn_id":"trn_1","output":[{"type":"text","text":"Hello"}]}"#.into()),
        _ => Reply::Result("{}".into()),
    })
    .await;
    let (_home, daemon) = open(&server, "").await;
    let answer = invoke(&daemon, "codex-chat", json!({ "messages": question("Hi") })).await.expect("an answer");
    assert_eq!((&answer["text"], &answer["stopReason"]), (&json!("Hello"), &json!("end-turn")));
    let started = invoke(&daemon, "codex-thread-start", json!({})).await.expect("a thread");
    assert_eq!(started["threadId"], "thr_1");
}

#[tokio::test]
async fn threads_are_started_narrow_and_listed_in_pages() {
    let mut server = AppServer::start(|method, params| match method {
        "thread/start" => Reply::Result(opened("t1").to_string()),
        "thread/list" => {
            let row = json!({
                "id": "t1", "name": "a title", "preview": "hi", "cwd": "/w", "model": "gpt-5.5", "path": "/secret/path",
                "status": { "type": "idle" }, "createdAt": 1, "updatedAt": 2,
            });
            let next = if params["cursor"].is_null() { json!("2") } else { Value::Null };
            Reply::Result(json!({ "data": [row], "readStates": {}, "nextCursor": next }).to_string())
        }
        _ => Reply::Result("{}".into()),
    })
    .await;
    let (_home, daemon) = open(&server, "").await;
    let input = json!({ "title": "mine", "cwd": "/w", "model": "gpt-x" });
    let started = invoke(&daemon, "codex-thread-start", input).await.expect("a thread");
    let expected = json!({ "threadId": "t1", "model": "gpt-5.5", "cwd": "/home/user/work", "sandbox": "read-only" });
    assert_eq!(started, expected);
    let asked = server.until("thread/start").await.0["params"].clone();
    assert_eq!(asked, json!({ "sandbox": "read-only", "cwd": "/w", "model": "gpt-x" }));
    assert_eq!(server.until("thread/name/set").await.0["params"], json!({ "threadId": "t1", "name": "mine" }));
    // The configuration's own is the widest.
    let error = invoke(&daemon, "codex-thread-start", json!({ "sandbox": "danger-full-access" })).await;
    assert_eq!(error.expect_err("too wide")["code"], -32602);

    let page = invoke(&daemon, "codex-thread-list", json!({})).await.expect("a page");
    let row = json!({
        "threadId": "t1", "title": "a title", "preview": "hi", "cwd": "/w", "model": "gpt-5.5", "status": "idle",
        "createdAt": 1, "updatedAt": 2,
    });
    assert_eq!(page, json!({ "threads": [row], "nextCursor": "2" }));
    assert_eq!(server.until("thread/list").await.0["params"], json!({ "limit": 25 }));
    let page = invoke(&daemon, "codex-thread-list", json!({ "cursor": "2", "limit": 5 })).await.expect("a page");
    assert_eq!(page["nextCursor"], Value::Null);
    assert_eq!(server.until("thread/list").await.0["params"], json!({ "cursor": "2", "limit": 5 }));
}

#[tokio::test]
async fn models_are_read_to_the_last_page() {
    let server = AppServer::start(|method, params| match (method, params["cursor"].as_str()) {
        ("model/list", None) => Reply::Result(
            json!({ "data": [{ "id": "a", "model": "a", "displayName": "A" }, { "id": "h", "hidden": true }],
                    "nextCursor": "1" })
            .to_string(),
        ),
        ("model/list", Some(_)) => Reply::Result(r#"{"data":[{"id":"b"}],"nextCursor":null}"#.into()),
        _ => Reply::Result("{}".into()),
    })
    .await;
    let (_home, daemon) = open(&server, "").await;
    let row = |id: &str, name: Value| json!({ "id": id, "name": name, "contextWindow": null });
    let expected = json!({ "models": [row("a", json!("A")), row("b", Value::Null)] });
    assert_eq!(invoke(&daemon, "codex-models", json!({})).await, Ok(expected));
}

#[tokio::test]
async fn any_method_can_be_called_as_a_skill() {
    let server = AppServer::start(|_, params| match params["fail"].as_bool() {
        Some(true) => Reply::Error(r#"{"code":-32600,"message":"no such thing"}"#.into()),
        _ => Reply::Result(params.to_string()),
    })
    .await;
    let (_home, daemon) = open(&server, "").await;
    let echo = json!({ "method": "echo", "params": { "n": 9_007_199_254_740_993_u64 } });
    let expected = json!({ "result": { "n": 9_007_199_254_740_993_u64 } });
    assert_eq!(invoke(&daemon, "codex-rpc", echo).await, Ok(expected));
    let error = invoke(&daemon, "codex-rpc", json!({ "method": "echo", "params": { "fail": true } })).await;
    let message = error.expect_err("it fails")["message"].clone();
    assert_eq!(message, "the Codex app-server answered with error -32600: no such thing");
}

/// The status, and what `codex.status` says of the same.
async fn status(account: Value, used: Value) -> (Value, Value) {
    let server = AppServer::start(move |method, _| match method {
        "account/read" => Reply::Result(account.to_string()),
        "account/rateLimits/read" => Reply::Result(used.to_string()),
        _ => Reply::Result("{}".into()),
    })
    .await;
    let (_home, daemon) = open(&server, "").await;
    let mut status = invoke(&daemon, "codex-status", json!({})).await.expect("a status");
    let members = status.as_object_mut().expect("an object");
    assert!(members.remove("latencyMs").is_some_and(|latency| latency.is_u64()));
    assert_eq!(members["link"]["endpoint"].take(), format!("{}/", server.url));
    let mut wire = Wire::connect(&daemon, Framing::Lines);
    let told = wire.ask("codex.status", json!({ "probe": true })).await.expect("a status");
    (status, told)
}

#[tokio::test]
async fn the_status_tells_who_is_signed_in_and_what_is_left() {
    let account = json!({ "type": "chatgpt", "email": "me@example.com", "planType": "pro" });
    let read = json!({ "account": account, "requiresOpenaiAuth": true });
    let (mut status, told) = status(read.clone(), limits(40, 4_000_000_000)).await;
    let left = status["rateLimits"][0]["resetsInSeconds"].take();
    assert!(left.as_u64().is_some_and(|left| left > 1_000_000_000), "{left}");
    let window = json!({
        "limitId": "codex", "window": "primary", "usedPercent": 40.0, "windowMinutes": 300,
        "resetsAt": 4_000_000_000_u64, "resetsAtIso": "2096-10-02T07:06:40Z", "resetsInSeconds": null,
    });
    let server = json!({
        "version": "0.169.0", "codexHome": "/home/user/.codex", "platform": "linux",
        "userAgent": "open-think/0.169.0 (Debian 12.0.0; x86_64) unknown (open-think; 0.1.0)",
    });
    let expected = json!({
        "provider": "codex", "mode": "app-server", "configured": true, "account": account, "modelDefault": null,
        "reachable": true, "link": { "transport": "websocket", "endpoint": null, "ready": true }, "server": server,
        "requiresOpenaiAuth": true, "plan": "pro", "rateLimits": [window],
    });
    assert_eq!(status, expected);
    assert_eq!((&told["account"], &told["mode"]), (&read, &json!("app-server")));
    assert_eq!(told["rateLimits"][0]["resetsAtIso"], "2096-10-02T07:06:40Z");
    assert!(told.get("problem").is_none(), "{told}");
}

#[tokio::test]
async fn the_status_names_the_usual_faults() {
    let nobody = json!({ "account": null, "requiresOpenaiAuth": true });
    let (status_of_skill, told) = status(nobody, limits(0, 0)).await;
    assert_eq!(
        (&status_of_skill["problem"], &told["problem"]["kind"]),
        (&json!("not-signed-in"), &json!("not-signed-in"))
    );
    assert!(told["problem"]["hint"].as_str().is_some_and(|hint| hint.contains("codex login")), "{told}");
    let account = json!({ "account": { "type": "chatgpt" }, "requiresOpenaiAuth": true });
    let (status_of_skill, told) = status(account, limits(100, 4_000_000_000)).await;
    assert_eq!(status_of_skill["problem"], "usage-limit-reached");
    assert!(told["problem"]["hint"].as_str().is_some_and(|hint| hint.contains("2096-10-02T07:06:40Z")), "{told}");
    // A provider of the user's own needs no account.
    let (status_of_skill, told) = status(json!({ "account": null, "requiresOpenaiAuth": false }), json!({})).await;
    assert!(status_of_skill.get("problem").is_none() && told.get("problem").is_none(), "{told}");
}
