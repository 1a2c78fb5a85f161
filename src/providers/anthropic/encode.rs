//! Ours to theirs: a request as the body of a call of the Messages API.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::DIALECT;
use super::wire::{self, Block as WireBlock, OwnBlock};
use crate::model::{Block, ErrorKind, ImageSource, Message, Opaque, ProviderError, Request, ToolCall, ToolChoice};
use crate::providers::history::{Answer, Step, steps};

/// The API wants a limit; this one lets an answer of any usual length through on every model.
const MAX_TOKENS: u32 = 8192;

pub(super) fn body(request: &Request, model: &str) -> Result<Vec<u8>, ProviderError> {
    let mut system: Vec<String> = request.system.iter().filter(|text| !text.is_empty()).cloned().collect();
    let mut messages = Vec::new();
    for step in steps(&request.messages) {
        match step {
            Step::System(text) => system.extend((!text.is_empty()).then_some(text)),
            Step::User(blocks) => add(&mut messages, "user", blocks.iter().filter_map(user_block)),
            Step::Assistant(blocks, answers) => {
                add(&mut messages, "assistant", blocks.iter().filter_map(|block| assistant_block(block, model)));
                add(&mut messages, "user", answers.into_iter().map(result));
            }
        }
    }
    trim_prefill(&mut messages);
    if messages.is_empty() {
        return Err(ProviderError::new(ErrorKind::InvalidRequest, "there is nothing to send: every message is empty"));
    }
    let (tools, tool_choice) = tools(request);
    let body = wire::Body {
        model,
        max_tokens: request.max_tokens.unwrap_or(MAX_TOKENS),
        system: system.join("\n\n"),
        messages,
        tools,
        tool_choice,
        // Others allow up to 2.
        temperature: request.temperature.map(|temperature| temperature.min(1.0)),
        stream: request.stream,
    };
    Ok(serde_json::to_vec(&body).expect("strings and JSON values always serialise"))
}

/// Messages of one role in a row become one; those that are empty fall away. Tool results come first in their message
/// because nothing else of the user's can follow a call before them.
fn add<'a>(messages: &mut Vec<wire::Message<'a>>, role: &'static str, blocks: impl Iterator<Item = WireBlock<'a>>) {
    let mut blocks = blocks.peekable();
    if blocks.peek().is_none() {
        return;
    }
    match messages.last_mut().filter(|last| last.role == role) {
        Some(last) => last.content.extend(blocks),
        None => messages.push(wire::Message { role, content: blocks.collect() }),
    }
}

fn user_block(block: &Block) -> Option<WireBlock<'_>> {
    match block {
        Block::Text { text } => text_block(text),
        Block::Image { source } => {
            let source = match source {
                ImageSource::Url { url } => wire::Image::Url { url },
                ImageSource::Base64 { media_type, data } => wire::Image::Base64 { media_type, data },
            };
            Some(WireBlock::Own(OwnBlock::Image { source }))
        }
        _ => None,
    }
}

fn assistant_block<'a>(block: &'a Block, model: &str) -> Option<WireBlock<'a>> {
    let ours = |opaque: &&Opaque| opaque.belongs_to(DIALECT, model);
    match block {
        Block::Text { text } => text_block(text),
        Block::ToolCall(call) => Some(tool_use(call, model)),
        Block::Reasoning { text, opaque } => thought(text, opaque.as_ref().filter(ours)?),
        Block::Foreign { opaque } => ours(&opaque).then(|| WireBlock::Theirs(Cow::Borrowed(&opaque.value))),
        Block::Image { .. } | Block::ToolResult(_) => None,
    }
}

/// The API refuses text that is empty or blank.
fn text_block(text: &str) -> Option<WireBlock<'_>> {
    (!text.trim().is_empty()).then_some(WireBlock::Own(OwnBlock::Text { text }))
}

fn thought<'a>(text: &'a str, opaque: &'a Opaque) -> Option<WireBlock<'a>> {
    match opaque.value.get("signature").and_then(Value::as_str) {
        Some(signature) => Some(WireBlock::Own(OwnBlock::Thinking { thinking: text, signature })),
        // A redacted one is kept whole.
        None => opaque.value.get("type").map(|_| WireBlock::Theirs(Cow::Borrowed(&opaque.value))),
    }
}

fn tool_use<'a>(call: &'a ToolCall, model: &str) -> WireBlock<'a> {
    let own = call.opaque.as_ref().filter(|opaque| opaque.belongs_to(DIALECT, model));
    WireBlock::Own(OwnBlock::ToolUse {
        id: wire_id(&call.id),
        name: &call.name,
        // Broken arguments have been answered with an error; the API takes none but an object.
        input: call.input().unwrap_or_else(|_| json!({ "unreadable": call.arguments })),
        caller: own.and_then(|opaque| opaque.value.get("caller")),
    })
}

fn result(answer: Answer<'_>) -> WireBlock<'_> {
    WireBlock::Own(OwnBlock::ToolResult {
        tool_use_id: wire_id(&answer.call.id),
        content: answer.content,
        is_error: answer.is_error,
    })
}

/// A conversation may have begun with another vendor, whose ids hold other characters.
fn wire_id(id: &str) -> Cow<'_, str> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    match !id.is_empty() && id.chars().all(fits) {
        true => Cow::Borrowed(id),
        false => Cow::Owned(format!("id_{}", id.replace(|c| !fits(c), "_"))),
    }
}

/// An answer to be gone on with must not end in blanks.
fn trim_prefill(messages: &mut [wire::Message<'_>]) {
    let Some(last) = messages.last_mut().filter(|last| last.role == "assistant") else { return };
    if let Some(WireBlock::Own(OwnBlock::Text { text })) = last.content.last_mut() {
        *text = text.trim_end();
    }
}

/// A history with calls in it is refused unless the tools are declared, even when none is on offer any more.
fn tools(request: &Request) -> (Vec<wire::Tool<'_>>, Option<wire::Choice>) {
    if request.tools.is_empty() {
        let mut tools: Vec<wire::Tool<'_>> = Vec::new();
        for call in request.messages.iter().flat_map(Message::tool_calls) {
            if !tools.iter().any(|tool| tool.name == call.name) {
                let input_schema = Cow::Owned(json!({ "type": "object" }).into());
                tools.push(wire::Tool { name: &call.name, description: "not available now", input_schema });
            }
        }
        let choice = (!tools.is_empty()).then_some(wire::Choice { r#type: "none" });
        return (tools, choice);
    }
    let tools = request.tools.iter().map(|tool| wire::Tool {
        name: &tool.name,
        description: &tool.description,
        input_schema: Cow::Borrowed(&tool.input_schema),
    });
    let r#type = match request.tool_choice {
        ToolChoice::Auto => "auto",
        ToolChoice::Required => "any",
        ToolChoice::None => "none",
    };
    (tools.collect(), Some(wire::Choice { r#type }))
}
