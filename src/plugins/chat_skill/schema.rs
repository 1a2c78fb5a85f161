//! The schema of what a chat skill takes. It is checked before the input is read, so `input.rs` reads what fits it.

use serde_json::{Value, json};

/// `options` are properties that only one provider understands.
pub(in crate::plugins) fn schema(options: &Value) -> Value {
    let mut schema = json!({
        "type": "object",
        "properties": {
            "model": { "type": "string", "description": "the plugin's default if left out" },
            "messages": { "type": "array", "items": message(), "minItems": 1 },
            "maxTokens": { "type": "integer", "minimum": 1, "maximum": u32::MAX },
            "temperature": { "type": "number", "minimum": 0, "maximum": 2 },
            "tools": { "type": "array", "items": tool() },
            "toolChoice": { "enum": ["auto", "required", "none"] },
            "stream": {
                "type": "boolean",
                "description": "ask upstream for a stream, which a slow model keeps alive; the result is the same",
            },
            "includeRaw": {
                "type": "boolean",
                "description": "give the vendor's own answer too, as `response`; only without `stream`",
            },
            "timeoutMs": { "type": "integer", "minimum": 1, "description": "the whole call, retries included" },
        },
        "required": ["messages"],
        "additionalProperties": false,
    });
    if let (Some(properties), Some(options)) = (schema["properties"].as_object_mut(), options.as_object()) {
        properties.extend(options.clone());
    }
    schema
}

fn message() -> Value {
    let string = json!({ "type": "string" });
    let text = json!({
        "type": "object",
        "properties": { "type": { "const": "text" }, "text": string },
        "required": ["type", "text"],
    });
    let image = json!({
        "type": "object",
        "description": "either `url`, or `mediaType` and `data` in base64",
        "properties": { "type": { "const": "image" }, "url": string, "mediaType": string, "data": string },
        "required": ["type"],
        "anyOf": [{ "required": ["url"] }, { "required": ["mediaType", "data"] }],
    });
    let parts = json!({ "type": "array", "items": { "anyOf": [text, image] } });
    json!({
        "type": "object",
        "properties": {
            "role": { "enum": ["system", "user", "assistant", "tool"] },
            "content": { "anyOf": [string, { "type": "null" }, parts] },
            "name": { "type": "string", "description": "of a tool message: the tool" },
            "toolCallId": { "type": "string", "description": "of a tool message: the call it answers" },
            "toolCalls": { "type": "array", "items": call(), "description": "as the answer before had them" },
            "tool_call_id": { "type": "string", "description": "the same as toolCallId" },
            "tool_calls": { "type": "array", "items": call(), "description": "the same as toolCalls" },
        },
        "required": ["role"],
    })
}

/// Ours, or as in chat completions.
fn call() -> Value {
    let string = json!({ "type": "string" });
    let function = json!({
        "type": "object",
        "properties": { "name": string, "arguments": string },
        "required": ["name"],
    });
    json!({
        "type": "object",
        "properties": { "id": string, "name": string, "input": { "type": "object" }, "function": function },
        "required": ["id"],
        "anyOf": [{ "required": ["name"] }, { "required": ["function"] }],
    })
}

/// Ours, or as in chat completions.
fn tool() -> Value {
    let string = json!({ "type": "string" });
    let function = json!({
        "type": "object",
        "properties": { "name": string, "description": string, "parameters": { "type": "object" } },
        "required": ["name"],
    });
    json!({
        "type": "object",
        "properties": {
            "name": string,
            "description": string,
            "inputSchema": { "type": "object" },
            "function": function,
        },
        "anyOf": [{ "required": ["name", "inputSchema"] }, { "required": ["function"] }],
    })
}
