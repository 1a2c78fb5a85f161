//! What a chat skill takes, and the request it makes of it.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::model::{Block, ImageSource, Message, Request, Role, ToolCall, ToolChoice, ToolResult, ToolSpec};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::plugins) struct Input {
    model: Option<String>,
    messages: Vec<InputMessage>,
    max_tokens: Option<u32>,
    temperature: Option<f64>,
    #[serde(default)]
    tools: Vec<InputTool>,
    tool_choice: Option<InputChoice>,
    #[serde(default)]
    stream: bool,
    #[serde(default)]
    include_raw: bool,
    timeout_ms: Option<u64>,
    /// What the schema allows beside these.
    #[serde(flatten)]
    options: Map<String, Value>,
}

/// With the names of our answers, or those of chat completions.
#[derive(Deserialize)]
struct InputMessage {
    role: Role,
    #[serde(default)]
    content: Option<InputContent>,
    name: Option<String>,
    #[serde(alias = "toolCallId")]
    tool_call_id: Option<String>,
    #[serde(default, alias = "toolCalls")]
    tool_calls: Vec<InputCall>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum InputContent {
    Text(String),
    Parts(Vec<InputPart>),
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", rename_all_fields = "camelCase")]
enum InputPart {
    Text { text: String },
    Image { url: Option<String>, media_type: Option<String>, data: Option<String> },
}

/// Ours, or as in chat completions.
#[derive(Deserialize)]
#[serde(untagged)]
enum InputCall {
    Theirs {
        id: String,
        function: CallFunction,
    },
    Ours {
        id: String,
        name: String,
        #[serde(default)]
        input: Value,
    },
}

#[derive(Deserialize)]
struct CallFunction {
    name: String,
    #[serde(default)]
    arguments: String,
}

/// Ours, or as in chat completions.
#[derive(Deserialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
enum InputTool {
    Theirs {
        function: ToolFunction,
    },
    Ours {
        name: String,
        #[serde(default)]
        description: String,
        input_schema: Value,
    },
}

#[derive(Deserialize)]
struct ToolFunction {
    name: String,
    #[serde(default)]
    description: String,
    parameters: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum InputChoice {
    Auto,
    Required,
    None,
}

impl Input {
    pub(in crate::plugins) fn into_request(self) -> Request {
        Request {
            model: self.model,
            messages: self.messages.into_iter().flat_map(messages).collect(),
            tools: self.tools.into_iter().map(tool).collect(),
            tool_choice: match self.tool_choice {
                None | Some(InputChoice::Auto) => ToolChoice::Auto,
                Some(InputChoice::Required) => ToolChoice::Required,
                Some(InputChoice::None) => ToolChoice::None,
            },
            max_tokens: self.max_tokens,
            temperature: self.temperature,
            stream: self.stream,
            include_raw: self.include_raw,
            timeout: self.timeout_ms.map(Duration::from_millis),
            options: self.options,
            ..Request::default()
        }
    }
}

fn tool(tool: InputTool) -> ToolSpec {
    match tool {
        InputTool::Ours { name, description, input_schema } => {
            ToolSpec { name, description, input_schema: input_schema.into() }
        }
        InputTool::Theirs { function: ToolFunction { name, description, parameters } } => {
            let input_schema = parameters.unwrap_or_else(|| json!({ "type": "object" })).into();
            ToolSpec { name, description, input_schema }
        }
    }
}

/// One, or two where a result holds images: no vendor has a place for them in a result that all understand, so they
/// are shown right behind it.
fn messages(message: InputMessage) -> Vec<Message> {
    let InputMessage { role, content, name, tool_call_id, tool_calls } = message;
    let mut blocks: Vec<Block> = match content {
        None => Vec::new(),
        Some(InputContent::Text(text)) => vec![Block::Text { text }],
        Some(InputContent::Parts(parts)) => parts.into_iter().map(part).collect(),
    };
    if role != Role::Tool {
        blocks.extend(tool_calls.into_iter().map(|call| Block::ToolCall(tool_call(call))));
        return vec![Message { role, blocks }];
    }
    let (images, texts): (Vec<Block>, Vec<Block>) =
        blocks.into_iter().partition(|block| matches!(block, Block::Image { .. }));
    let mut content = Message { role, blocks: texts }.plain_text();
    if content.is_empty() && !images.is_empty() {
        content = "the result is shown in the next message".to_owned();
    }
    let (call_id, name) = (tool_call_id.unwrap_or_default(), name.unwrap_or_default());
    let result = Block::ToolResult(ToolResult { call_id, name, is_error: false, content });
    let result = Message { role, blocks: vec![result] };
    let shown = (!images.is_empty()).then_some(Message { role: Role::User, blocks: images });
    [result].into_iter().chain(shown).collect()
}

fn part(part: InputPart) -> Block {
    match part {
        InputPart::Text { text } => Block::Text { text },
        InputPart::Image { url: Some(url), .. } => Block::Image { source: ImageSource::Url { url } },
        InputPart::Image { url: None, media_type, data } => {
            let (media_type, data) = (media_type.unwrap_or_default(), data.unwrap_or_default());
            Block::Image { source: ImageSource::Base64 { media_type, data } }
        }
    }
}

fn tool_call(call: InputCall) -> ToolCall {
    match call {
        InputCall::Theirs { id, function: CallFunction { name, arguments } } => {
            ToolCall { id, name, arguments, opaque: None }
        }
        InputCall::Ours { id, name, input } => {
            let arguments = if input.is_null() { String::new() } else { input.to_string() };
            ToolCall { id, name, arguments, opaque: None }
        }
    }
}
