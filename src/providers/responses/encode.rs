//! Ours to theirs: a request as the body of a call of the Responses API.
//!
//! Nothing is left with the vendor: every call carries its whole history, with the thoughts in encrypted form.

use std::borrow::Cow;

use serde_json::Value;

use super::profile::{Profile, System, thinks};
use super::thread;
use super::wire::{self, Item, OwnItem, Part};
use crate::model::{Block, ErrorKind, Opaque, ProviderError, Request, ToolCall, ToolChoice, ToolSpec};
use crate::providers::chat::encode::{arguments, image_url};
use crate::providers::history::{Answer, Step, steps};

/// Longer ids of calls are refused.
const LONGEST_ID: usize = 64;

pub(super) fn body(request: &Request, model: &str, profile: &Profile, thread: &str) -> Result<Vec<u8>, ProviderError> {
    let system = request.system_text();
    let input = input(request, model, profile);
    if input.is_empty() {
        return Err(ProviderError::new(ErrorKind::InvalidRequest, "there is nothing to send: every message is empty"));
    }
    let option = |name: &str| request.options.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let has_tools = !request.tools.is_empty();
    let (effort, summary) = (option("reasoningEffort"), option("reasoningSummary").or(profile.summary));
    let body = wire::Body {
        model,
        instructions: system.filter(|_| profile.system == System::Instructions),
        input,
        tools: request.tools.iter().map(tool).collect(),
        tool_choice: has_tools.then(|| choice(request.tool_choice)),
        parallel_tool_calls: has_tools.then_some(true),
        reasoning: (effort.is_some() || summary.is_some()).then_some(wire::Reasoning { effort, summary }),
        text: option("verbosity").map(|verbosity| wire::TextFormat { verbosity }),
        max_output_tokens: request.max_tokens.filter(|_| profile.takes_limits),
        temperature: request.temperature.filter(|_| profile.takes_limits),
        service_tier: option("serviceTier"),
        prompt_cache_key: option("promptCacheKey").or(profile.names_thread.then_some(thread)),
        store: false,
        include: if thinks(model) { &["reasoning.encrypted_content"] } else { &[] },
        stream: request.stream || profile.only_streams,
    };
    Ok(serde_json::to_vec(&body).expect("strings and JSON values always serialise"))
}

fn input<'a>(request: &'a Request, model: &str, profile: &Profile) -> Vec<Item<'a>> {
    let first = request.system_text().filter(|_| profile.system == System::Developer);
    let mut items = Vec::new();
    items.extend(developer(first.unwrap_or_default().into()));
    for step in steps(&request.messages) {
        match step {
            Step::System(text) => items.extend(developer(text.into())),
            Step::User(blocks) => items.extend(message("user", blocks.iter().filter_map(user_part).collect())),
            Step::Assistant(blocks, answers) => {
                items.extend(assistant(blocks, model, profile));
                items.extend(answers.into_iter().map(|answer| result(answer, model, profile)));
            }
        }
    }
    items
}

fn message<'a>(role: &'static str, content: Vec<Part<'a>>) -> Option<Item<'a>> {
    (!content.is_empty()).then_some(Item::Own(OwnItem::Message { role, content, phase: None }))
}

fn developer(text: Cow<'_, str>) -> Option<Item<'_>> {
    (!text.is_empty()).then(|| message("developer", vec![Part::InputText { text }])).flatten()
}

fn user_part(block: &Block) -> Option<Part<'_>> {
    match block {
        Block::Text { text } if !text.is_empty() => Some(Part::InputText { text: text.into() }),
        Block::Image { source } => Some(Part::InputImage { image_url: image_url(source) }),
        _ => None,
    }
}

