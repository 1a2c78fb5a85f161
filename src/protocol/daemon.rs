//! The process as clients see it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// No members.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Empty {}

pub type StatusParams = Empty;

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusResult {
    pub version: String,
    pub protocol_version: String,
    pub pid: u32,
    /// Unix milliseconds.
    pub started_at: u64,
    /// Resident memory in bytes, where the system tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Connections open now, this one included.
    pub clients: u64,
    pub running_turns: Vec<RunningTurn>,
    pub default_provider: Option<String>,
    pub enabled_plugins: Vec<String>,
    pub skills: u64,
    pub allowed_hosts: Vec<String>,
    pub config_file: String,
    pub state_dir: String,
    pub log_file: String,
    /// What all calls of models of today came to; left out if it cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<UsageToday>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UsageToday {
    /// In UTC, as 2026-03-31.
    pub day: String,
    pub calls: u64,
    pub input_tokens: u64,
    pub output_tokens: u64,
    /// US dollars, without the calls that have no price.
    pub cost_usd: f64,
    pub unpriced_calls: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunningTurn {
    pub session_name: String,
    pub turn_id: String,
}
