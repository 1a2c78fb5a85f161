//! Thoughts that a server shows, and the name of the field it shows them in: they must go back under the same name,
//! or the next turn is refused by some and loses its thread with others.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::wire::{Assistant, Piece};
use crate::providers::text::filled;

const CONTENT: &str = "reasoning_content";
const PLAIN: &str = "reasoning";

/// What has to be given back of the open thought, beside its text.
#[derive(Debug, Default)]
pub(super) struct Thought {
    field: Option<&'static str>,
    details: Vec<Value>,
    blocks: Vec<Value>,
}

impl Thought {
    /// The visible part of a piece, if it has one. Proxies that rename the field send it under both names.
    pub(super) fn text<'t>(&mut self, piece: &'t Piece<'_>) -> Option<&'t str> {
        let named = |field, text| filled(text).map(|text| (field, text));
        let (field, text) = named(CONTENT, &piece.reasoning_content).or_else(|| named(PLAIN, &piece.reasoning))?;
        self.field = Some(field);
        Some(text)
    }

    /// Details come in fragments like the text does; those of one index and type are one.
    pub(super) fn add_details(&mut self, details: &[Value]) {
        for new in details {
            let same = |old: &&mut Value| ["index", "type"].iter().all(|key| old.get(key) == new.get(key));
            let open = self.details.last_mut().filter(same);
            match (open, new) {
                (Some(Value::Object(old)), Value::Object(new)) if new.contains_key("index") => merge(old, new),
                _ => self.details.push(new.clone()),
            }
        }
    }

    /// Blocks have no index; the signature is the last that comes of one.
    pub(super) fn add_blocks(&mut self, blocks: &[Value]) {
        for new in blocks {
            let is_open = |old: &&mut Value| {
                old.get("type") == new.get("type") && new.get("thinking").is_some() && !old["signature"].is_string()
            };
            match (self.blocks.last_mut().filter(is_open), new) {
                (Some(Value::Object(old)), Value::Object(new)) => merge(old, new),
                _ => self.blocks.push(new.clone()),
            }
        }
    }

    /// For the block's opaque value; nothing if the server needs nothing back.
    pub(super) fn take(&mut self) -> Option<Value> {
        let Self { field, details, blocks } = std::mem::take(self);
        let lists = [("details", details), ("blocks", blocks)].into_iter().filter(|(_, list)| !list.is_empty());
        let lists: Vec<_> = lists.map(|(name, list)| (name.to_owned(), Value::Array(list))).collect();
        if field.is_none() && lists.is_empty() {
            return None;
        }
        Some(Value::Object([("field".to_owned(), json!(field))].into_iter().chain(lists).collect()))
    }
}

fn merge(old: &mut Map<String, Value>, new: &Map<String, Value>) {
    for (key, value) in new {
        let grows = matches!(key.as_str(), "text" | "summary" | "data" | "thinking");
        match (old.get_mut(key), value) {
            (Some(Value::String(old)), Value::String(more)) if grows => old.push_str(more),
            (_, Value::Null) => {}
            _ => {
                old.insert(key.clone(), value.clone());
            }
        }
    }
}

/// The reverse: a thought of an earlier turn put where it came from. A message has one place for all of its thoughts.
pub(super) fn give_back<'a>(text: &'a str, value: &'a Value, message: &mut Assistant<'a>) {
    match value.get("field").and_then(Value::as_str) {
        Some(CONTENT) => think(&mut message.reasoning_content, text),
        Some(PLAIN) => think(&mut message.reasoning, text),
        _ => {}
    }
    let list = |name: &str| value.get(name).and_then(Value::as_array).into_iter().flatten();
    message.reasoning_details.extend(list("details"));
    message.thinking_blocks.extend(list("blocks"));
}

fn think<'a>(field: &mut Option<Cow<'a, str>>, text: &'a str) {
    match field {
        Some(before) => before.to_mut().push_str(text),
        None => *field = Some(Cow::Borrowed(text)),
    }
}
