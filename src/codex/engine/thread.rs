//! What a thread is started and resumed with, what a turn is, and the conversation in the app-server's words. Pure.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::terms::Terms;
use crate::config::Sandbox;
use crate::model::{Block, ImageSource, Message, Mode, Place, Role, ToolCall, ToolResult, ToolSpec};

/// A session has one thread of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// It looks at nothing and touches nothing.
    Propose,
    Work,
}

/// What holds for all threads.
#[derive(Clone, Debug)]
pub struct Ground {
    /// Of threads that work.
    pub sandbox: Sandbox,
    /// In place of where the client is.
    pub cwd: Option<String>,
    /// The app-server is on this machine.
    pub is_here: bool,
}

/// Counted up when threads are started otherwise than before, so that those of older releases are left behind.
const EDITION: u32 = 1;
/// Under which name Helm's own words stand among what a model reads; repeated, they are sent upstream once.
const CONTEXT: &str = "helm";

impl Kind {
    pub fn of(mode: Mode) -> Self {
        match mode {
            Mode::Propose => Self::Propose,
            Mode::Selective | Mode::Auto => Self::Work,
        }
    }
}

impl Ground {
    fn sandbox(&self, kind: Kind) -> Sandbox {
        match kind {
            Kind::Propose => Sandbox::ReadOnly,
            Kind::Work => self.sandbox,
        }
    }

    /// Where turns work; none for the app-server's own choice.
    fn cwd(&self, place: &Place) -> Option<String> {
        let clients = || place.cwd.as_ref().filter(|_| self.is_here).map(|cwd| cwd.display().to_string());
        self.cwd.clone().or_else(clients)
    }

    pub fn start(&self, place: &Place) -> Value {
        let mut params = self.resume_or_start(place);
        params.insert("dynamicTools".into(), Value::Array(tools(place)));
        Value::Object(params)
    }

    pub fn resume(&self, place: &Place, thread: &str) -> Value {
        let mut params = self.resume_or_start(place);
        params.insert("threadId".into(), thread.into());
        params.insert("excludeTurns".into(), true.into());
        Value::Object(params)
    }

    fn resume_or_start(&self, place: &Place) -> Map<String, Value> {
        let sandbox = match self.sandbox(Kind::of(place.mode)) {
            Sandbox::ReadOnly => "read-only",
            Sandbox::WorkspaceWrite => "workspace-write",
            Sandbox::DangerFullAccess => "danger-full-access",
        };
        let mut params = Map::new();
        params.insert("sandbox".into(), sandbox.into());
        params.insert("approvalPolicy".into(), approvals(place.mode).into());
        params.insert("approvalsReviewer".into(), "user".into());
        insert(&mut params, "cwd", self.cwd(place).as_deref());
        insert(&mut params, "model", place.model.as_deref());
        // The thread does not remember it.
        if Kind::of(place.mode) == Kind::Propose {
            params.insert("config".into(), without_tools());
        }
        params
    }

    /// A sandbox of that kind: as the thread has it, if it has one, for the user may have set it up further.
    fn policy(&self, kind: Kind, has: Option<&Value>) -> Value {
        let name = match self.sandbox(kind) {
            Sandbox::ReadOnly => "readOnly",
            Sandbox::WorkspaceWrite => "workspaceWrite",
            Sandbox::DangerFullAccess => "dangerFullAccess",
        };
        let of_the_kind = has.filter(|has| has.get("type").and_then(Value::as_str) == Some(name));
        of_the_kind.filter(|_| kind == Kind::Work).cloned().unwrap_or_else(|| json!({ "type": name }))
    }

    /// What a turn has to say of its terms, which stay then. It costs time, and what holds already is not said; except
    /// where nothing may run, or not without leave, whose safety does not rest on what another client may have changed a
    /// moment ago.
    pub fn overrides(&self, place: &Place, has: Option<&Value>, known: &Terms) -> Map<String, Value> {
        let kind = Kind::of(place.mode);
        let mut params = Map::new();
        params.insert("approvalPolicy".into(), approvals(place.mode).into());
        params.insert("approvalsReviewer".into(), "user".into());
        params.insert("sandboxPolicy".into(), self.policy(kind, has));
        if place.mode == Mode::Auto {
            params = known.without_same(params);
        }
        let mut others = Map::new();
        insert(&mut others, "cwd", self.cwd(place).as_deref());
        insert(&mut others, "model", place.model.as_deref());
        params.extend(known.without_same(others));
        params
    }

    /// `mark` comes back with the message that begins the turn.
    pub fn turn(
        &self,
        place: &Place,
        thread: &str,
        overrides: &Map<String, Value>,
        input: &[Input],
        mark: &str,
    ) -> Value {
        let mut params = overrides.clone();
        params.insert("threadId".into(), thread.into());
        params.insert("input".into(), json!(input));
        params.insert("clientUserMessageId".into(), mark.into());
        if !place.system.is_empty() {
            let context = json!({ CONTEXT: { "kind": "application", "value": place.system } });
            params.insert("additionalContext".into(), context);
        }
        Value::Object(params)
    }

