//! Ours to theirs: a request as the body of a chat completion.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::json;

use super::DIALECT;
use super::reasoning;
use super::vendors::Vendor;
use super::wire;
use crate::model::{Block, ImageSource, Request, ToolCall, ToolChoice, ToolSpec};
use crate::providers::history::{Answer, Step, steps};

pub(super) fn body(request: &Request, model: &str, vendor: &Vendor) -> Vec<u8> {
    body_named(request, model, model, vendor)
}

/// `name` is what the model is called on the wire; empty where that is said elsewhere.
pub(super) fn body_named(request: &Request, model: &str, name: &str, vendor: &Vendor) -> Vec<u8> {
    let has_tools = !request.tools.is_empty();
    let limit = |wanted: bool| request.max_tokens.filter(|_| wanted);
    let body = wire::Body {
        model: name,
        messages: messages(request, model, vendor),
        tools: request.tools.iter().map(tool).collect(),
        tool_choice: has_tools.then(|| choice(request.tool_choice)).flatten(),
        max_tokens: limit(!vendor.completion_limit),
        max_completion_tokens: limit(vendor.completion_limit),
        temperature: request.temperature,
        stream: request.stream,
        stream_options: (request.stream && vendor.stream_options)
            .then_some(wire::StreamOptions { include_usage: true }),
    };
    serde_json::to_vec(&body).expect("strings and JSON values always serialise")
}

fn messages<'a>(request: &'a Request, model: &str, vendor: &Vendor) -> Vec<wire::Message<'a>> {
    let system = request.system_text();
    let mut messages: Vec<_> =
        system.map(|content| wire::Message::System { content: content.into() }).into_iter().collect();
    for step in steps(&request.messages) {
        match step {
            Step::System(content) => messages.push(wire::Message::System { content: content.into() }),
            Step::User(blocks) => messages.push(wire::Message::User { content: user(blocks) }),
            Step::Assistant(blocks, answers) => {
                let assistant = assistant(blocks, model, vendor);
                // What is left may be nothing, when a thought was all there was.
                if assistant.content.is_some() || !assistant.tool_calls.is_empty() {
                    messages.push(wire::Message::Assistant(assistant));
                }
                messages.extend(answers.into_iter().map(|answer| result(answer, vendor)));
            }
        }
    }
    messages
}

pub(in crate::providers) fn user(blocks: &[Block]) -> wire::UserContent<'_> {
    if !blocks.iter().any(|block| matches!(block, Block::Image { .. })) {
        let texts = blocks.iter().filter_map(|block| match block {
            Block::Text { text } => Some(text.as_str()),
            _ => None,
        });
        // Small servers know content as a string only.
        return wire::UserContent::Text(texts.collect());
    }
    let parts = blocks.iter().filter_map(|block| match block {
        Block::Text { text } => Some(wire::UserPart::Text { text }),
        Block::Image { source } => {
            Some(wire::UserPart::ImageUrl { image_url: wire::ImageUrl { url: image_url(source) } })
        }
        _ => None,
    });
    wire::UserContent::Parts(parts.collect())
}

pub(in crate::providers) fn image_url(source: &ImageSource) -> Cow<'_, str> {
    match source {
        ImageSource::Url { url } => Cow::Borrowed(url),
        ImageSource::Base64 { media_type, data } => Cow::Owned(format!("data:{media_type};base64,{data}")),
    }
}

fn assistant<'a>(blocks: &'a [Block], model: &str, vendor: &Vendor) -> wire::Assistant<'a> {
    let mut message = wire::Assistant::default();
    for block in blocks {
        match block {
            Block::Text { text } if !text.is_empty() => {
                message.content.get_or_insert_with(String::new).push_str(text);
            }
            Block::ToolCall(call) => message.tool_calls.push(tool_call(call, model, vendor)),
            Block::Reasoning { text, opaque: Some(opaque) } if opaque.belongs_to(DIALECT, model) => {
                reasoning::give_back(text, &opaque.value, &mut message);
            }
            _ => {}
        }
    }
    if vendor.always_content && !message.tool_calls.is_empty() {
        message.content.get_or_insert_default();
    }
    message
}

fn tool_call<'a>(call: &'a ToolCall, model: &str, vendor: &Vendor) -> wire::Call<'a> {
    let own = call.opaque.as_ref().filter(|opaque| opaque.belongs_to(DIALECT, model));
    wire::Call {
        id: wire_id(&call.id, vendor),
        r#type: "function",
        function: wire::CallFunction { name: &call.name, arguments: arguments(call) },
        extra_content: own.and_then(|opaque| opaque.value.get("extra_content")),
    }
}

/// As the model wrote them where that is an object. Servers that render them into a prompt fail on anything else.
pub(in crate::providers) fn arguments(call: &ToolCall) -> Cow<'_, str> {
    match call.input() {
        Ok(_) if call.arguments.trim_start().starts_with('{') => Cow::Borrowed(&call.arguments),
        Ok(input) => Cow::Owned(input.to_string()),
        Err(_) => Cow::Owned(json!({ "unreadable": call.arguments }).to_string()),
    }
}

fn result<'a>(answer: Answer<'a>, vendor: &Vendor) -> wire::Message<'a> {
    wire::Message::Tool { tool_call_id: wire_id(&answer.call.id, vendor), content: answer.into_text() }
}

/// A conversation may have begun with another vendor, whose ids look otherwise.
fn wire_id<'a>(id: &'a str, vendor: &Vendor) -> Cow<'a, str> {
    let fits = id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !vendor.short_ids || fits {
        return Cow::Borrowed(id);
    }
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    Cow::Owned(format!("{:09x}", hasher.finish() & 0xF_FFFF_FFFF))
}

pub(in crate::providers) fn tool(spec: &ToolSpec) -> wire::Tool<'_> {
    let function =
        wire::ToolFunction { name: &spec.name, description: &spec.description, parameters: &spec.input_schema };
    wire::Tool { r#type: "function", function }
}

fn choice(choice: ToolChoice) -> Option<&'static str> {
    match choice {
        // The default, which not every server knows by name.
        ToolChoice::Auto => None,
        ToolChoice::Required => Some("required"),
        ToolChoice::None => Some("none"),
    }
}
