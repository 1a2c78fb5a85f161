//! The handshake, cancellation and progress, as in the language server protocol.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct InitializeParams {
    /// The process that started us; over stdio we end with it.
    pub process_id: Option<i64>,
    pub client_info: Option<ClientInfo>,
    /// The protocol version that the client was written for, `major.minor`.
    pub protocol_version: Option<Value>,
    pub capabilities: ClientCapabilities,
    /// `cwd` and `env`, where they are there, say where the programs work that are started for the client, and which part of
    /// its environment they see: what a program needs to find its way, and never keys.
    pub initialization_options: Option<Value>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClientInfo {
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// Capabilities of other protocols may stand beside ours; they are ignored.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ClientCapabilities {
    /// Whether the client answers `conductor.approval`.
    pub approvals: bool,
    /// Whether the client answers `skills.call`, and so may register skills.
    pub skills: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InitializeResult {
    pub capabilities: ServerCapabilities,
    pub server_info: ServerInfo,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServerCapabilities {
    pub protocol_version: String,
    /// The methods that this daemon answers.
    pub methods: Vec<String>,
    /// The modes of `conductor.message`.
    pub modes: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServerInfo {
    pub name: String,
    pub version: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct CancelParams {
    pub id: Token,
}

/// A request id or a progress token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Token {
    #[schemars(title = "NumberToken")]
    Number(i64),
    #[schemars(title = "StringToken")]
    String(String),
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ProgressParams {
    pub token: Token,
    pub value: ProgressValue,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum ProgressValue {
    #[schemars(title = "ProgressBegin")]
    #[serde(rename_all = "camelCase")]
    Begin {
        title: String,
        cancellable: bool,
        /// The turn that the request is about: the `turnId` of its events and of its result.
        turn_id: String,
    },
    #[schemars(title = "ProgressReport")]
    Report { message: String },
    #[schemars(title = "ProgressEnd")]
    End {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
}
