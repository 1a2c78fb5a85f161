//! Skills as clients see them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SkillsListResult {
    pub skills: Vec<SkillRow>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SkillRow {
    pub id: String,
    pub description: String,
    pub plugin: String,
    pub tags: Vec<String>,
    /// A JSON Schema.
    pub input_schema: Value,
    pub dangerous: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SkillInvokeParams {
    pub skill: String,
    #[serde(default)]
    pub input: Option<Value>,
    /// A dangerous skill runs only with it.
    #[serde(default)]
    pub confirm: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SkillInvokeResult {
    /// Always true: a failure is an error.
    pub ok: bool,
    pub data: Value,
}

/// What the client can do is offered as skills: to Helm in each turn that begins from then on, and to every client.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SkillsRegisterParams {
    /// Taken whole or not at all. One whose id this client has registered before takes the place of that one.
    pub skills: Vec<ClientSkill>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClientSkill {
    /// Kebab-case, at most 64 letters long, and none of the daemon's own. Where several clients have the same, a client's
    /// own turns and calls get its own skill, and all others that of who came first.
    pub id: String,
    /// What it does and when to use it, for people and models; at most 1,000 letters, in one line.
    pub description: String,
    /// A JSON Schema of type `object`; any object where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_schema: Option<Value>,
    /// Whether it waits for the user's leave: so, unless it is said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dangerous: Option<bool>,
    /// How long the client may take to answer: a minute where it is left out, an hour at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SkillsUnregisterParams {
    /// Ids; those that this client does not offer are passed over.
    pub skills: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SkillsRegisteredResult {
    /// All that this client offers now, in the order in which it registered them first.
    pub registered: Vec<String>,
}

/// An error is the skill's own, as in `{"error": {"code": 1, "message": "there is no such file"}}`: its message is what a
/// model reads. After `$/cancelRequest` an answer counts for nothing. A skill that itself says something to Helm in the
/// session of the turn that calls it waits for that turn, and that turn for the skill.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SkillCallParams {
    pub skill: String,
    /// Checked against the skill's schema.
    pub input: Value,
    /// Of the turn that calls; missing where a client does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn_id: Option<String>,
    /// How long an answer is waited for.
    pub deadline_ms: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SkillCallResult {
    /// Anything. At most 1 MiB of JSON.
    pub output: Value,
}
