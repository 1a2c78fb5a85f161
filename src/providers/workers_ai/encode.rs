//! Ours to theirs: a request as the input of a model of Workers AI.

use std::borrow::Cow;

use super::wire;
use crate::model::{Block, ErrorKind, ImageSource, ProviderError, Request, ToolCall, ToolChoice};
use crate::providers::chat::DIALECT;
use crate::providers::chat::encode::{arguments, tool, user};
use crate::providers::chat::wire::{Call, CallFunction};
use crate::providers::history::{Answer, Step, steps};

/// Their own default is 256, which ends in the middle of a sentence, or of a thought.
const MAX_TOKENS: u32 = 4096;

pub(super) fn body(request: &Request, model: &str) -> Result<Vec<u8>, ProviderError> {
    check_images(request)?;
    let wanted = request.tool_choice != ToolChoice::None;
    let body = wire::Body {
        messages: messages(request, model),
        // Not to offer them is the one way to forbid them that every model heeds.
        tools: request.tools.iter().filter(|_| wanted).map(tool).collect(),
        tool_choice: choice(request),
        max_tokens: request.max_tokens.unwrap_or(MAX_TOKENS),
        temperature: request.temperature,
        stream: request.stream,
    };
    Ok(serde_json::to_vec(&body).expect("strings and JSON values always serialise"))
}

/// They fetch nothing themselves.
fn check_images(request: &Request) -> Result<(), ProviderError> {
    let mut blocks = request.messages.iter().flat_map(|message| &message.blocks);
    let is_remote = |block: &Block| match block {
        Block::Image { source: ImageSource::Url { url } } => !url.starts_with("data:"),
        _ => false,
    };
    if !blocks.any(is_remote) {
        return Ok(());
    }
    let message = "Workers AI cannot fetch an image from an address";
    Err(ProviderError::new(ErrorKind::InvalidRequest, message).with_hint("send the image itself, in base64"))
}

fn messages<'a>(request: &'a Request, model: &str) -> Vec<wire::Message<'a>> {
    let system = request.system_text();
    let mut messages: Vec<_> =
        system.map(|content| wire::Message::System { content: content.into() }).into_iter().collect();
    for step in steps(&request.messages) {
        match step {
            Step::System(content) => messages.push(wire::Message::System { content: content.into() }),
            Step::User(blocks) => messages.push(wire::Message::User { content: user(blocks) }),
            Step::Assistant(blocks, answers) => {
                messages.extend(assistant(blocks, model));
                messages.extend(answers.into_iter().map(result));
            }
        }
    }
    messages
}

/// Nothing if a thought that is not to be repeated was all there was.
fn assistant<'a>(blocks: &'a [Block], model: &str) -> Option<wire::Message<'a>> {
    let (mut content, mut reasoning, mut tool_calls) = (String::new(), String::new(), Vec::new());
    for block in blocks {
        match block {
            Block::Text { text } => content.push_str(text),
            Block::ToolCall(call) => tool_calls.push(tool_call(call)),
            Block::Reasoning { text, opaque: Some(opaque) } if opaque.belongs_to(DIALECT, model) => {
                reasoning.push_str(text);
            }
            _ => {}
        }
    }
    let said = !content.is_empty() || !tool_calls.is_empty();
    said.then_some(wire::Message::Assistant { content, reasoning, tool_calls })
}

fn tool_call(call: &ToolCall) -> Call<'_> {
    Call {
        id: Cow::Borrowed(&call.id),
        r#type: "function",
        function: CallFunction { name: &call.name, arguments: arguments(call) },
        extra_content: None,
    }
}

fn result(answer: Answer<'_>) -> wire::Message<'_> {
    let ToolCall { name, id, .. } = answer.call;
    wire::Message::Tool { name, tool_call_id: id, content: answer.into_text() }
}

/// A bare "required" is advice that many models pass over; a tool by its name they must call.
fn choice(request: &Request) -> Option<wire::Choice<'_>> {
    match (request.tool_choice, &*request.tools) {
        (ToolChoice::Required, [only]) => {
            Some(wire::Choice::Named { r#type: "function", function: wire::Named { name: &only.name } })
        }
        (ToolChoice::Required, [_, ..]) => Some(wire::Choice::Word("required")),
        _ => None,
    }
}
