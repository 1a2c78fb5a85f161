//! The process as clients see it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// No members.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Empty {}

pub type StatusParams = Empty;

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HelloParams {
    pub version: String,
    pub build: String,
    pub protocol_version: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<i64>,
    /// Where the client works; what is started for it is started there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// What of the client's environment programs that are started for it may see; no secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<BTreeMap<String, String>>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HelloResult {
    pub version: String,
    /// When the program's file was written, in Unix seconds, and its length.
    pub build: String,
    pub protocol_version: String,
    pub pid: u32,
    /// Unix milliseconds.
    pub started_at: u64,
    /// Whether nobody else is connected and nothing runs.
    pub idle: bool,
    /// The longest frame that is read.
    pub frame_bytes: u64,
    pub header_bytes: u64,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StopParams {
    #[serde(default)]
    pub when: StopWhen,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StopWhen {
    Idle,
    #[default]
    Drain,
    Now,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct StopResult {
    /// Whether it ends; the address is free for another daemon then.
    pub stopping: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReloadResult {
    /// The settings of the file that have changed, `table.key` for those in tables.
    pub changed: Vec<String>,
    /// Those among them that are without effect until the daemon is started anew.
    pub restart_needed: Vec<String>,
    pub warnings: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReloadedParams {
    /// Whether the configuration is in use now; if not, the one before it still is.
    pub ok: bool,
    pub changed: Vec<String>,
    /// Those among them that are without effect until the daemon is started anew.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub restart_needed: Vec<String>,
    /// What is wrong with it: file, line and key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusResult {
    pub version: String,
    /// When the program's file was written, in Unix seconds, and its length.
    pub build: String,
    pub protocol_version: String,
    pub pid: u32,
    /// Unix milliseconds.
    pub started_at: u64,
    pub uptime_ms: u64,
    /// Resident memory in bytes, where the system tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Where it listens, if it is shared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub socket: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<String>,
    /// Why nobody listens for HTTP although it was to be, with the way out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_fault: Option<String>,
    /// Where the token stands that HTTP asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_token_file: Option<String>,
    /// Connections open now, this one included.
    pub clients: u64,
    pub connections: Vec<ConnectionRow>,
    pub running_turns: Vec<RunningTurn>,
    /// Those in which something runs, waits, is held or is watched.
    pub sessions: Vec<LiveSession>,
    pub default_provider: Option<String>,
    pub enabled_plugins: Vec<String>,
    /// Those that can be asked.
    pub providers: Vec<ProviderWarmth>,
    /// The connection to the Codex app-server, if there is to be one.
    pub codex: Option<CodexState>,
    /// Programs that it has started.
    pub children: Vec<ChildRow>,
    pub skills: u64,
    pub allowed_hosts: Vec<String>,
    pub config_file: String,
    pub state_dir: String,
    pub log_file: String,
    /// How long it may have no client and nothing to do before it ends, if it is shared; zero means for ever.
    pub idle_timeout_ms: u64,
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

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionRow {
    pub id: u64,
    /// `stdio`, `memory`, `unix`, `websocket` or `http`.
    pub via: String,
    /// As it introduced itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The process at the other end, where the system tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
    /// Unix milliseconds.
    pub since: u64,
    /// Where what is started for it works.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// The sessions that it watches.
    pub subscriptions: Vec<String>,
    /// Its requests at work.
    pub in_flight: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LiveSession {
    pub session_name: String,
    pub running: bool,
    /// Turns that wait behind the one that runs.
    pub queued: u64,
    /// Actions that wait for a decision.
    pub held: u64,
    pub subscribers: u64,
    pub last_seq: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProviderWarmth {
    pub id: String,
    /// `warm`, `cold` or `down`.
    pub state: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CodexState {
    /// As `codex.status` tells it.
    pub state: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChildRow {
    pub pid: u32,
    /// `skill` or `codex`.
    pub kind: String,
    /// The skill's id, or the program.
    pub name: String,
    /// Unix milliseconds.
    pub since: u64,
}
