//! Sessions as clients see them. Times are Unix milliseconds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::SuggestedAction;

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SessionParams {
    pub session_name: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SessionMessagesParams {
    pub session_name: String,
    /// At most this many, 1 to 1000; default 100.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1000))]
    pub limit: Option<u32>,
    /// Only messages before the one with this id.
    #[serde(default)]
    pub before: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SessionsListResult {
    pub sessions: Vec<SessionSummary>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionSummary {
    pub session_name: String,
    pub created_at: u64,
    pub updated_at: u64,
    pub message_count: u64,
    /// Actions that wait for a decision.
    pub held_count: u64,
    pub running: bool,
    /// The conversation as the provider's own engine keeps it, where one runs the turns of this session: of those that
    /// work, or else of those that propose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread_id: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionDetail {
    #[serde(flatten)]
    pub summary: SessionSummary,
    /// The sequence number of the session's last event; 0 if it has had none.
    pub seq: u64,
    pub held_actions: Vec<SuggestedAction>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionMessagesResult {
    pub messages: Vec<SessionMessage>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionMessage {
    pub id: String,
    pub turn_id: String,
    /// `user`, `assistant`, `system` or `tool`.
    pub role: String,
    /// The visible text.
    pub content: String,
    /// The skill calls of an assistant message, the results in a tool message, images.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blocks: Vec<Value>,
    /// The provider of an assistant message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    pub created_at: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SessionDeleteResult {
    /// Whether there was one.
    pub deleted: bool,
}
