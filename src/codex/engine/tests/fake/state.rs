//! Threads and turns as the real one keeps them, and what it answers.

use std::collections::HashMap;

use serde_json::{Value, json};
use tokio::sync::mpsc;

#[derive(Default)]
pub struct State {
    pub threads: HashMap<String, Thread>,
    /// The thread in which something was asked last.
    pub current: String,
    pub count: u64,
    pub questions: u64,
    pub connections: Vec<Connection>,
    /// What came, in order.
    pub heard: Vec<(String, Value)>,
    /// Answers of the client, by the ids of the questions.
    pub answers: Vec<(u64, Value)>,
    pub refuses: bool,
    /// The connection is cut when this method comes, before or after it is done.
    pub cuts_at: Option<(&'static str, bool)>,
    /// What comes of this method waits.
    pub holds: Option<&'static str>,
    pub held: Vec<(u64, Value)>,
    /// What a method is refused with, one time each.
    pub refusals: Vec<(&'static str, &'static str)>,
}

pub struct Connection {
    pub number: u64,
    pub out: mpsc::Sender<Value>,
    pub threads: Vec<String>,
}

#[derive(Default)]
pub struct Thread {
    /// Something was said in it, so that it is on the disk.
    pub is_kept: bool,
    pub is_loaded: bool,
    /// What turns run with, by the names of `thread/settings/updated`.
    pub settings: Value,
    pub turns: Vec<Turn>,
    pub open: Vec<Value>,
}

pub struct Turn {
    pub id: String,
    pub status: &'static str,
    pub error: Value,
    pub completed_at: Option<u64>,
    pub items: Vec<Value>,
}

/// A result, and what is said to the threads afterwards.
pub type Answered = Result<(Value, Vec<(String, Value)>), String>;

impl State {
    /// Whether the connection goes on.
    pub fn carry_out(&mut self, number: u64, message: &Value) -> bool {
        let method = message["method"].as_str().expect("a method");
        let cuts = self.cuts_at.take_if(|(at, _)| *at == method);
        if cuts.is_some_and(|(_, is_done)| !is_done) {
            return false;
        }
        let outcome = self.ask(number, method, &message["params"]);
        if cuts.is_some() {
            return false;
        }
        let id = &message["id"];
        let (after, answer) = match outcome {
            Ok((result, after)) => (after, json!({ "id": id, "result": result })),
            Err(message) => (Vec::new(), json!({ "error": { "code": -32600, "message": message }, "id": id })),
        };
        self.send(number, answer);
        for (thread, message) in after {
            self.tell(&thread, &message);
        }
        true
    }

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
                let settings = settings(params);
                self.threads.insert(id.clone(), Thread { is_loaded: true, settings, ..Thread::default() });
                self.subscribe(number, &id);
                self.current.clone_from(&id);
                plain(self.opened(&id))
            }
            "thread/resume" => {
                let thread = self.threads.get_mut(&id).filter(|thread| thread.is_kept);
                let thread = thread.ok_or_else(|| format!("no rollout found for thread id {id}"))?;
                // Of one that is loaded, nothing is changed by that.
                if !std::mem::replace(&mut thread.is_loaded, true) {
                    thread.settings = settings(params);
                }
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
        self.set(id, params)?;
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

    /// Those who hear of the thread are told, if anything changes.
    pub fn set(&mut self, id: &str, params: &Value) -> Result<(), String> {
        let thread = self.thread(id)?;
        let before = thread.settings.clone();
        let known = thread.settings.as_object_mut().expect("an object").iter_mut();
        for (name, value) in known {
            if let Some(new) = params.get(name) {
                value.clone_from(new);
            }
        }
        if thread.settings != before {
            let params = json!({ "threadId": id, "threadSettings": thread.settings });
            self.tell(id, &json!({ "method": "thread/settings/updated", "params": params }));
        }
        Ok(())
    }

    fn thread(&mut self, id: &str) -> Result<&mut Thread, String> {
        let thread = self.threads.get_mut(id).filter(|thread| thread.is_loaded);
        thread.ok_or_else(|| format!("thread not found: {id}"))
    }

    fn opened(&self, id: &str) -> Value {
        let thread = &self.threads[id];
        let is_active = thread.turns.last().is_some_and(|turn| turn.status == "inProgress");
        let status = if is_active { json!({ "type": "active", "activeFlags": [] }) } else { json!({ "type": "idle" }) };
        let settings = &thread.settings;
        json!({
            "thread": { "id": id, "status": status, "model": settings["model"], "turns": [] },
            "model": settings["model"], "modelProvider": "mock", "cwd": settings["cwd"],
            "approvalPolicy": settings["approvalPolicy"], "approvalsReviewer": settings["approvalsReviewer"],
            "sandbox": settings["sandboxPolicy"], "activePermissionProfile": null,
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
    pub fn tell(&self, thread: &str, message: &Value) {
        let hears = |connection: &&Connection| connection.threads.iter().any(|heard| heard == thread);
        for connection in self.connections.iter().filter(hears) {
            connection.out.try_send(message.clone()).expect("a place");
        }
    }

    pub fn answered(&mut self, id: u64, answer: Value) {
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

/// Of a thread that is started, or loaded again.
fn settings(params: &Value) -> Value {
    let sandbox = match params["sandbox"].as_str() {
        Some("read-only") => json!({ "type": "readOnly", "networkAccess": false }),
        _ => json!({ "type": "workspaceWrite", "writableRoots": ["/more"], "networkAccess": false }),
    };
    json!({
        "approvalPolicy": params["approvalPolicy"], "approvalsReviewer": params["approvalsReviewer"],
        "sandboxPolicy": sandbox, "cwd": params["cwd"], "model": params["model"].as_str().unwrap_or("gpt-5.5"),
        "activePermissionProfile": null,
    })
}

impl Turn {
    pub fn end(&mut self, status: &'static str, error: Value) {
        (self.status, self.error, self.completed_at) = (status, error, Some(1_795_382_941));
    }

    fn listed(&self) -> Value {
        json!({
            "id": self.id, "items": [], "itemsView": "summary", "status": self.status, "error": self.error,
            "completedAt": self.completed_at,
        })
    }

    pub fn ended(&self, thread: &str) -> Value {
        json!({ "method": "turn/completed", "params": { "threadId": thread, "turn": self.listed() } })
    }
}
