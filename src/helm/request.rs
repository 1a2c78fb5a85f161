//! What is asked of Helm, and what comes of it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::{Approver, Decision, HelmError};
use crate::model::{Block, ClientPlace, Metadata, Mode, Usage};
use crate::sessions::MessageRow;

/// Something said to Helm.
#[derive(Clone)]
pub struct Message {
    pub session: String,
    pub content: Vec<Block>,
    pub mode: Mode,
    /// Somebody asked for it, and it is not merely the default.
    pub mode_is_named: bool,
    pub provider: Option<String>,
    pub model: Option<String>,
    pub max_iterations: u32,
    pub fallbacks: Vec<String>,
    pub per_model_timeout: Option<Duration>,
    /// Whether somebody watches, so that the model is asked for a stream.
    pub stream: bool,
    /// Of an engine: the one that the session has from now on.
    pub thread: Option<String>,
    /// Whether it goes into the turn that runs, where that takes it and is of the mode, provider and model that were
    /// named; otherwise it is a turn of its own.
    pub steer: bool,
    /// Without it a session that is busy is an error.
    pub queue: bool,
    /// Where the client is that asks.
    pub place: Arc<ClientPlace>,
    pub approver: Option<Arc<dyn Approver>>,
}

/// A decision on actions of a session.
#[derive(Clone)]
pub struct Approve {
    pub session: String,
    pub action_ids: Vec<String>,
    pub decision: Decision,
    /// Whether the model hears of it.
    pub resume: bool,
    pub stream: bool,
    /// Where the client is that decides: what it allows runs there if it is not known any more who asked.
    pub place: Arc<ClientPlace>,
    pub approver: Option<Arc<dyn Approver>>,
}

/// A provider and the model asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    pub provider: String,
    pub model: Option<String>,
}

/// A skill call that waits for a decision.
#[derive(Clone, Debug, PartialEq)]
pub struct Action {
    pub id: String,
    pub skill: String,
    /// That brings the skill, as far as it is known.
    pub plugin: Option<String>,
    pub input: Option<Value>,
    pub tool_use_id: Option<String>,
    pub reason: Option<String>,
    pub dangerous: bool,
    /// Something of an engine's own, and not the call of a skill.
    pub own: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct TraceEntry {
    pub tool_use_id: String,
    pub skill: String,
    pub input: Value,
    pub outcome: Result<Value, String>,
    pub duration: Duration,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    pub provider: String,
    pub model: Option<String>,
    pub status: Option<u16>,
    /// None if it went well.
    pub error: Option<String>,
    pub duration: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    EndTurn,
    ToolUse,
    MaxTokens,
    StopSequence,
    Refusal,
    ContentFilter,
    ContextExceeded,
    IterationCap,
    DangerousSkill,
    Cancelled,
    Error,
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Halted {
    IterationCap,
    DangerousSkill,
}

#[derive(Clone, Debug)]
pub struct TurnResult {
    pub session: String,
    pub turn_id: String,
    pub mode: Mode,
    pub mode_requested: Mode,
    pub downgrade_reason: Option<String>,
    pub assistant_message: Option<MessageRow>,
    pub suggested_actions: Vec<Action>,
    pub trace: Vec<TraceEntry>,
    pub stop_reason: StopReason,
    /// Why the model declined, if it said so.
    pub refusal: Option<String>,
    pub iterations_used: u32,
    pub used: Model,
    pub usage: Usage,
    pub attempts: Vec<Attempt>,
    pub halted: Option<Halted>,
    /// What the provider said beside its last answer.
    pub metadata: Metadata,
    /// The model's last answer, block by block.
    pub last_answer: Vec<Block>,
}

pub type TurnOutcome = Result<TurnResult, HelmError>;
