//! An app-server in memory: threads and turns as the real one keeps them, which do what a test says.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::DuplexStream;
use tokio::sync::{Notify, mpsc, watch};
use tokio_tungstenite::accept_async;
use tokio_tungstenite::tungstenite::Message;

use super::super::CodexEngine;

#[derive(Clone)]
pub struct Fake {
    state: Arc<Mutex<State>>,
    changed: Arc<Notify>,
    cut: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    threads: HashMap<String, Thread>,
    /// The thread in which something was asked last.
    current: String,
    count: u64,
    questions: u64,
    connections: Vec<Connection>,
    /// What came, in order.
    heard: Vec<(String, Value)>,
    /// Answers of the client, by the ids of the questions.
    answers: Vec<(u64, Value)>,
    refuses: bool,
    /// The connection is cut when this method comes, before or after it is done.
    cuts_at: Option<(&'static str, bool)>,
    /// What a method is refused with, one time each.
    refusals: Vec<(&'static str, &'static str)>,
}

struct Connection {
    number: u64,
    out: mpsc::Sender<Value>,
    threads: Vec<String>,
}

#[derive(Default)]
struct Thread {
    /// Something was said in it, so that it is on the disk.
    is_kept: bool,
    is_loaded: bool,
    turns: Vec<Turn>,
    open: Vec<Value>,
}

struct Turn {
    id: String,
    status: &'static str,
    error: Value,
    completed_at: Option<u64>,
    items: Vec<Value>,
}

impl Fake {
    pub fn new() -> Self {
        Self { state: Arc::default(), changed: Arc::default(), cut: watch::channel(0).0 }
    }

    /// Where connections to it are put.
    pub fn connects(&self) -> mpsc::Sender<DuplexStream> {
        let (connects, mut connections) = mpsc::channel(16);
        let server = self.clone();
        tokio::spawn(async move {
            while let Some(stream) = connections.recv().await {
                if !server.lock().refuses {
                    tokio::spawn(server.clone().serve(stream));
                }
            }
        });
        connects
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic")
    }

    async fn serve(self, stream: DuplexStream) {
        let mut cut = self.cut.subscribe();
        let Ok(mut socket) = accept_async(stream).await else { return };
        let (out, mut outgoing) = mpsc::channel(1024);
        let number = {
            let mut state = self.lock();
            state.count += 1;
            let number = state.count;
            state.connections.push(Connection { number, out, threads: Vec::new() });
            number
        };
        loop {
            tokio::select! {
                biased;
                _ = cut.changed() => break,
                Some(message) = outgoing.recv() => {
                    if socket.send(Message::text(message.to_string())).await.is_err() {
                        break;
                    }
                }
                message = socket.next() => {
                    let Some(Ok(message)) = message else { break };
                    let Ok(text) = message.to_text() else { continue };
                    if let Ok(message) = serde_json::from_str::<Value>(text)
                        && !self.hear(number, &message)
                    {
                        break;
                    }
                }
            }
        }
        self.lock().connections.retain(|connection| connection.number != number);
    }

