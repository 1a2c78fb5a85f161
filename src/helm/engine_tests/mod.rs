//! Turns that an engine runs, against one that plays a script.

mod fake;
mod holds;
mod places;
mod steering;
mod taken_up;
mod turns;
mod warming;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::sync::Notify;

use self::fake::{Completing, Expect, Fake, Play, Tell, said};
use super::{
    ApprovalRequest, Approve, Approver, Conductor, Decision, Event, Message, Route, Routes, Settings, TurnOutcome,
    TurnResult,
};
use crate::model::{Answer, Asked, Block, ClientPlace, Deed, Happening, Mode, Thread, ToolCall, Usage};
use crate::sessions::{Sqlite, Store, TurnState};
use crate::skills::{Handler, Registry, Skill, SkillError, SkillSpec};

/// Keeps what it was run with, and gives it back, with where its client is if that is known. What is slow waits until it may go on.
struct Echo(Arc<Mutex<Vec<Value>>>, Arc<Notify>);

#[async_trait]
impl Handler for Echo {
    async fn run(&self, mut input: Value, place: &ClientPlace) -> Result<Value, SkillError> {
        if let Some(cwd) = &place.cwd {
            input["cwd"] = cwd.to_string_lossy().into();
        }
        if input["slow"] == true {
            self.1.notified().await;
        }
        self.0.lock().unwrap().push(input.clone());
        Ok(input)
    }
}

struct World {
    store: Arc<Sqlite>,
    engine: Arc<Fake>,
    /// Behind the engine.
    plain: Arc<Completing>,
    /// The completing form of the engine's own plugin, where it has one.
    own: Option<Arc<Completing>>,
    ran: Arc<Mutex<Vec<Value>>>,
    /// What is slow may go on.
    go: Arc<Notify>,
    conductor: Conductor,
}

fn skills(ran: &Arc<Mutex<Vec<Value>>>, go: &Arc<Notify>) -> Registry {
    let mut registry = Registry::default();
    for (id, dangerous) in [("look", false), ("wipe", true)] {
        let input_schema = json!({
            "type": "object", "additionalProperties": false,
            "properties": {"n": {"type": "integer"}, "slow": {"type": "boolean"}},
        });
        let (description, plugin, tags) = (id.to_owned(), "test".to_owned(), Vec::new());
        let spec = SkillSpec { id: id.to_owned(), description, plugin, tags, input_schema, dangerous };
        registry.add(Skill::new(spec, Echo(Arc::clone(ran), Arc::clone(go)))).unwrap();
    }
    registry
}

impl World {
    async fn new(engine: Arc<Fake>) -> Self {
        Self::with(engine, Arc::default(), None, Arc::new(Sqlite::in_memory().unwrap())).await
    }

    async fn with(engine: Arc<Fake>, plain: Arc<Completing>, own: Option<Arc<Completing>>, store: Arc<Sqlite>) -> Self {
        let (ran, go) = Default::default();
        let route = |id: &str| Route {
            id: id.to_owned(),
            enabled: true,
            provider: None,
            engine: None,
            hint: String::new(),
            propose_only: None,
            vendors: Vec::new(),
        };
        let codex = Route {
            provider: own.clone().map(|own| own as _),
            engine: Some(Arc::clone(&engine) as _),
            ..route("codex")
        };
        let routes = Routes::new(vec![codex, Route { provider: Some(Arc::clone(&plain) as _), ..route("plain") }]);
        let settings = Settings {
            history_tokens: 10_000,
            tool_result_bytes: 1000,
            approval_timeout: Duration::from_secs(30),
            queued_turns: 4,
            buffered_events: 1000,
        };
        let conductor = Conductor::open(Arc::clone(&store) as _, Arc::new(skills(&ran, &go)), routes, settings).await;
        Self { store, engine, plain, own, ran, go, conductor }
    }

    /// The daemon has ended, and another one serves the same sessions.
    async fn restarted(self, engine: Arc<Fake>) -> Self {
        Self::with(engine, Arc::clone(&self.plain), self.own.clone(), Arc::clone(&self.store)).await
    }

    async fn say(&self, message: Message) -> TurnResult {
        self.outcome(message).await.unwrap()
    }

    async fn outcome(&self, message: Message) -> TurnOutcome {
        match self.conductor.message(message).await {
            Ok(mut handle) => handle.outcome().await.as_ref().clone(),
            Err(error) => Err(error),
        }
    }

    async fn approve(&self, approve: Approve) -> TurnOutcome {
        match self.conductor.approve(approve).await {
            Ok(mut handle) => handle.outcome().await.as_ref().clone(),
            Err(error) => Err(error),
        }
    }

    /// The messages of the session, in short.
    async fn rows(&self) -> Vec<String> {
        let rows = self.store.messages("s", None, None).await.unwrap();
        rows.iter().map(|row| said(&row.message)).collect()
    }

    /// Waits until so many actions are held; their ids.
    async fn held(&self, count: usize) -> Vec<String> {
        loop {
            let held = self.store.held("s").await.unwrap();
            if held.len() == count {
                return held.into_iter().map(|action| action.id).collect();
            }
            tokio::task::yield_now().await;
        }
    }

    /// Waits until a message of the session is this one.
    async fn row(&self, expected: &str) {
        while !self.rows().await.iter().any(|row| row == expected) {
            tokio::task::yield_now().await;
        }
    }

    async fn event(&self, expected: &str) {
        while !self.events().iter().any(|event| event == expected) {
            tokio::task::yield_now().await;
        }
    }

