//! Conversations in which every method of the protocol is used, as a client would use it. What was said and heard are the
//! examples of the protocol's page.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::app_server::{AppServer, Reply};
use crate::home::Home;
use crate::schema::Conformity;
use crate::shared;
use crate::wire::{Framing, Wire};

/// The frames of one use of a method, in order.
pub type Examples = BTreeMap<String, Vec<Value>>;

const THREAD: &str = "0199a213-81c0-7800-8aa1-bbab2a035a53";

pub async fn examples() -> Examples {
    let (home, mut examples) = (Home::new(), Examples::new());
    let process = shared::serve(&home).await;
    let mut client = Client::over(home.connect(Framing::Headers).await, &home);
    introduce(&mut client).await;
    turns(&mut client).await;
    sessions_and_skills(&mut client).await;
    daemon(&mut client).await;
    shared::ended(process).await;
    examples.append(&mut client.examples);

    let mut client = Client::over(home.spawn(Framing::Headers), &home);
    client.ask("shutdown", json!({})).await;
    client.tell("exit", json!({})).await;
    examples.append(&mut client.examples);
    let (status, said) = client.wire.exit().await;
    assert!(status.success(), "{said}");

    let server = AppServer::start(answer).await;
    let home = Home::new().set("CODEX_APP_SERVER_URL", &server.url);
    let mut client = Client::over(home.spawn(Framing::Headers), &home);
    codex(&mut client, &server).await;
    sign_in(&mut client).await;
    examples.append(&mut client.examples);
    examples
}

async fn introduce(client: &mut Client) {
    let info = json!({"name": "my-editor", "version": "1.2.0"});
    let capabilities = json!({"approvals": true, "skills": true});
    client.ask("initialize", json!({"processId": null, "clientInfo": info, "capabilities": capabilities})).await;
    client.tell("initialized", json!({})).await;
    client.ask("daemon.hello", json!({"version": "1.2.0", "build": "1.2.0", "protocolVersion": "1.0"})).await;
    client.ask("rpc.discover", json!({})).await;
}

async fn turns(client: &mut Client) {
    let session = "notes";
    client.ask("conductor.subscribe", json!({"sessionName": session, "afterSeq": 0})).await;
    let content = "call read-note {\"name\":\"plum\"}";
    let message = json!({
        "sessionName": session, "content": content, "mode": "selective", "workDoneToken": "work-1",
    });
    client.ask("conductor.message", message).await;
    for kind in ["$/progress", "conductor.event"] {
        client.keep(kind).await;
    }
    client.ask("conductor.unsubscribe", json!({"sessionName": session})).await;

    let write = json!({"sessionName": session, "content": "call write-note {\"text\":\"plum\"}", "mode": "selective"});
    let asked = client.send("conductor.message", write.clone()).await;
    client.answer("conductor.approval", json!({"decision": "approve"})).await;
    client.end(asked).await;

    let asked = client.send("conductor.message", write.clone()).await;
    client.wait("conductor.approval").await;
    client.ask("conductor.interrupt", json!({"sessionName": session})).await;
    client.keep("conductor.approvalResolved").await;
    let held = client.end(asked).await;
    let actions = [&held["suggestedActions"][0]["id"]];
    let approve = json!({"sessionName": session, "actionIds": actions, "decision": "approve", "continue": false});
    client.ask("conductor.approve", approve).await;

    let nap = json!({"sessionName": "nap", "content": "call take-a-nap {}", "mode": "auto", "stream": true});
    let asked = client.send("conductor.message", nap).await;
    let called =
        |frame: &Value| frame["params"]["sessionName"] == "nap" && frame["params"]["event"]["kind"] == "turn-stop";
    client.wire.until(called).await;
    client.tell("$/cancelRequest", json!({"id": asked})).await;
    let cancelled = client.wire.answer(asked).await.expect_err("it is cancelled");
    client.add("$/cancelRequest", json!({"jsonrpc": "2.0", "id": asked, "error": cancelled}));
}

