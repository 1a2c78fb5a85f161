//! The chat skill that every plugin with a provider has: one question, one answer, no loop and no session.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::StreamExt;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::model::{
    Block, Completion, Fold, Message, Provider, ProviderError, Request, Role, Stop, ToolCall, ToolChoice, ToolResult,
    ToolSpec, Usage,
};
use crate::skills::{Handler, Skill, SkillError, SkillSpec};

/// `provider` is missing while the plugin is not configured; `hint` then says how to set it up.
pub(super) fn chat_skill(
    plugin: &'static str,
    id: &str,
    description: &str,
    provider: Option<Arc<dyn Provider>>,
    hint: &str,
) -> Skill {
    let spec = SkillSpec {
        id: id.to_owned(),
        description: description.to_owned(),
        plugin: plugin.to_owned(),
        tags: vec!["ai".to_owned(), "chat".to_owned()],
        input_schema: input_schema(),
        dangerous: false,
    };
    Skill::new(spec, ChatHandler { plugin, provider, hint: hint.to_owned() })
}

struct ChatHandler {
    plugin: &'static str,
    provider: Option<Arc<dyn Provider>>,
    hint: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    model: Option<String>,
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

fn input_schema() -> Value {
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

#[async_trait]
impl Handler for ChatHandler {
    async fn run(&self, input: Value) -> Result<Value, SkillError> {
        let Some(provider) = &self.provider else {
            return Err(SkillError::new(format!("{} is not configured", self.plugin)).with_hint(&self.hint));
        };
        let input: Input = serde_json::from_value(input).map_err(|error| SkillError::new(error.to_string()))?;
        let asked = input.model.clone();
        let completion = complete(&**provider, request(input)).await.map_err(failed)?;
        let model = completion.model.clone().or(asked).or_else(|| provider.default_model().map(str::to_owned));
        Ok(output(&completion, model, self.plugin))
    }
}

async fn complete(provider: &dyn Provider, request: Request) -> Result<Completion, ProviderError> {
    let mut deltas = provider.stream(request).await?;
    let mut fold = Fold::default();
    while let Some(delta) = deltas.next().await {
        fold.push(&delta?);
    }
    Ok(fold.finish().0)
}

pub(super) fn failed(error: ProviderError) -> SkillError {
    let mut skill_error = SkillError::new(error.message);
    skill_error.hint = error.hint;
    skill_error.status = error.status;
    skill_error.retryable = error.retryable;
    skill_error
}

fn request(input: Input) -> Request {
    let tools = input.tools.into_iter().map(|tool| ToolSpec {
        name: tool.name,
        description: tool.description,
        input_schema: tool.input_schema,
    });
    Request {
        model: input.model,
        messages: input.messages.into_iter().map(message).collect(),
        tools: tools.collect(),
        tool_choice: match input.tool_choice {
            None | Some(InputChoice::Auto) => ToolChoice::Auto,
            Some(InputChoice::Required) => ToolChoice::Required,
            Some(InputChoice::None) => ToolChoice::None,
        },
        max_tokens: input.max_tokens,
        temperature: input.temperature,
        // Nobody watches, but a stream is not cut off while a long answer is being written.
        stream: true,
        ..Request::default()
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

fn output(completion: &Completion, model: Option<String>, provider: &str) -> Value {
    let calls = completion.message.tool_calls().map(|call| {
        let input = call.input().unwrap_or_else(|_| Value::String(call.arguments.clone()));
        json!({ "id": call.id, "name": call.name, "input": input })
    });
    json!({
        "text": completion.message.plain_text(),
        "toolCalls": calls.collect::<Vec<_>>(),
        "usage": usage(&completion.usage),
        "stopReason": stop_reason(&completion.stop),
        "model": model,
        "provider": provider,
    })
}

/// What the vendor did not say is left out.
fn usage(usage: &Usage) -> Value {
    let counts = [
        ("inputTokens", usage.input_tokens),
        ("outputTokens", usage.output_tokens),
        ("cachedTokens", usage.cached_tokens),
        ("cacheWriteTokens", usage.cache_write_tokens),
        ("reasoningTokens", usage.reasoning_tokens),
    ];
    let known = counts.into_iter().filter_map(|(name, count)| Some((name.to_owned(), json!(count?))));
    Value::Object(known.collect())
}

fn stop_reason(stop: &Stop) -> &str {
    match stop {
        Stop::EndTurn => "end-turn",
        Stop::ToolUse => "tool-use",
        Stop::MaxTokens => "max-tokens",
        Stop::StopSequence => "stop-sequence",
        Stop::Refusal(_) => "refusal",
        Stop::ContentFilter => "content-filter",
        Stop::ContextExceeded => "context-exceeded",
        Stop::Pause => "pause",
        Stop::Other(reason) => reason,
    }
}

#[cfg(test)]
mod tests;