    /// Whether the connection goes on.
    fn hear(&self, number: u64, message: &Value) -> bool {
        let mut state = self.lock();
        let state = &mut *state;
        let Some(method) = message["method"].as_str() else {
            let id = message["id"].as_u64().expect("an id of ours");
            state.answered(id, message["result"].clone());
            self.changed.notify_waiters();
            return true;
        };
        let Some(id) = message.get("id") else { return true };
        state.heard.push((method.to_owned(), message["params"].clone()));
        self.changed.notify_waiters();
        let cuts = state.cuts_at.take_if(|(at, _)| *at == method);
        if cuts.is_some_and(|(_, is_done)| !is_done) {
            return false;
        }
        let outcome = state.ask(number, method, &message["params"]);
        if cuts.is_some() {
            return false;
        }
        let (after, answer) = match outcome {
            Ok((result, after)) => (after, json!({ "id": id, "result": result })),
            Err(message) => (Vec::new(), json!({ "error": { "code": -32600, "message": message }, "id": id })),
        };
        state.send(number, answer);
        after.iter().for_each(|(thread, message)| state.tell(thread, message));
        true
    }
}

/// A result, and what is said to the threads afterwards.
type Answered = Result<(Value, Vec<(String, Value)>), String>;

impl State {
    fn ask(&mut self, number: u64, method: &str, params: &Value) -> Answered {
        let id = params["threadId"].as_str().unwrap_or_default().to_owned();
        let plain = |result| Ok((result, Vec::new()));
        if !id.is_empty() {
            self.current.clone_from(&id);
        }
        if let Some(at) = self.refusals.iter().position(|(refused, _)| *refused == method) {
            return Err(self.refusals.remove(at).1.to_owned());
        }
        match method {
            "initialize" => plain(json!({
                "userAgent": "open-think/0.169.0 (Debian 12.0.0; x86_64) unknown (open-think; 0.1.0)",
                "codexHome": "/home/.codex", "platformFamily": "unix", "platformOs": "linux",
            })),
            "thread/start" => {
                self.count += 1;
                let id = format!("thread-{}", self.count);
                self.threads.insert(id.clone(), Thread { is_loaded: true, ..Thread::default() });
                self.subscribe(number, &id);
                self.current.clone_from(&id);
                plain(self.opened(&id))
            }
            "thread/resume" => {
                let thread = self.threads.get_mut(&id).filter(|thread| thread.is_kept);
                let thread = thread.ok_or_else(|| format!("no rollout found for thread id {id}"))?;
                thread.is_loaded = true;
                let open = thread.open.iter().map(|question| (id.clone(), question.clone())).collect();
                self.subscribe(number, &id);
                Ok((self.opened(&id), open))
            }
            "thread/inject_items" => {
                self.thread(&id)?.is_kept = true;
                plain(json!({}))
            }
            "turn/start" => self.start(&id, params),
            "turn/interrupt" => {
                let thread = self.thread(&id)?;
                thread.open.clear();
                let turn = thread.turns.last_mut().filter(|turn| turn.status == "inProgress");
                let turn = turn.ok_or("no active turn to interrupt")?;
                turn.end("interrupted", Value::Null);
                let ended = turn.ended(&id);
                Ok((json!({}), vec![(id, ended)]))
            }
            "turn/steer" => match self.thread(&id)?.turns.last_mut() {
                Some(turn) if turn.status == "inProgress" => {
                    turn.items.push(json!({ "type": "userMessage", "clientId": params["clientUserMessageId"] }));
                    plain(json!({ "turnId": turn.id }))
                }
                _ => Err("no active turn to steer".to_owned()),
            },
            "thread/turns/list" => {
                let turns = self.thread(&id)?.turns.iter().rev().map(Turn::listed).collect::<Vec<_>>();
                plain(json!({ "data": turns, "nextCursor": null }))
            }
            "thread/items/list" => {
                let turns = self.thread(&id)?.turns.iter().filter(|turn| params["turnId"] == turn.id.as_str());
                let items = turns.flat_map(|turn| &turn.items).map(|item| json!({ "item": item }));
                plain(json!({ "data": items.collect::<Vec<_>>(), "nextCursor": null }))
            }
            "account/rateLimits/read" => Err("chatgpt authentication required to read rate limits".to_owned()),
            other => Err(format!("Invalid request: unknown variant `{other}`")),
        }
    }

    fn start(&mut self, id: &str, params: &Value) -> Answered {
        self.count += 1;
        let turn = format!("turn-{}", self.count);
        let thread = self.thread(id)?;
        assert!(thread.turns.last().is_none_or(|turn| turn.status != "inProgress"), "a running turn would be steered");
        thread.is_kept = true;
        let mark = &params["clientUserMessageId"];
        let message = json!({ "type": "userMessage", "id": format!("{turn}-user"), "clientId": mark, "content": [] });
        let items = vec![message];
        thread.turns.push(Turn {
            id: turn.clone(),
            status: "inProgress",
            error: Value::Null,
            completed_at: None,
            items,
        });
        let begun = json!({ "turn": { "id": turn, "items": [], "status": "inProgress", "error": null } });
        let started = json!({ "method": "turn/started", "params": { "threadId": id, "turn": begun["turn"] } });
        Ok((begun, vec![(id.to_owned(), started)]))
    }

    fn thread(&mut self, id: &str) -> Result<&mut Thread, String> {
        let thread = self.threads.get_mut(id).filter(|thread| thread.is_loaded);
        thread.ok_or_else(|| format!("thread not found: {id}"))
    }

    fn opened(&self, id: &str) -> Value {
        let is_active = self.threads[id].turns.last().is_some_and(|turn| turn.status == "inProgress");
        let status = if is_active { json!({ "type": "active", "activeFlags": [] }) } else { json!({ "type": "idle" }) };
        json!({
            "thread": { "id": id, "status": status, "model": "gpt-5.5", "turns": [] },
            "model": "gpt-5.5", "modelProvider": "mock", "approvalPolicy": "untrusted",
            "sandbox": { "type": "workspaceWrite", "writableRoots": ["/more"], "networkAccess": false },
        })
    }