    /// Waits until an action is told of; its id.
    async fn told_held(&self) -> String {
        let mut reader = self.conductor.log("s").read(Some(0));
        loop {
            for entry in reader.take().into_iter().flat_map(|batch| batch.entries) {
                if let Event::ToolHeld { action_id, .. } = entry.event {
                    return action_id;
                }
            }
            tokio::task::yield_now().await;
        }
    }

    async fn turn_states(&self) -> Vec<TurnState> {
        self.store.turns("s").await.unwrap().iter().map(|turn| turn.state).collect()
    }

    /// The events of the session, in short.
    fn events(&self) -> Vec<String> {
        let mut reader = self.conductor.log("s").read(Some(0));
        let mut events = Vec::new();
        while let Some(batch) = reader.take() {
            events.extend(batch.entries.into_iter().map(|entry| shown(entry.event)));
        }
        events
    }
}

fn shown(event: Event) -> String {
    match event {
        Event::TurnStart { iteration, provider, .. } => format!("turn-start {iteration} {provider}"),
        Event::TextStart { index } => format!("text-start {index}"),
        Event::TextDelta { index, text } => format!("text-delta {index} {text}"),
        Event::TextStop { index, text } => format!("text-stop {index} {text}"),
        Event::ReasoningDelta { index, text } => format!("reasoning {index} {text}"),
        Event::ToolUseStart { index, id, name } => format!("tool-use {index} {id} {name}"),
        Event::ToolUseInput { partial, .. } => format!("input {partial}"),
        Event::ToolUseStop { index, input, .. } => format!("tool-use-stop {index} {input}"),
        Event::ToolResult { tool_use_id, outcome, .. } => match outcome {
            Ok(value) => format!("result {tool_use_id} {value}"),
            Err(error) => format!("result {tool_use_id} failed: {error}"),
        },
        Event::ToolHeld { skill, reason, .. } => format!("held {skill}: {reason}"),
        Event::AttemptFailed { provider, error, .. } => format!("failed {provider}: {error}"),
        Event::TurnStop { iteration, stop_reason } => format!("turn-stop {iteration} {stop_reason:?}"),
        Event::Error { .. } => "error".to_owned(),
        Event::LoopDone { .. } => "done".to_owned(),
    }
}

fn message(mode: Mode, content: &str) -> Message {
    Message {
        session: "s".to_owned(),
        content: vec![Block::Text { text: content.to_owned() }],
        mode,
        mode_is_named: false,
        provider: Some("codex".to_owned()),
        model: None,
        max_iterations: 6,
        fallbacks: Vec::new(),
        per_model_timeout: None,
        stream: true,
        thread: None,
        steer: false,
        queue: true,
        place: Arc::default(),
        approver: None,
    }
}

fn decide(actions: &[&str], decision: Decision) -> Approve {
    Approve {
        session: "s".to_owned(),
        action_ids: actions.iter().map(|id| (*id).to_owned()).collect(),
        decision,
        resume: true,
        stream: true,
        place: Arc::default(),
        approver: None,
    }
}

fn call(id: &str, name: &str, arguments: &str) -> Play {
    let (id, name, arguments) = (id.to_owned(), name.to_owned(), arguments.to_owned());
    Tell(Happening::Call(ToolCall { id, name, arguments, opaque: None }))
}

fn command(id: &str) -> Play {
    let (id, name) = (id.to_owned(), "codex-command".to_owned());
    Tell(Happening::Asked(Asked { id, name, input: json!({"command": "ls"}), reason: Some("to see".to_owned()) }))
}

fn did(id: &str, outcome: Result<Value, String>) -> Play {
    let (id, name) = (id.to_owned(), "codex-command".to_owned());
    Tell(Happening::Did(Deed { id, name, input: json!({"command": "ls"}), outcome, duration_ms: 7 }))
}

fn responded() -> Play {
    let usage = Usage { input_tokens: Some(10), output_tokens: Some(2), ..Usage::default() };
    Tell(Happening::Responded(usage))
}

fn expect(id: &'static str, text: &str) -> Play {
    Expect(id, Answer::Result { text: text.to_owned(), is_error: false })
}

fn expect_fault(id: &'static str, text: &str) -> Play {
    Expect(id, Answer::Result { text: text.to_owned(), is_error: true })
}

fn plays(parts: impl IntoIterator<Item = Vec<Play>>) -> Vec<Play> {
    parts.into_iter().flatten().collect()
}

/// What somebody says who is asked.
#[derive(Clone)]
enum Word {
    Is(Decision),
    /// Nobody decides in time.
    None,
    /// Nobody has decided yet.
    NotYet,
}

struct Says {
    word: Word,
    asked: Mutex<Vec<Vec<String>>>,
}

impl Says {
    fn this(word: Word) -> Arc<Self> {
        Arc::new(Self { word, asked: Mutex::default() })
    }

    fn asked(&self) -> Vec<Vec<String>> {
        self.asked.lock().unwrap().clone()
    }
}

#[async_trait]
impl Approver for Says {
    async fn decide(&self, request: &ApprovalRequest) -> Option<Decision> {
        self.asked.lock().unwrap().push(request.actions.iter().map(|action| action.skill.clone()).collect());
        match &self.word {
            Word::Is(decision) => Some(decision.clone()),
            Word::None => None,
            Word::NotYet => std::future::pending().await,
        }
    }

    async fn settled(&self, _: &ApprovalRequest, _: Option<&Decision>) {}
}

fn thread(id: &str) -> Thread {
    Thread { id: id.to_owned(), fingerprint: "f".to_owned(), seen: 0 }
}
