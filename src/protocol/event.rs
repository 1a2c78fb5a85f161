//! What happens in a session, as it happens.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::conductor::TurnError;
use super::{StopReason, TurnResult};

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventParams {
    pub session_name: String,
    pub turn_id: String,
    /// One more than that of the session's event before, or before `firstSeq`.
    pub seq: u64,
    /// There when this event stands for several: text that was merged because this client reads slowly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_seq: Option<u64>,
    pub event: Event,
}

/// `index` tells the blocks of one turn apart; several may be open at once.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Event {
    /// A model is called; `iteration` counts from 1.
    #[schemars(title = "TurnStartEvent")]
    TurnStart {
        iteration: u32,
        provider: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        model: Option<String>,
    },
    #[schemars(title = "TextStartEvent")]
    TextStart { index: u32 },
    #[schemars(title = "TextDeltaEvent")]
    TextDelta { index: u32, text: String },
    /// With the whole text of the block.
    #[schemars(title = "TextStopEvent")]
    TextStop { index: u32, text: String },
    #[schemars(title = "ReasoningDeltaEvent")]
    ReasoningDelta { index: u32, text: String },
    #[schemars(title = "ToolUseStartEvent")]
    ToolUseStart { index: u32, id: String, name: String },
    /// More of the input, as unfinished JSON text.
    #[schemars(title = "ToolUseInputEvent")]
    ToolUseInput { index: u32, id: String, partial: String },
    #[schemars(title = "ToolUseStopEvent")]
    ToolUseStop { index: u32, id: String, name: String, input: Value },
    /// A skill has run, or its call was refused.
    #[schemars(title = "ToolResultEvent")]
    ToolResult {
        tool_use_id: String,
        skill: String,
        ok: bool,
        duration_ms: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        data: Option<Value>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
    /// A call waits for a decision, by `conductor.approve` with this `actionId`.
    #[schemars(title = "ToolHeldEvent")]
    ToolHeld { action_id: String, tool_use_id: String, skill: String, input: Value, reason: String },
    /// A model failed; another one is tried if there is any, or the same anew. Text blocks that are open then have no
    /// `text-stop` and are void: nothing of them is in the result.
    #[schemars(title = "AttemptFailedEvent")]
    AttemptFailed {
        provider: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        model: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<u16>,
        error: String,
    },
    /// A model has answered; `stopReason` is why it stopped, `tool-use` among others.
    #[schemars(title = "TurnStopEvent")]
    TurnStop { iteration: u32, stop_reason: StopReason },
    /// The turn has ended: with its result, or after an `error`.
    #[schemars(title = "LoopDoneEvent")]
    LoopDone {
        stop_reason: StopReason,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        result: Option<Box<TurnResult>>,
    },
    #[schemars(title = "ErrorEvent")]
    Error { error: Box<TurnError> },
    /// Events before this one are gone from the buffer: read the session anew.
    #[schemars(title = "ResyncEvent")]
    Resync {},
}