    fn subscribe(&mut self, number: u64, thread: &str) {
        let connection = self.connections.iter_mut().find(|connection| connection.number == number);
        connection.expect("a connection").threads.push(thread.to_owned());
    }

    fn send(&self, number: u64, message: Value) {
        let connection = self.connections.iter().find(|connection| connection.number == number);
        connection.expect("a connection").out.try_send(message).expect("a place");
    }

    /// To all who hear of the thread.
    fn tell(&self, thread: &str, message: &Value) {
        let hears = |connection: &&Connection| connection.threads.iter().any(|heard| heard == thread);
        for connection in self.connections.iter().filter(hears) {
            connection.out.try_send(message.clone()).expect("a place");
        }
    }

    fn answered(&mut self, id: u64, answer: Value) {
        let current = self.current.clone();
        let thread = self.threads.get_mut(&current).expect("a thread");
        let open = thread.open.len();
        thread.open.retain(|question| question["id"] != id);
        if thread.open.len() < open {
            let resolved = json!({ "threadId": current, "requestId": id });
            self.tell(&current, &json!({ "method": "serverRequest/resolved", "params": resolved }));
        }
        self.answers.push((id, answer));
    }
}

impl Turn {
    fn end(&mut self, status: &'static str, error: Value) {
        (self.status, self.error, self.completed_at) = (status, error, Some(1_795_382_941));
    }

    fn listed(&self) -> Value {
        json!({
            "id": self.id, "items": [], "itemsView": "summary", "status": self.status, "error": self.error,
            "completedAt": self.completed_at,
        })
    }

    fn ended(&self, thread: &str) -> Value {
        json!({ "method": "turn/completed", "params": { "threadId": thread, "turn": self.listed() } })
    }
}

/// What the current turn does.
impl Fake {
    pub fn notify(&self, method: &str, mut params: Value) {
        let mut state = self.lock();
        let thread = state.current.clone();
        params["threadId"] = thread.clone().into();
        if params.get("turnId").is_none() {
            params["turnId"] = state.threads[&thread].turns.last().expect("a turn").id.clone().into();
        }
        if method == "item/completed" {
            let turn = state.threads.get_mut(&thread).and_then(|thread| thread.turns.last_mut());
            turn.expect("a turn").items.push(params["item"].clone());
        }
        state.tell(&thread, &json!({ "method": method, "params": params }));
    }

    pub fn start(&self, item: Value) {
        self.notify("item/started", json!({ "item": item }));
    }

    pub fn complete(&self, item: Value) {
        self.notify("item/completed", json!({ "item": item }));
    }

    pub fn start_text(&self, id: &str) {
        self.start(json!({ "type": "agentMessage", "id": id, "text": "" }));
    }

    pub fn say(&self, id: &str, text: &str) {
        self.notify("item/agentMessage/delta", json!({ "itemId": id, "delta": text }));
    }

    pub fn complete_text(&self, id: &str, text: &str) {
        self.complete(json!({ "type": "agentMessage", "id": id, "text": text }));
    }

    /// A message of the model's, from beginning to end.
    pub fn speak(&self, id: &str, text: &str) {
        self.start_text(id);
        self.say(id, text);
        self.complete_text(id, text);
    }

    pub fn tokens(&self, total: u64, last: u64) {
        let tokens = |input: u64| json!({ "inputTokens": input, "outputTokens": 1, "totalTokens": input + 1 });
        let usage = json!({ "total": tokens(total), "last": tokens(last) });
        self.notify("thread/tokenUsage/updated", json!({ "tokenUsage": usage }));
    }

    /// Asks the client; gives the id of the question.
    pub fn ask(&self, method: &str, mut params: Value) -> u64 {
        let mut state = self.lock();
        let (id, thread) = (state.questions, state.current.clone());
        state.questions += 1;
        params["threadId"] = thread.clone().into();
        let of = state.threads.get_mut(&thread).expect("a thread");
        params["turnId"] = of.turns.last().expect("a turn").id.clone().into();
        let question = json!({ "method": method, "id": id, "params": params });
        of.open.push(question.clone());
        state.tell(&thread, &question);
        id
    }