async fn sessions_and_skills(client: &mut Client) {
    client.ask("sessions.list", json!({})).await;
    client.ask("sessions.get", json!({"sessionName": "notes"})).await;
    client.ask("sessions.messages", json!({"sessionName": "notes", "limit": 2})).await;
    client.ask("sessions.delete", json!({"sessionName": "notes"})).await;
    client.ask("skills.list", json!({})).await;
    client.ask("skills.invoke", json!({"skill": "read-note", "input": {"name": "plum"}})).await;
    let schema = json!({"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]});
    let open = json!({
        "id": "open-file", "description": "Opens a file in the editor.", "inputSchema": schema, "dangerous": false,
        "timeoutMs": 120_000,
    });
    client.ask("skills.register", json!({"skills": [open]})).await;
    let invoked = client.send("skills.invoke", json!({"skill": "open-file", "input": {"path": "notes.md"}})).await;
    client.answer("skills.call", json!({"output": {"lines": 12}})).await;
    client.end(invoked).await;
    client.ask("skills.unregister", json!({"skills": ["open-file"]})).await;
    client.ask("providers.list", json!({})).await;
    client.ask("providers.models", json!({"provider": "offline"})).await;
}

async fn codex(client: &mut Client, server: &AppServer) {
    client.ask("codex.rpc", json!({"method": "thread/list", "params": {"limit": 1}, "confirm": true})).await;
    client.ask("codex.status", json!({})).await;
    client.ask("codex.subscribe", json!({"threadId": THREAD})).await;
    let item = json!({"type": "agentMessage", "id": "item-1", "text": "Done."});
    server.notify("item/completed", json!({"threadId": THREAD, "turnId": "turn-1", "item": item}));
    client.keep("codex.notification").await;
    let command = json!({"threadId": THREAD, "turnId": "turn-1", "itemId": "item-2", "command": "cargo test"});
    server.ask(7, "item/commandExecution/requestApproval", command);
    let question = client.keep("codex.request").await["params"]["requestId"].clone();
    client.ask("codex.respond", json!({"requestId": question, "result": {"decision": "accept"}})).await;
    client.keep("codex.requestResolved").await;
    client.ask("codex.unsubscribe", json!({"threadId": THREAD})).await;
    // It takes thousands of notifications to lose some; what is told then is short.
    client.add("codex.lost", json!({"jsonrpc": "2.0", "method": "codex.lost", "params": {"count": 12}}));
}

async fn sign_in(client: &mut Client) {
    let code = client.ask("oauth.codex.deviceStart", json!({})).await["deviceCode"].clone();
    client.ask("oauth.codex.devicePoll", json!({"deviceCode": code})).await;
    client.ask("oauth.codex.deviceCancel", json!({"deviceCode": code})).await;
    client.ask("oauth.codex.logout", json!({})).await;
}

async fn daemon(client: &mut Client) {
    client.ask("daemon.status", json!({})).await;
    client.ask("daemon.reload", json!({})).await;
    client.keep("daemon.reloaded").await;
    client.ask("daemon.stop", json!({"when": "now"})).await;
}

fn answer(method: &str, params: &Value) -> Reply {
    let result = match method {
        "thread/list" => json!({"data": [{"id": THREAD, "preview": "run the tests"}], "nextCursor": null}),
        "thread/resume" => json!({"thread": {"id": params["threadId"], "status": {"type": "idle"}}}),
        "account/login/start" => {
            let page = "https://auth.openai.com/codex/device";
            json!({"loginId": "login-1", "userCode": "WXYZ-12345", "verificationUrl": page})
        }
        "account/read" => json!({"account": null}),
        _ => json!({}),
    };
    Reply::Result(result.to_string())
}

struct Client {
    wire: Wire,
    home: String,
    examples: Examples,
    conformity: Conformity,
}

impl Client {
    fn over(wire: Wire, home: &Home) -> Self {
        let home = home.path().display().to_string();
        Self { wire, home, examples: Examples::new(), conformity: Conformity::default() }
    }

    /// The first use of a method is its example.
    async fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.send(method, params).await;
        let result = self.end(id).await;
        self.add(method, json!({"jsonrpc": "2.0", "id": id, "result": result}));
        result
    }

    async fn send(&mut self, method: &str, params: Value) -> u64 {
        let id = self.wire.send(method, params.clone()).await;
        let frame = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        self.conformity.sent(&frame);
        if !self.examples.contains_key(method) {
            self.add(method, frame);
        }
        id
    }

    async fn end(&mut self, id: u64) -> Value {
        let result = self.wire.answer(id).await.unwrap_or_else(|error| panic!("{id}: {error}"));
        self.conformity.came(&json!({"jsonrpc": "2.0", "id": id, "result": result}));
        result
    }

    async fn tell(&mut self, method: &str, params: Value) {
        self.wire.notify(method, params.clone()).await;
        self.add(method, json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    async fn wait(&mut self, method: &str) -> Value {
        let frame = self.wire.until(|frame| frame["method"] == method).await;
        self.conformity.came(&frame);
        frame
    }

    async fn keep(&mut self, method: &str) -> Value {
        let frame = self.wait(method).await;
        self.add(method, frame.clone());
        frame
    }

    async fn answer(&mut self, method: &str, result: Value) {
        let asked = self.keep(method).await;
        let answer = json!({"jsonrpc": "2.0", "id": asked["id"], "result": result});
        self.wire.write(&answer.to_string()).await;
        self.add(method, answer);
    }

    fn add(&mut self, method: &str, mut frame: Value) {
        steady(&mut frame, &self.home);
        let frames = self.examples.entry(method.to_owned()).or_default();
        let is_answer = frame.get("method").is_none();
        // A use is a message and its answer, if it has one.
        if frames.is_empty() || (is_answer && frames.len() == 1) {
            frames.push(frame);
        }
    }
}

/// The same in every run, and on every machine.
fn steady(value: &mut Value, home: &str) {
    match value {
        Value::Object(members) => {
            for (name, member) in members.iter_mut() {
                match name.as_str() {
                    "createdAt" | "updatedAt" | "startedAt" | "checkedAt" | "since" if member.is_u64() => {
                        *member = 1_790_000_000_000_u64.into();
                    }
                    "durationMs" | "latencyMs" | "rttMs" | "uptimeMs" if member.is_u64() => {
                        *member = 12.into();
                    }
                    "deadlineMs" => *member = 120_000.into(),
                    "memoryBytes" => *member = (18 << 20).into(),
                    "pid" => *member = 4711.into(),
                    "day" => *member = "2026-09-21".into(),
                    "version" if member.is_string() => *member = "0.1.0".into(),
                    "build" => *member = "0.1.0+1f2e3d4c".into(),
                    "deviceCode" => *member = "1b8d23609cc24687b755b14912410a9d".into(),
                    "endpoint" if member.is_string() => *member = "ws://127.0.0.1:4500/".into(),
                    "socket" => *member = "/run/user/1000/open-think/default.sock".into(),
                    _ => steady(member, home),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| steady(item, home)),
        Value::String(text) => *text = without_ids(&text.replace(home, "/home/me")),
        _ => {}
    }
}

/// Ids of ours have a prefix and twenty letters and digits.
fn without_ids(text: &str) -> String {
    for prefix in ["turn_", "act_", "apr_", "req_"] {
        let Some(rest) = text.strip_prefix(prefix) else { continue };
        if rest.len() == 20 && rest.chars().all(|c| c.is_ascii_alphanumeric()) {
            return format!("{prefix}01k5nqv8w3e4t6y7hbzd");
        }
    }
    text.to_owned()
}
