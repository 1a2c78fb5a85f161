//! What a chat skill takes, and the request it makes of it.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::model::{Block, Message, Request, Role, ToolCall, ToolChoice, ToolResult, ToolSpec};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Input {
    pub(super) model: Option<String>,
    messages: Vec<InputMessage>,
    max_tokens: Option<u32>,
    temperature: Option<f64>,
    #[serde(default)]
    tools: Vec<InputTool>,
    tool_choice: Option<InputChoice>,
}

#[derive(Deserialize)]
struct InputMessage {
    role: Role,
    content: String,
    name: Option<String>,
    tool_call_id: Option<String>,
    #[serde(default)]
    tool_calls: Vec<InputCall>,
}

#[derive(Deserialize)]
struct InputCall {
    id: String,
    name: String,
    #[serde(default)]
    input: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InputTool {
    name: String,
    #[serde(default)]
    description: String,
    input_schema: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum InputChoice {
    Auto,
    Required,
    None,
}

pub(super) fn schema() -> Value {
    let string = json!({ "type": "string" });
    let call = json!({
        "type": "object",
        "properties": { "id": string, "name": string, "input": { "type": "object" } },
        "required": ["id", "name"],
    });
    let message = json!({
        "type": "object",
        "properties": {
            "role": { "enum": ["system", "user", "assistant", "tool"] },
            "content": string,
            "name": { "type": "string", "description": "of a tool message: the tool" },
            "tool_call_id": { "type": "string", "description": "of a tool message: the call it answers" },
            "tool_calls": { "type": "array", "items": call },
        },
        "required": ["role", "content"],
    });
    let tool = json!({
        "type": "object",
        "properties": { "name": string, "description": string, "inputSchema": { "type": "object" } },
        "required": ["name", "inputSchema"],
    });
    json!({
        "type": "object",
        "properties": {
            "model": { "type": "string", "description": "the plugin's default if left out" },
            "messages": { "type": "array", "items": message, "minItems": 1 },
            "maxTokens": { "type": "integer", "minimum": 1, "maximum": u32::MAX },
            "temperature": { "type": "number", "minimum": 0, "maximum": 2 },
            "tools": { "type": "array", "items": tool },
            "toolChoice": { "enum": ["auto", "required", "none"] },
        },
        "required": ["messages"],
        "additionalProperties": false,
    })
}

impl Input {
    pub(super) fn into_request(self) -> Request {
        let tools = self.tools.into_iter().map(|tool| ToolSpec {
            name: tool.name,
            description: tool.description,
            input_schema: tool.input_schema.into(),
        });
        Request {
            model: self.model,
            messages: self.messages.into_iter().map(message).collect(),
            tools: tools.collect(),
            tool_choice: match self.tool_choice {
                None | Some(InputChoice::Auto) => ToolChoice::Auto,
                Some(InputChoice::Required) => ToolChoice::Required,
                Some(InputChoice::None) => ToolChoice::None,
            },
            max_tokens: self.max_tokens,
            temperature: self.temperature,
            // Nobody watches, but a stream is not cut off while a long answer is being written.
            stream: true,
            ..Request::default()
        }
    }
}

fn message(message: InputMessage) -> Message {
    let InputMessage { role, content, name, tool_call_id, tool_calls } = message;
    if role == Role::Tool {
        let (call_id, name) = (tool_call_id.unwrap_or_default(), name.unwrap_or_default());
        let result = ToolResult { call_id, name, is_error: false, content };
        return Message { role, blocks: vec![Block::ToolResult(result)] };
    }
    let mut message = Message::text(role, content);
    message.blocks.extend(tool_calls.into_iter().map(|call| {
        let arguments = if call.input.is_null() { String::new() } else { call.input.to_string() };
        Block::ToolCall(ToolCall { id: call.id, name: call.name, arguments, opaque: None })
    }));
    message
}
