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
