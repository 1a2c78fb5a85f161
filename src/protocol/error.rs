//! Error numbers and what comes with them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Attempt, CodexRpcError};

/// One number and one name for each thing a client branches on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Code {
    #[serde(rename = "E_PARSE")]
    Parse,
    #[serde(rename = "E_INVALID_REQUEST")]
    InvalidRequest,
    #[serde(rename = "E_NOT_FOUND")]
    NotFound,
    #[serde(rename = "E_BAD_REQUEST")]
    BadRequest,
    #[serde(rename = "E_INTERNAL")]
    Internal,
    #[serde(rename = "E_OVERLOADED")]
    Overloaded,
    #[serde(rename = "E_NO_PROVIDER")]
    NoProvider,
    #[serde(rename = "E_PROVIDER_FAILED")]
    ProviderFailed,
    #[serde(rename = "E_FALLBACKS_EXHAUSTED")]
    FallbacksExhausted,
    #[serde(rename = "E_AUTH")]
    Auth,
    #[serde(rename = "E_HOST_NOT_ALLOWED")]
    HostNotAllowed,
    #[serde(rename = "E_SKILL_UNAVAILABLE")]
    SkillUnavailable,
    #[serde(rename = "E_SKILL_FAILED")]
    SkillFailed,
    #[serde(rename = "E_APPROVAL_REQUIRED")]
    ApprovalRequired,
    #[serde(rename = "E_SESSION_BUSY")]
    SessionBusy,
    /// The Codex app-server itself said no.
    #[serde(rename = "E_CODEX_RPC")]
    CodexRpc,
    /// There is no answer of the Codex app-server's.
    #[serde(rename = "E_CODEX_LINK")]
    CodexLink,
    #[serde(rename = "E_SPEND_CAP")]
    SpendCap,
    #[serde(rename = "E_STORE")]
    Store,
    #[serde(rename = "E_CANCELLED")]
    Cancelled,
    #[serde(rename = "E_SHUTTING_DOWN")]
    ShuttingDown,
}

impl Code {
    pub fn number(self) -> i32 {
        match self {
            Self::Parse => -32700,
            Self::InvalidRequest => -32600,
            Self::NotFound => -32601,
            Self::BadRequest => -32602,
            Self::Internal => -32603,
            Self::Overloaded => -32001,
            Self::NoProvider => -32010,
            Self::ProviderFailed => -32011,
            Self::FallbacksExhausted => -32012,
            Self::Auth => -32013,
            Self::HostNotAllowed => -32014,
            Self::SkillUnavailable | Self::SkillFailed => -32015,
            Self::ApprovalRequired => -32016,
            Self::SessionBusy => -32017,
            Self::CodexRpc | Self::CodexLink => -32018,
            Self::SpendCap => -32019,
            Self::Store => -32020,
            Self::Cancelled => -32800,
            Self::ShuttingDown => -32802,
        }
    }
}

/// The `data` of every error.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErrorData {
    pub code: Code,
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The HTTP status of the service behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    pub retryable: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Finds the rest of the story in the log.
    pub request_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<Vec<Attempt>>,
    /// With `E_SKILL_UNAVAILABLE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub available_skills: Option<Vec<String>>,
    /// With `E_CODEX_RPC`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rpc_error: Option<CodexRpcError>,
    /// Names that come close to the one that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub did_you_mean: Option<Vec<String>>,
}
