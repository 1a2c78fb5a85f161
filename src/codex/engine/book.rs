//! What the app-server has asked in one turn, and what was answered. Pure.
//!
//! A question that comes again after a lost connection is known by its id: it is not told again, and an answer that may
//! have been lost is given again.

use std::collections::HashMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::deed::{COMMAND, FILE_CHANGE};
use super::wire::Item;
use crate::model::{Answer, Asked, Happening, ToolCall};
use crate::rpc::Id;

#[derive(Debug, Default)]
pub struct Book {
    open: Vec<Open>,
    /// What items would change, by their ids.
    changes: HashMap<String, Value>,
    /// How often something was asked about an item.
    asked: HashMap<String, usize>,
}

#[derive(Debug)]
struct Open {
    /// As it is told.
    id: String,
    item: String,
    request: Id,
    is_call: bool,
    answer: Option<Value>,
}

/// What to do about a question.
#[derive(Debug, PartialEq)]
pub enum Todo {
    Tell(Happening),
    Respond(Id, Value),
    /// It is not known what an answer would be.
    Refuse(Id),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Call {
    call_id: String,
    tool: String,
    #[serde(default)]
    arguments: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Approval {
    item_id: String,
    command: Option<String>,
    cwd: Option<String>,
    reason: Option<String>,
    grant_root: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfTurn {
    turn_id: Option<String>,
}

impl Book {
    /// What an item would change is told when it starts, and asked about afterwards.
    pub fn started(&mut self, item: &Item) {
        if let Item::FileChange { id, changes, .. } = item {
            self.changes.insert(id.clone(), changes.clone());
        }
    }

    /// `now` is in seconds since 1970.
    pub fn ask(&mut self, turn: &str, request: &Id, method: &str, params: &RawValue, now: u64) -> Vec<Todo> {
        if method == "currentTime/read" {
            return vec![Todo::Respond(request.clone(), json!({ "currentTimeAt": now }))];
        }
        let of_turn: Option<OfTurn> = read(params);
        if of_turn.and_then(|of| of.turn_id).is_some_and(|of| of != turn) {
            return refuse(request, method);
        }
        let (item, is_call, happening) = match method {
            "item/tool/call" => match read(params) {
                Some(call) => self.call(call),
                None => return refuse(request, method),
            },
            "item/commandExecution/requestApproval" | "item/fileChange/requestApproval" => match read(params) {
                Some(approval) => self.approval(method, approval),
                None => return refuse(request, method),
            },
            _ => {
                let mut todo = refuse(request, method);
                let what = unsupported(method);
                todo.push(Todo::Tell(Happening::Warning(format!("Codex {what}, which was refused"))));
                return todo;
            }
        };
        if let Some(known) = self.open.iter_mut().find(|open| open.request == *request && open.item == item) {
            let again = known.answer.clone();
            return again.map(|answer| Todo::Respond(request.clone(), answer)).into_iter().collect();
        }
        self.tell(request, item, is_call, happening)
    }

    fn tell(&mut self, request: &Id, item: String, is_call: bool, mut happening: Happening) -> Vec<Todo> {
        let count = self.asked.entry(item.clone()).or_default();
        *count += 1;
        // A command may be asked about again, when it needs more than was allowed.
        let id = if *count == 1 { item.clone() } else { format!("{item}#{count}") };
        match &mut happening {
            Happening::Call(call) => call.id.clone_from(&id),
            Happening::Asked(asked) => asked.id.clone_from(&id),
            _ => {}
        }
        self.open.push(Open { id, item, request: request.clone(), is_call, answer: None });
        vec![Todo::Tell(happening)]
    }

    fn call(&self, call: Call) -> (String, bool, Happening) {
        let arguments = call.arguments.map(|arguments| arguments.get().to_owned()).unwrap_or_default();
        let told = ToolCall { id: call.call_id.clone(), name: call.tool, arguments, opaque: None };
        (call.call_id, true, Happening::Call(told))
    }

    fn approval(&self, method: &str, approval: Approval) -> (String, bool, Happening) {
        let (name, input) = if method == "item/fileChange/requestApproval" {
            let changes = self.changes.get(&approval.item_id).cloned().unwrap_or_default();
            let mut input = json!({ "changes": changes });
            if let Some(root) = approval.grant_root {
                input["grantRoot"] = root.into();
            }
            (FILE_CHANGE, input)
        } else {
            (COMMAND, json!({ "command": approval.command, "cwd": approval.cwd }))
        };
        let item = approval.item_id;
        let asked = Asked { id: item.clone(), name: name.to_owned(), input, reason: approval.reason };
        (item, false, Happening::Asked(asked))
    }

    /// What to respond, unless it is answered or settled.
    pub fn answer(&mut self, id: &str, answer: &Answer) -> Option<(Id, Value)> {
        let open = self.open.iter_mut().find(|open| open.id == id && open.answer.is_none())?;
        let answer = match (open.is_call, answer) {
            (true, Answer::Result { text, is_error }) => given(text, !is_error),
            (true, Answer::Allow | Answer::Deny) => given("it was not allowed to run", false),
            (false, Answer::Allow) => json!({ "decision": "accept" }),
            (false, Answer::Deny | Answer::Result { .. }) => json!({ "decision": "decline" }),
        };
        open.answer = Some(answer.clone());
        Some((open.request.clone(), answer))
    }

    /// The server says that a request is dealt with; the id is its JSON text.
    pub fn resolved(&mut self, request: &str) -> Option<Happening> {
        self.close(|open| open.request.to_string() == request)
    }

    /// An item is complete, so that nothing is asked about it any more.
    pub fn completed(&mut self, item: &str) -> Vec<Happening> {
        self.changes.remove(item);
        std::iter::from_fn(|| self.take(|open| open.item == item)).filter_map(settled).collect()
    }

    /// Nothing is wanted any more.
    pub fn ended(&mut self) -> Vec<Happening> {
        self.open.drain(..).filter_map(settled).collect()
    }

    fn close(&mut self, which: impl Fn(&Open) -> bool) -> Option<Happening> {
        self.take(which).and_then(settled)
    }

    fn take(&mut self, which: impl Fn(&Open) -> bool) -> Option<Open> {
        let at = self.open.iter().position(which)?;
        Some(self.open.remove(at))
    }
}

/// Whoever was told of it hears that it is settled, unless they settled it.
fn settled(open: Open) -> Option<Happening> {
    open.answer.is_none().then_some(Happening::Settled { id: open.id })
}

fn given(text: &str, success: bool) -> Value {
    json!({ "contentItems": [{ "type": "inputText", "text": text }], "success": success })
}

/// The answer that does least.
fn refuse(request: &Id, method: &str) -> Vec<Todo> {
    let answer = match method {
        "item/tool/call" => given("nobody is there to run it", false),
        "item/commandExecution/requestApproval" | "item/fileChange/requestApproval" => json!({ "decision": "decline" }),
        "item/permissions/requestApproval" => json!({ "permissions": {} }),
        "mcpServer/elicitation/request" => json!({ "action": "decline" }),
        "item/tool/requestUserInput" => json!({ "answers": {} }),
        _ => return vec![Todo::Refuse(request.clone())],
    };
    vec![Todo::Respond(request.clone(), answer)]
}

fn unsupported(method: &str) -> String {
    match method {
        "item/permissions/requestApproval" => "asked for more permissions".to_owned(),
        "mcpServer/elicitation/request" => "passed on a question of an MCP server".to_owned(),
        "item/tool/requestUserInput" => "asked the user in a form that is not supported".to_owned(),
        _ => format!("asked for {method}"),
    }
}

fn read<T: DeserializeOwned>(params: &RawValue) -> Option<T> {
    serde_json::from_str(params.get()).ok()
}