fn assistant<'a>(blocks: &'a [Block], model: &str, profile: &Profile) -> Vec<Item<'a>> {
    let ours = |opaque: &&Opaque| opaque.belongs_to(profile.dialect, model);
    let mut items = Vec::new();
    // Whether the last item is a message that more text belongs to.
    let mut open = false;
    for block in blocks {
        let was_open = std::mem::take(&mut open);
        match block {
            Block::Text { text } if text.is_empty() => open = was_open,
            Block::Text { text } => {
                say(text, was_open, &mut items);
                open = true;
            }
            Block::ToolCall(call) => items.push(tool_call(call, model, profile)),
            Block::Reasoning { opaque, .. } => items.extend(opaque.as_ref().filter(ours).and_then(thought)),
            Block::Foreign { opaque } => match phase(&opaque.value) {
                Some(phase) if ours(&opaque) && was_open => set_phase(phase, &mut items),
                Some(_) => open = was_open,
                None => items.extend(ours(&opaque).then_some(Item::Theirs(&opaque.value))),
            },
            Block::Image { .. } | Block::ToolResult(_) => open = was_open,
        }
    }
    // A thought without what it led to is refused.
    while matches!(items.last(), Some(Item::Own(OwnItem::Reasoning { .. }))) {
        items.pop();
    }
    items
}

fn say<'a>(text: &'a str, goes_on: bool, items: &mut Vec<Item<'a>>) {
    let part = Part::OutputText { text };
    match items.last_mut() {
        Some(Item::Own(OwnItem::Message { content, .. })) if goes_on => content.push(part),
        _ => items.extend(message("assistant", vec![part])),
    }
}

/// A phase stands in a block of its own behind the text that it is of, which has no place for it.
fn phase(value: &Value) -> Option<&str> {
    value.get("type").is_none().then(|| value.get("phase")?.as_str()).flatten()
}

fn set_phase<'a>(new: &'a str, items: &mut [Item<'a>]) {
    if let Some(Item::Own(OwnItem::Message { phase, .. })) = items.last_mut() {
        *phase = Some(new);
    }
}

/// Without its id, which names something that was never stored, and without the summary, which nobody needs back.
fn thought(opaque: &Opaque) -> Option<Item<'_>> {
    let encrypted_content = opaque.value.get("encrypted_content")?.as_str()?;
    Some(Item::Own(OwnItem::Reasoning { summary: [], encrypted_content }))
}

fn tool_call<'a>(call: &'a ToolCall, model: &str, profile: &Profile) -> Item<'a> {
    let (call_id, name) = (wire_id(&call.id), call.name.as_str());
    if is_custom(call, model, profile) {
        return Item::Own(OwnItem::CustomToolCall { call_id, name, input: custom_input(call) });
    }
    let own = call.opaque.as_ref().filter(|opaque| opaque.belongs_to(profile.dialect, model));
    let field = |name: &str| own.and_then(|opaque| opaque.value.get(name));
    let (namespace, caller) = (field("namespace"), field("caller"));
    Item::Own(OwnItem::FunctionCall { call_id, namespace, name, arguments: arguments(call), caller })
}

/// One whose input is a text of any form; as ours it has the text in `input`.
fn is_custom(call: &ToolCall, model: &str, profile: &Profile) -> bool {
    let own = call.opaque.as_ref().filter(|opaque| opaque.belongs_to(profile.dialect, model));
    own.is_some_and(|opaque| opaque.value.get("custom").is_some())
}

fn custom_input(call: &ToolCall) -> String {
    let input = call.input().ok();
    let text = input.as_ref().and_then(|input| input.get("input")).and_then(Value::as_str);
    text.unwrap_or(&call.arguments).to_owned()
}

fn result<'a>(answer: Answer<'a>, model: &str, profile: &Profile) -> Item<'a> {
    let call_id = wire_id(&answer.call.id);
    let is_custom = is_custom(answer.call, model, profile);
    let output = answer.into_text();
    Item::Own(match is_custom {
        true => OwnItem::CustomToolCallOutput { call_id, output },
        false => OwnItem::FunctionCallOutput { call_id, output },
    })
}

/// A conversation may have begun with another vendor, whose ids are longer.
fn wire_id(id: &str) -> Cow<'_, str> {
    match (1..=LONGEST_ID).contains(&id.len()) {
        true => Cow::Borrowed(id),
        false => Cow::Owned(format!("call_{}", thread::name([id]).simple())),
    }
}

fn tool(spec: &ToolSpec) -> wire::Tool<'_> {
    let ToolSpec { name, description, input_schema } = spec;
    wire::Tool { r#type: "function", name, description, parameters: input_schema, strict: false }
}

fn choice(choice: ToolChoice) -> &'static str {
    match choice {
        ToolChoice::Auto => "auto",
        ToolChoice::Required => "required",
        ToolChoice::None => "none",
    }
}
