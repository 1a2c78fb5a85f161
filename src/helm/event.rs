//! What happens in a turn, for whoever watches.

use std::sync::Arc;

use serde_json::Value;

use super::request::{StopReason, TurnOutcome};

#[derive(Clone, Debug)]
pub enum Event {
    TurnStart {
        iteration: u32,
        provider: String,
        model: Option<String>,
    },
    TextStart {
        index: u32,
    },
    TextDelta {
        index: u32,
        text: String,
    },
    TextStop {
        index: u32,
        text: String,
    },
    ReasoningDelta {
        index: u32,
        text: String,
    },
    ToolUseStart {
        index: u32,
        id: String,
        name: String,
    },
    ToolUseInput {
        index: u32,
        id: String,
        partial: String,
    },
    ToolUseStop {
        index: u32,
        id: String,
        name: String,
        input: Value,
    },
    ToolResult {
        tool_use_id: String,
        skill: String,
        outcome: Result<Value, String>,
        duration_ms: u64,
    },
    ToolHeld {
        action_id: String,
        tool_use_id: String,
        skill: String,
        input: Value,
        reason: String,
    },
    /// What is said in blocks that are open is void.
    AttemptFailed {
        provider: String,
        model: Option<String>,
        status: Option<u16>,
        error: String,
    },
    TurnStop {
        iteration: u32,
        stop_reason: StopReason,
    },
    /// The turn failed; the outcome holds the reason.
    Error {
        outcome: Arc<TurnOutcome>,
    },
    /// The last one of a turn, whatever became of it.
    LoopDone {
        outcome: Arc<TurnOutcome>,
    },
}

impl Event {
    /// Takes in the event that follows, if the two can stand for one another's sum.
    pub fn merge(&mut self, next: &Event) -> bool {
        match (self, next) {
            (Self::TextDelta { index, text }, Self::TextDelta { index: other, text: more })
            | (Self::ReasoningDelta { index, text }, Self::ReasoningDelta { index: other, text: more })
                if index == other =>
            {
                text.push_str(more);
                true
            }
            (Self::ToolUseInput { index, partial, .. }, Self::ToolUseInput { index: other, partial: more, .. })
                if index == other =>
            {
                partial.push_str(more);
                true
            }
            _ => false,
        }
    }
}