    pub fn call(&self, id: &str) -> u64 {
        self.start(json!({ "type": "dynamicToolCall", "id": id, "tool": "admin-echo", "arguments": {"say": "x"} }));
        self.ask("item/tool/call", json!({ "callId": id, "tool": "admin-echo", "arguments": {"say": "x"} }))
    }

    pub fn command(&self, id: &str) -> u64 {
        self.start(command(id, "inProgress"));
        let params = json!({ "itemId": id, "command": "touch a", "cwd": "/project", "reason": null });
        self.ask("item/commandExecution/requestApproval", params)
    }

    pub fn finish(&self) {
        self.end("completed", Value::Null);
    }

    pub fn fail(&self, message: &str, info: Value) {
        self.end("failed", json!({ "message": message, "codexErrorInfo": info, "additionalDetails": null }));
    }

    fn end(&self, status: &'static str, error: Value) {
        let mut state = self.lock();
        let id = state.current.clone();
        let thread = state.threads.get_mut(&id).expect("a thread");
        thread.open.clear();
        let turn = thread.turns.last_mut().expect("a turn");
        turn.end(status, error);
        let ended = turn.ended(&id);
        state.tell(&id, &ended);
    }
}

/// What happens to the server.
impl Fake {
    /// All connections break; threads and turns go on.
    pub fn cut(&self) {
        self.lock().connections.clear();
        self.cut.send_modify(|count| *count += 1);
    }

    pub fn refuse(&self, refuses: bool) {
        self.lock().refuses = refuses;
    }

    /// It is killed, and there again at once.
    pub fn restart(&self) {
        {
            let mut state = self.lock();
            state.questions = 0;
            state.threads.retain(|_, thread| thread.is_kept);
            for thread in state.threads.values_mut() {
                thread.is_loaded = false;
                thread.open.clear();
                if let Some(turn) = thread.turns.last_mut().filter(|turn| turn.status == "inProgress") {
                    turn.status = "interrupted";
                }
            }
        }
        self.cut();
    }

    /// Its data are gone.
    pub fn lose(&self) {
        self.lock().threads.clear();
        self.cut();
    }

    /// Nobody hears of the threads any more, although the connections are there.
    pub fn unsubscribe(&self) {
        self.lock().connections.iter_mut().for_each(|connection| connection.threads.clear());
    }

    /// Another daemon that reaches it.
    pub fn engine(&self) -> CodexEngine {
        super::engine(self.connects())
    }

    pub fn cut_at(&self, method: &'static str, is_done: bool) {
        self.lock().cuts_at = Some((method, is_done));
    }

    pub fn refuse_calls(&self, method: &'static str, messages: &[&'static str]) {
        self.lock().refusals.extend(messages.iter().map(|message| (method, *message)));
    }

    /// The parameters that a method came with, each time.
    pub fn heard(&self, method: &str) -> Vec<Value> {
        let state = self.lock();
        state.heard.iter().filter(|(heard, _)| heard == method).map(|(_, params)| params.clone()).collect()
    }

    pub fn methods(&self) -> Vec<String> {
        self.lock().heard.iter().map(|(method, _)| method.clone()).collect()
    }

    pub fn forget(&self) {
        self.lock().heard.clear();
    }

    /// Until a method has come since all was forgotten.
    pub async fn wait(&self, method: &str) {
        self.until(|state| state.heard.iter().any(|(heard, _)| heard == method)).await;
    }

    /// What the question was answered with.
    pub async fn answer(&self, id: u64) -> Value {
        self.until(|state| state.answers.iter().any(|(answered, _)| *answered == id)).await;
        let state = self.lock();
        state.answers.iter().rfind(|(answered, _)| *answered == id).expect("an answer").1.clone()
    }

    pub fn answers(&self) -> usize {
        self.lock().answers.len()
    }

    async fn until(&self, is_so: impl Fn(&State) -> bool) {
        loop {
            let changed = self.changed.notified();
            if is_so(&self.lock()) {
                return;
            }
            changed.await;
        }
    }
}

pub fn command(id: &str, status: &str) -> Value {
    let (output, code) = if status == "completed" { (json!("done\n"), json!(0)) } else { (Value::Null, Value::Null) };
    json!({
        "type": "commandExecution", "id": id, "command": "touch a", "cwd": "/project", "status": status,
        "commandActions": [], "aggregatedOutput": output, "exitCode": code, "durationMs": 12,
        "startedAtMs": 1, "completedAtMs": 13,
    })
}
