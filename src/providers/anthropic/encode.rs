//! Ours to theirs: a request as the body of a call of the Messages API.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::DIALECT;
use super::options::Options;
use super::wire::{self, Block as WireBlock, OwnBlock};
use crate::model::{Block, ErrorKind, ImageSource, Message, Opaque, ProviderError, Request, ToolCall, ToolChoice};
use crate::providers::history::{Answer, Step, steps};

/// The API wants a limit; this one lets an answer of any usual length through on every model.
const MAX_TOKENS: u32 = 8192;

/// Whether the vendor's cache is used where the request does not say so: it costs at first, and others who speak the
/// dialect may not know of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cache {
    WhereItPays,
    OnDemand,
}

pub(super) fn body(request: &Request, model: &str, cache: Cache) -> Result<Vec<u8>, ProviderError> {
    let options = Options::of(request);
    let max_tokens = request.max_tokens.unwrap_or_else(|| {
        // What is thought counts towards it.
        options.thinking_budget().unwrap_or(0).saturating_add(MAX_TOKENS)
    });
    // Others allow up to 2, and those who think allow none.
    let temperature = request.temperature.filter(|_| !options.thinks()).map(|temperature| temperature.min(1.0));
    let body = wire::Body {
        max_tokens: Some(max_tokens),
        stop_sequences: options.stop_sequences.clone(),
        temperature,
        stream: Some(request.stream),
        ..conversation(request, model, &options, cache)?
    };
    Ok(serde_json::to_vec(&body).expect("strings and JSON values always serialise"))
}

/// What is asked when only the tokens are to be counted.
pub(super) fn count_body(request: &Request, model: &str) -> Result<Vec<u8>, ProviderError> {
    let body = wire::Body { container: None, ..conversation(request, model, &Options::of(request), Cache::OnDemand)? };
    Ok(serde_json::to_vec(&body).expect("strings and JSON values always serialise"))
}

/// All that is counted as input.
fn conversation<'a>(
    request: &'a Request,
    model: &'a str,
    options: &Options<'a>,
    cache: Cache,
) -> Result<wire::Body<'a>, ProviderError> {
    let mut system: Vec<String> = request.system_text().map(str::to_owned).into_iter().collect();
    let mut messages = Vec::new();
    for step in steps(&request.messages) {
        match step {
            Step::System(text) => system.push(text),
            Step::User(blocks) => add(&mut messages, "user", blocks.iter().filter_map(user_block)),
            Step::Assistant(blocks, answers) => {
                add(&mut messages, "assistant", assistant_blocks(blocks, model));
                add(&mut messages, "user", answers.into_iter().map(result));
            }
        }
    }
    trim_prefill(&mut messages);
    if messages.is_empty() {
        return Err(ProviderError::new(ErrorKind::InvalidRequest, "there is nothing to send: every message is empty"));
    }
    let (tools, tool_choice) = tools(request, options);
    let mut body = wire::Body {
        model,
        system: wire::System::Text(system.join("\n\n")),
        messages,
        tools,
        tool_choice,
        container: container(request, model),
        thinking: options.thinking,
        output_config: options.effort.map(|effort| wire::OutputConfig { effort }),
        ..wire::Body::default()
    };
    if options.cache_control.unwrap_or(cache == Cache::WhereItPays && request.goes_on) {
        remember(&mut body);
    }
    Ok(body)
}

/// Where the vendor's tools ran last.
fn container<'a>(request: &'a Request, model: &str) -> Option<&'a str> {
    let blocks = request.messages.iter().rev().flat_map(|message| &message.blocks);
    let mut kept = blocks.filter_map(|block| match block {
        Block::Foreign { opaque } if opaque.belongs_to(DIALECT, model) => opaque.value.get("container"),
        _ => None,
    });
    kept.next().and_then(Value::as_str)
}

fn is_blank(text: &str) -> bool {
    text.trim().is_empty()
}

/// Up to each mark the vendor remembers what it has read: the tools, the system prompt, the conversation so far.
fn remember(body: &mut wire::Body<'_>) {
    if let Some(wire::AnyTool::Own(tool)) = body.tools.last_mut() {
        tool.cache_control = Some(wire::EPHEMERAL);
    }
    if let wire::System::Text(text) = &mut body.system
        && !text.is_empty()
    {
        let text = std::mem::take(text);
        body.system =
            wire::System::Blocks([wire::SystemBlock { r#type: "text", text, cache_control: wire::EPHEMERAL }]);
    }
    // A thought cannot be marked, so an answer that is gone on with has none.
    if let Some(last) = body.messages.last_mut().filter(|last| last.role == "user")
        && let Some(WireBlock::Own { cache_control, .. }) = last.content.last_mut()
    {
        *cache_control = Some(wire::EPHEMERAL);
    }
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
                ImageSource::Url { url } => inline(url).unwrap_or(wire::Image::Url { url }),
                ImageSource::Base64 { media_type, data } => wire::Image::Base64 { media_type, data },
            };
            Some(OwnBlock::Image { source }.into())
        }
        _ => None,
    }
}