    /// Of what cannot be changed once the thread is started.
    pub fn fingerprint(&self, place: &Place) -> String {
        let config = if Kind::of(place.mode) == Kind::Propose { without_tools() } else { Value::Null };
        let fixed = json!([EDITION, tools(place), config]);
        format!("{:016x}", digest(fixed.to_string().as_bytes()))
    }
}

fn approvals(mode: Mode) -> &'static str {
    match mode {
        Mode::Selective => "untrusted",
        Mode::Propose | Mode::Auto => "never",
    }
}

/// Nothing is offered where nothing may run.
fn tools(place: &Place) -> Vec<Value> {
    if Kind::of(place.mode) == Kind::Propose {
        return Vec::new();
    }
    dynamic_tools(&place.tools)
}

pub fn dynamic_tools(tools: &[ToolSpec]) -> Vec<Value> {
    let tool = |tool: &ToolSpec| {
        json!({
            "type": "function",
            "name": tool.name,
            "description": tool.description,
            "inputSchema": &*tool.input_schema,
        })
    };
    tools.iter().map(tool).collect()
}

/// Takes away what Codex can do by itself, as far as that goes.
pub fn without_tools() -> Value {
    json!({
        "features.shell_tool": false,
        "features.unified_exec": false,
        "features.view_image": false,
        "features.goals": false,
        "features.apps": false,
        "features.plugins": false,
        "features.multi_agent": false,
        "skills.include_instructions": false,
        "web_search": "disabled",
    })
}

fn insert(params: &mut Map<String, Value>, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        params.insert(name.to_owned(), value.into());
    }
}

/// FNV-1a: the same on every machine and in every release.
fn digest(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}

/// A part of what the user says.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum Input {
    Text { text: String, text_elements: [(); 0] },
    Image { url: String },
}

impl Input {
    fn text(text: impl Into<String>) -> Self {
        Self::Text { text: text.into(), text_elements: [] }
    }
}

/// What is asked, from what the user said or from what calls gave that were decided meanwhile.
pub fn input<'a>(blocks: impl IntoIterator<Item = &'a Block>) -> Vec<Input> {
    let input = blocks.into_iter().filter_map(|block| match block {
        Block::Text { text } => Some(Input::text(text)),
        Block::Image { source } => Some(Input::Image { url: image_url(source) }),
        Block::ToolCall(call) => Some(Input::text(called(call))),
        Block::ToolResult(result) => Some(Input::text(gave(result))),
        Block::Reasoning { .. } | Block::Foreign { .. } => None,
    });
    input.collect()
}

/// Messages as the history of a thread, in order.
pub fn history<'a>(messages: impl IntoIterator<Item = &'a Message>) -> Vec<Value> {
    messages.into_iter().filter_map(item).collect()
}

fn item(message: &Message) -> Option<Value> {
    let (role, text_type) = match message.role {
        Role::Assistant => ("assistant", "output_text"),
        Role::System => ("developer", "input_text"),
        Role::User | Role::Tool => ("user", "input_text"),
    };
    let text = |text: String| json!({ "type": text_type, "text": text });
    let content = message.blocks.iter().filter_map(|block| match block {
        Block::Text { text: said } if said.is_empty() => None,
        Block::Text { text: said } => Some(text(said.clone())),
        Block::ToolCall(call) => Some(text(called(call))),
        Block::ToolResult(result) => Some(text(gave(result))),
        Block::Image { source } if role == "user" => {
            Some(json!({ "type": "input_image", "image_url": image_url(source) }))
        }
        Block::Image { .. } | Block::Reasoning { .. } | Block::Foreign { .. } => None,
    });
    let content: Vec<Value> = content.collect();
    (!content.is_empty()).then(|| json!({ "type": "message", "role": role, "content": content }))
}

fn called(call: &ToolCall) -> String {
    let arguments = if call.arguments.trim().is_empty() { "{}" } else { &call.arguments };
    format!("[called {} with {arguments}]", call.name)
}

fn gave(result: &ToolResult) -> String {
    let verb = if result.is_error { "failed" } else { "gave" };
    format!("[{} {verb}]\n{}", result.name, result.content)
}

pub fn image_url(source: &ImageSource) -> String {
    match source {
        ImageSource::Url { url } => url.clone(),
        ImageSource::Base64 { media_type, data } => format!("data:{media_type};base64,{data}"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn turns_work_where_the_file_says_or_else_where_their_client_is_if_that_is_the_same_machine() {
        let cases = [
            (Some("/set"), true, Some("/client"), Some("/set")),
            (None, true, Some("/client"), Some("/client")),
            (None, true, None, None),
            (None, false, Some("/client"), None),
            (Some("/set"), false, Some("/client"), Some("/set")),
        ];
        for (set, is_here, client, expected) in cases {
            let ground = Ground { sandbox: Sandbox::ReadOnly, cwd: set.map(str::to_owned), is_here };
            let place = Place {
                session: String::new(),
                mode: Mode::Auto,
                thread: None,
                model: None,
                cwd: client.map(Into::into),
                system: String::new(),
                tools: Arc::default(),
            };
            let said = Value::Object(ground.overrides(&place, None, &Terms::default()));
            let sent = [ground.start(&place), ground.resume(&place, "t"), said];
            for params in sent {
                assert_eq!(params.get("cwd").and_then(Value::as_str), expected, "{params}");
            }
        }
    }
}
