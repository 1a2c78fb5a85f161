//! What is kept of a session: its messages, its turns, and the actions that wait for a decision.
//! Times are Unix milliseconds.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::{Message, Mode, Thread};

#[derive(Clone, Debug, PartialEq)]
pub struct SessionRow {
    pub name: String,
    pub created_at: u64,
    pub updated_at: u64,
    pub message_count: u64,
    /// Actions still held.
    pub held_count: u64,
    /// The sequence number of the last event that a finished turn sent.
    pub last_seq: u64,
    /// A turn was at work when its process died, or one is at work in another process.
    pub interrupted: bool,
    /// Of the thread that works, or else of the one that proposes.
    pub thread_id: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct MessageRow {
    /// Grows by time within the whole store.
    pub id: u64,
    pub turn_id: String,
    pub message: Message,
    /// The provider of an assistant message.
    pub provider: Option<String>,
    pub created_at: u64,
}

/// All that a turn needs to know of its session, read at once: its newest turns, whole.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Context {
    /// Turn by turn, in the order in which the turns began.
    pub messages: Vec<MessageRow>,
    /// What became of these turns, by their ids.
    pub states: HashMap<String, TurnState>,
    pub threads: Threads,
}

/// What an engine keeps of a session by itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Threads {
    pub propose: Option<Thread>,
    pub work: Option<Thread>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThreadKind {
    Propose,
    Work,
}

#[derive(Clone, Debug, PartialEq)]
pub struct TurnRow {
    pub id: String,
    pub session: String,
    pub state: TurnState,
    pub settings: TurnSettings,
    /// Model calls made so far.
    pub iterations: u32,
    pub created_at: u64,
}

/// What a turn needs to be taken up again; kept as one JSON value, so that fields can be added.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TurnSettings {
    pub mode: Mode,
    pub mode_requested: Mode,
    #[serde(default)]
    pub downgrade_reason: Option<String>,
    /// `(provider, model)` in the order in which they are tried.
    pub candidates: Vec<(String, Option<String>)>,
    pub max_iterations: u32,
    #[serde(default)]
    pub per_model_timeout_ms: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TurnState {
    /// Its message is kept; it waits for the turns before it.
    Queued,
    /// Also what a turn is found in whose process died.
    Running,
    /// Stopped at actions that wait for a decision.
    Held,
    Done,
    Failed,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ActionRow {
    pub id: String,
    pub session: String,
    pub turn_id: String,
    pub skill: String,
    /// That brings the skill; none of an engine's own, of a skill that is not known, and in rows of older versions.
    pub plugin: Option<String>,
    pub input: Option<Value>,
    /// The model's call that was held; none if the action was only suggested in text.
    pub tool_use_id: Option<String>,
    pub reason: Option<String>,
    pub dangerous: bool,
    /// Something of an engine's own, and not the call of a skill.
    pub own: bool,
    pub state: ActionState,
    pub created_at: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActionState {
    /// Waits for a decision.
    Held,
    Approved,
    Denied,
    /// The conversation went on without a decision.
    Superseded,
}

impl Threads {
    pub fn of(&self, mode: Mode) -> Option<&Thread> {
        match ThreadKind::of(mode) {
            ThreadKind::Propose => self.propose.as_ref(),
            ThreadKind::Work => self.work.as_ref(),
        }
    }

    pub fn put(&mut self, kind: ThreadKind, thread: Thread) {
        match kind {
            ThreadKind::Propose => self.propose = Some(thread),
            ThreadKind::Work => self.work = Some(thread),
        }
    }
}

impl ThreadKind {
    pub fn of(mode: Mode) -> Self {
        match mode {
            Mode::Propose => Self::Propose,
            Mode::Selective | Mode::Auto => Self::Work,
        }
    }

    /// A mode whose turns have such a thread.
    pub fn mode(self) -> Mode {
        match self {
            Self::Propose => Mode::Propose,
            Self::Work => Mode::Selective,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Propose => "propose",
            Self::Work => "work",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Propose, Self::Work].into_iter().find(|kind| kind.as_str() == text)
    }
}

impl TurnState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Held => "held",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Queued, Self::Running, Self::Held, Self::Done, Self::Failed]
            .into_iter()
            .find(|state| state.as_str() == text)
    }
}

impl ActionState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Superseded => "superseded",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Held, Self::Approved, Self::Denied, Self::Superseded].into_iter().find(|state| state.as_str() == text)
    }
}