/// The API fetches web addresses only, not those that hold the image themselves.
fn inline(url: &str) -> Option<wire::Image<'_>> {
    let (media_type, data) = url.strip_prefix("data:")?.split_once(";base64,")?;
    Some(wire::Image::Base64 { media_type, data })
}

fn assistant_blocks<'a>(blocks: &'a [Block], model: &str) -> impl Iterator<Item = WireBlock<'a>> {
    let next = blocks.iter().skip(1).map(Some).chain([None]);
    blocks.iter().zip(next).filter_map(move |(block, next)| assistant_block(block, next, model))
}

/// `next` may hold what belongs to a text: its citations.
fn assistant_block<'a>(block: &'a Block, next: Option<&'a Block>, model: &str) -> Option<WireBlock<'a>> {
    let ours = |opaque: &&Opaque| opaque.belongs_to(DIALECT, model);
    match block {
        Block::Text { text } if is_blank(text) => None,
        Block::Text { text } => {
            let citations = match next {
                Some(Block::Foreign { opaque }) if ours(&opaque) => opaque.value.get("citations"),
                _ => None,
            };
            Some(OwnBlock::Text { text, citations }.into())
        }
        Block::ToolCall(call) => Some(tool_use(call, model)),
        Block::Reasoning { text, opaque } => thought(text, opaque.as_ref().filter(ours)?),
        // What has no type is no block but a part of the one before.
        Block::Foreign { opaque } => {
            let is_block = ours(&opaque) && opaque.value.get("type").is_some();
            is_block.then_some(WireBlock::Theirs(&opaque.value))
        }
        Block::Image { .. } | Block::ToolResult(_) => None,
    }
}

/// The API refuses text that is empty or blank.
fn text_block(text: &str) -> Option<WireBlock<'_>> {
    (!is_blank(text)).then(|| OwnBlock::Text { text, citations: None }.into())
}

fn thought<'a>(text: &'a str, opaque: &'a Opaque) -> Option<WireBlock<'a>> {
    match opaque.value.get("signature").and_then(Value::as_str) {
        Some(signature) => Some(OwnBlock::Thinking { thinking: text, signature }.into()),
        // A redacted one is kept whole.
        None => opaque.value.get("type").map(|_| WireBlock::Theirs(&opaque.value)),
    }
}

fn tool_use<'a>(call: &'a ToolCall, model: &str) -> WireBlock<'a> {
    let own = call.opaque.as_ref().filter(|opaque| opaque.belongs_to(DIALECT, model));
    let block = OwnBlock::ToolUse {
        id: wire_id(&call.id),
        name: &call.name,
        // Broken arguments have been answered with an error; the API takes none but an object.
        input: call.input().unwrap_or_else(|_| json!({ "unreadable": call.arguments })),
        rest: own.and_then(|opaque| opaque.value.as_object()),
    };
    block.into()
}

fn result(answer: Answer<'_>) -> WireBlock<'_> {
    let tool_use_id = wire_id(&answer.call.id);
    OwnBlock::ToolResult { tool_use_id, content: answer.content, is_error: answer.is_error }.into()
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
    if let Some(WireBlock::Own { block: OwnBlock::Text { text, .. }, .. }) = last.content.last_mut() {
        *text = text.trim_end();
    }
}

/// A history with calls in it is refused unless the tools are declared, even when none is on offer any more.
fn tools<'a>(request: &'a Request, options: &Options<'a>) -> (Vec<wire::AnyTool<'a>>, Option<wire::Choice>) {
    let theirs = options.server_tools.iter().map(wire::AnyTool::Theirs);
    if request.tools.is_empty() {
        let mut tools: Vec<wire::Tool<'_>> = Vec::new();
        for call in request.messages.iter().flat_map(Message::tool_calls) {
            if !tools.iter().any(|tool| tool.name == call.name) {
                let input_schema = Cow::Owned(json!({ "type": "object" }).into());
                let description = "not available now";
                tools.push(wire::Tool { name: &call.name, description, input_schema, cache_control: None });
            }
        }
        let unavailable = !tools.is_empty() && options.server_tools.is_empty();
        let choice = unavailable.then_some(wire::Choice { r#type: "none" });
        return (theirs.chain(tools.into_iter().map(wire::AnyTool::Own)).collect(), choice);
    }
    let ours = request.tools.iter().map(|tool| {
        wire::AnyTool::Own(wire::Tool {
            name: &tool.name,
            description: &tool.description,
            input_schema: Cow::Borrowed(&tool.input_schema),
            cache_control: None,
        })
    });
    let r#type = match request.tool_choice {
        // Who thinks decides for itself: a call that is forced is refused.
        ToolChoice::Required if options.thinks() => "auto",
        ToolChoice::Auto => "auto",
        ToolChoice::Required => "any",
        ToolChoice::None => "none",
    };
    (theirs.chain(ours).collect(), Some(wire::Choice { r#type }))
}
