//! `codex-thread-start` and `codex-thread-list`.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::ID;
use super::rpc::{failed, raw, value};
use crate::codex::{AppServer, started_thread};
use crate::config::{self, Sandbox};
use crate::model::ClientPlace;
use crate::skills::{Handler, Skill, SkillError, SkillSpec};

const SANDBOXES: [(&str, Sandbox); 3] = [
    ("read-only", Sandbox::ReadOnly),
    ("workspace-write", Sandbox::WorkspaceWrite),
    ("danger-full-access", Sandbox::DangerFullAccess),
];
/// Of a thread, when nobody says.
const TITLE: &str = "Open Think";
/// Of a page, when nobody says.
const ROWS: u64 = 25;
const MOST_ROWS: u64 = 100;

/// It runs nothing: what a turn in the thread may do is decided when it is asked for.
pub(super) fn start(server: &Arc<AppServer>, settings: &config::Codex) -> Skill {
    let text = |about: &str| json!({ "type": "string", "minLength": 1, "description": about });
    let widest = settings.app_server.sandbox;
    let allowed: Vec<&str> =
        SANDBOXES.iter().filter(|(_, it)| rank(*it) <= rank(widest)).map(|(name, _)| *name).collect();
    let spec = SkillSpec {
        id: "codex-thread-start".to_owned(),
        description: "Start a thread in the Codex app-server, and give its id".to_owned(),
        plugin: ID.to_owned(),
        tags: vec!["ai".to_owned(), "threads".to_owned()],
        input_schema: json!({
            "type": "object",
            "properties": {
                "title": text("a name for lists"),
                "cwd": text("the directory that it works in"),
                "model": text("instead of the app-server's own default"),
                "sandbox": {
                    "enum": allowed,
                    "default": "read-only",
                    "description": "what its turns may touch; the configuration's codex.sandbox is the widest",
                },
                "instructions": text("what its turns are told beside what Codex tells a model"),
                "ephemeral": { "type": "boolean", "description": "whether it is forgotten once nobody uses it" },
            },
            "additionalProperties": false,
        }),
        dangerous: false,
    };
    let cwd = settings.app_server.cwd.as_ref().map(|cwd| cwd.display().to_string());
    let model = settings.default_model.clone();
    Skill::new(spec, Start { server: Arc::clone(server), cwd, model })
}

fn rank(sandbox: Sandbox) -> usize {
    SANDBOXES.iter().position(|(_, it)| *it == sandbox).unwrap_or(SANDBOXES.len())
}

struct Start {
    server: Arc<AppServer>,
    /// The configuration's own.
    cwd: Option<String>,
    model: Option<String>,
}

#[async_trait]
impl Handler for Start {
    async fn run(&self, input: Value, _: &ClientPlace) -> Result<Value, SkillError> {
        let given = |name: &str| input.get(name).filter(|value| !value.is_null()).cloned();
        let sandbox = given("sandbox").unwrap_or_else(|| json!("read-only"));
        let mut params = Map::from_iter([("sandbox".to_owned(), sandbox.clone())]);
        let others = [
            ("cwd", given("cwd").or(self.cwd.clone().map(Value::from))),
            ("model", given("model").or(self.model.clone().map(Value::from))),
            ("developerInstructions", given("instructions")),
            ("ephemeral", given("ephemeral")),
        ];
        params.extend(others.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        let started = self.server.rpc("thread/start", Some(&raw(&params.into())), None).await.map_err(failed)?;
        let Some(thread) = started_thread(&started) else {
            return Err(SkillError::new("the app-server did not say which thread it has started"));
        };
        if given("ephemeral") != Some(json!(true)) {
            // A thread is kept from its first turn on, or once it has a name.
            let title = given("title").unwrap_or_else(|| json!(TITLE));
            let params = raw(&json!({ "threadId": thread, "name": title }));
            if let Err(error) = self.server.rpc("thread/name/set", Some(&params), None).await {
                tracing::info!(%error, "a thread could not be named");
            }
        }
        let started = value(&started)?;
        let told = |name: &str| started.get(name).cloned().unwrap_or(Value::Null);
        Ok(json!({ "threadId": thread, "model": told("model"), "cwd": told("cwd"), "sandbox": sandbox }))
    }
}

pub(super) fn list(server: &Arc<AppServer>) -> Skill {
    let spec = SkillSpec {
        id: "codex-thread-list".to_owned(),
        description: "List the threads of the Codex app-server, a page at a time, the newest first".to_owned(),
        plugin: ID.to_owned(),
        tags: vec!["ai".to_owned(), "threads".to_owned()],
        input_schema: json!({
            "type": "object",
            "properties": {
                "limit": { "type": "integer", "minimum": 1, "maximum": MOST_ROWS, "default": ROWS },
                "cursor": { "type": "string", "minLength": 1, "description": "the nextCursor of the page before" },
                "archived": { "type": "boolean", "description": "those that are archived instead" },
            },
            "additionalProperties": false,
        }),
        dangerous: false,
    };
    Skill::new(spec, List { server: Arc::clone(server) })
}

struct List {
    server: Arc<AppServer>,
}

#[async_trait]
impl Handler for List {
    async fn run(&self, mut input: Value, _: &ClientPlace) -> Result<Value, SkillError> {
        if input.get("limit").is_none() {
            input["limit"] = json!(ROWS);
        }
        let page = self.server.rpc("thread/list", Some(&raw(&input)), None).await.map_err(failed)?;
        let page = value(&page)?;
        let threads = page.get("data").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let next = page.get("nextCursor").cloned().unwrap_or(Value::Null);
        Ok(json!({ "threads": threads.iter().map(row).collect::<Vec<_>>(), "nextCursor": next }))
    }
}

fn row(thread: &Value) -> Value {
    let told = |name: &str| thread.get(name).cloned().unwrap_or(Value::Null);
    json!({
        "threadId": told("id"),
        "title": told("name"),
        "preview": told("preview"),
        "cwd": told("cwd"),
        "model": told("model"),
        "status": thread.pointer("/status/type").cloned().unwrap_or(Value::Null),
        "createdAt": told("createdAt"),
        "updatedAt": told("updatedAt"),
    })
}
