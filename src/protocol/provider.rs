//! The ways to a model as clients see them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ProvidersListResult {
    /// In the order in which Helm prefers them.
    pub providers: Vec<ProviderRow>,
    /// Model servers on this machine that could be used and are not.
    #[serde(default)]
    pub discovered: Vec<DiscoveredRow>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct DiscoveredRow {
    /// Of the program.
    pub name: String,
    pub url: String,
    /// The first fifty.
    pub models: Vec<String>,
    /// How to use it.
    pub hint: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProviderRow {
    pub id: String,
    pub description: String,
    pub enabled: bool,
    pub configured: bool,
    /// How the connection to it stands: `unknown`, `connecting`, `warm` or `failed`; more may come. It is told for
    /// people, and keeps no request from going there.
    pub state: String,
    /// Whether the last call went well; left out while there has been none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthy: Option<bool>,
    /// Of the last call, or of the connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// Milliseconds to the first byte of the answer to the last call or probe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<u64>,
    /// When it was last called or probed; Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checked_at: Option<u64>,
    /// Whether a request that names no provider would go here.
    pub default: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_model: Option<String>,
    /// Settings that are missing.
    pub missing: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProvidersModelsParams {
    pub provider: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ProvidersModelsResult {
    pub models: Vec<ModelRow>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModelRow {
    pub id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_window: Option<u64>,
}
