//! Tools as a model sees them, and its calls of them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Opaque, Schema};

#[derive(Clone, Debug, PartialEq)]
pub struct ToolSpec {
    pub name: String,
    pub description: String,
    /// A JSON Schema of type `object`.
    pub input_schema: Schema,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ToolChoice {
    #[default]
    Auto,
    Required,
    None,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    /// Unique in its conversation: the wire's own id, or one made for it when the wire had none.
    pub id: String,
    pub name: String,
    /// The arguments exactly as the model wrote them; empty means no arguments.
    pub arguments: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opaque: Option<Opaque>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolResult {
    pub call_id: String,
    pub name: String,
    pub is_error: bool,
    /// What the model reads, bounded by the caller.
    pub content: String,
}

impl ToolCall {
    /// The arguments as a JSON object; the error says what is wrong with them, for the model to read.
    pub fn input(&self) -> Result<Value, String> {
        if self.arguments.trim().is_empty() {
            return Ok(Value::Object(Map::new()));
        }
        let value = serde_json::from_str::<Value>(&self.arguments)
            .map_err(|error| format!("the arguments are not valid JSON: {error}"))?;
        match value {
            Value::Object(_) => Ok(value),
            Value::Null => Ok(Value::Object(Map::new())),
            // Some servers encode the object twice.
            Value::String(inner) => serde_json::from_str::<Value>(&inner)
                .ok()
                .filter(Value::is_object)
                .ok_or_else(|| "the arguments must be a JSON object, not a string".to_owned()),
            _ => Err("the arguments must be a JSON object".to_owned()),
        }
    }
}
