//! The Codex app-server behind the daemon as clients see it. What goes to it and comes from it is passed on as it is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CodexRpcParams {
    /// Of the app-server, as in `thread/list`.
    pub method: String,
    /// Go to the app-server as they are; an empty object if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Value>")]
    pub params: Option<Box<RawValue>>,
    /// How long the answer may take; the configuration's own limit if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// The call runs only with it, unless the configuration says otherwise.
    #[serde(default)]
    pub confirm: bool,
}

/// What the app-server answered.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct CodexRpcResult(#[schemars(with = "Value")] pub Box<RawValue>);

/// An error of the app-server, as it came.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct CodexRpcError {
    pub code: i64,
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Value>")]
    pub data: Option<Box<RawValue>>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CodexSubscribeParams {
    /// All threads, and what belongs to none, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread_id: Option<String>,
}

pub type CodexUnsubscribeParams = CodexSubscribeParams;

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct CodexSubscribeResult {
    /// What the app-server asks and nobody has answered yet.
    pub pending: Vec<CodexRequestParams>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CodexNotificationParams {
    /// Of the app-server, as in `item/completed`.
    pub method: String,
    #[schemars(with = "Value")]
    pub params: Box<RawValue>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread_id: Option<String>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
pub struct CodexLostParams {
    /// How many notifications this client will not get.
    pub count: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CodexRequestParams {
    /// What `codex.respond` answers.
    pub request_id: String,
    /// Of the app-server, as in `item/commandExecution/requestApproval`.
    pub method: String,
    #[schemars(with = "Value")]
    pub params: Box<RawValue>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread_id: Option<String>,
    /// How long an answer is waited for, from now on; then the daemon declines.
    pub deadline_ms: u64,
}

/// One of `result` and `error`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CodexRespondParams {
    pub request_id: String,
    /// Goes to the app-server as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Value>")]
    pub result: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<CodexRpcError>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
pub struct CodexRespondResult {
    /// False if the request is settled already; the first answer counts.
    pub accepted: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CodexRequestResolvedParams {
    pub request_id: String,
    pub how: CodexResolution,
}

/// What became of a question of the app-server's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CodexResolution {
    /// A client answered it.
    Answered,
    /// Nobody answered in time, so the daemon declined.
    Declined,
    /// The app-server no longer wants an answer: another of its connections gave one, or the turn ended.
    Settled,
    /// The connection to the app-server broke. What is still open there is asked again, under another id.
    Lost,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CodexStatusParams {
    /// Whether to ask the app-server who is signed in and what is left of the limits.
    #[serde(default)]
    pub probe: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CodexStatusResult {
    /// Whether there is an app-server to speak to.
    pub configured: bool,
    /// The way in that the plugin takes: `app-server`, `app-server-spawn`, `api-key`, `chatgpt-tokens`; none if there is
    /// none.
    pub mode: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<CodexLink>,
    /// Who is signed in, as `account/read` says; with `probe`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Value>,
    /// The windows of the subscription's limits, as last heard of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rate_limits: Vec<CodexRateLimit>,
    /// What stands in the way, and what to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<CodexProblem>,
    /// Questions of the app-server's that wait for an answer of a client.
    pub pending_requests: u64,
    /// Threads whose events somebody here gets.
    pub threads: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CodexLink {
    /// `cold`, `connecting`, `handshaking`, `ready`, `draining`, `backoff` or `refused`.
    pub state: String,
    /// Since when; Unix milliseconds.
    pub since: u64,
    /// Why it is not up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<CodexProblem>,
    /// When the next attempt is due; Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<CodexServer>,
    /// `websocket`, `unix`, `http` or `spawn`.
    pub transport: String,
    /// The address, or the program that is started.
    pub endpoint: String,
    /// Of the process, where the daemon started it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// How often it has become ready.
    pub connects: u64,
    /// Requests that wait for an answer.
    pub in_flight: u64,
    /// Requests that wait for a place among those.
    pub waiting: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CodexServer {
    pub user_agent: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codex_home: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct CodexProblem {
    /// As in `not-installed`, `not-signed-in`, `wrong-token`, `host-not-allowed`, `nothing-listening`, `wrong-version`,
    /// `usage-limit-reached`; more may come.
    pub kind: String,
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CodexRateLimit {
    /// Which limit, as in `codex`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_id: Option<String>,
    /// `primary` or `secondary`.
    pub window: String,
    pub used_percent: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_minutes: Option<u64>,
    /// Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resets_at: Option<u64>,
    /// The same in ISO 8601, in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resets_at_iso: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resets_in_seconds: Option<u64>,
}
