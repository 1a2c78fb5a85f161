//! An app-server in memory, which does what a test says.

mod state;

use std::sync::{Arc, Mutex, MutexGuard};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::DuplexStream;
use tokio::sync::{Notify, mpsc, watch};
use tokio_tungstenite::accept_async;
use tokio_tungstenite::tungstenite::Message;

use super::super::CodexEngine;
use state::{Connection, State};

#[derive(Clone)]
pub struct Fake {
    state: Arc<Mutex<State>>,
    changed: Arc<Notify>,
    cut: watch::Sender<u64>,
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
        if message.get("id").is_none() {
            return true;
        }
        state.heard.push((method.to_owned(), message["params"].clone()));
        self.changed.notify_waiters();
        if state.holds == Some(method) {
            state.held.push((number, message.clone()));
            return true;
        }
        state.carry_out(number, message)
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
        let mut state = self.lock();
        state.connections.clear();
        // What was not read yet is read no more.
        state.held.clear();
        drop(state);
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

    /// From now on, what comes of this method waits until it is released.
    pub fn hold(&self, method: &'static str) {
        self.lock().holds = Some(method);
    }

    pub fn release(&self) {
        let mut state = self.lock();
        state.holds = None;
        for (number, message) in std::mem::take(&mut state.held) {
            state.carry_out(number, &message);
        }
    }

    /// What turns run with there.
    pub fn settings(&self) -> Value {
        let state = self.lock();
        state.threads[&state.current].settings.clone()
    }

    /// Another client changes what turns run with in the thread that was used last.
    pub fn set(&self, settings: &Value) {
        let mut state = self.lock();
        let thread = state.current.clone();
        state.set(&thread, settings).expect("a thread");
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
