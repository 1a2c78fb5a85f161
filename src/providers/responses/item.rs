//! One item of an answer: what it is, where it stands, and how far it has been told.

use serde_json::Value;

use super::calls::Call;
use crate::model::Opaque;

/// What binds opaque values to those who can read them.
#[derive(Clone, Debug)]
pub(super) struct Binding {
    pub(super) dialect: &'static str,
    pub(super) model: String,
}

impl Binding {
    pub(super) fn opaque(&self, value: Value) -> Opaque {
        Opaque { dialect: self.dialect.to_owned(), model: self.model.clone(), value }
    }
}

/// Where an event says that it belongs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) output_index: Option<u32>,
    pub(super) id: Option<&'a str>,
}

/// A part of an item: its list, and its place in there.
pub(super) type PartPlace = (PartKind, u32);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PartKind {
    Text,
    Refusal,
    Summary,
    Thought,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ItemKind {
    Message,
    Reasoning,
    Call,
    Foreign,
}

#[derive(Debug)]
pub(super) struct Item {
    pub(super) output_index: Option<u32>,
    pub(super) id: String,
    pub(super) body: Body,
    pub(super) done: bool,
}

#[derive(Debug)]
pub(super) enum Body {
    Message(Vec<Part>),
    Reasoning(Thought),
    Call(Call),
    Foreign,
}

#[derive(Debug)]
pub(super) struct Part {
    pub(super) at: u32,
    pub(super) block: Option<u32>,
    /// Bytes of it.
    pub(super) told: usize,
}

#[derive(Debug, Default)]
pub(super) struct Thought {
    pub(super) block: Option<u32>,
    /// The part that was told of last.
    pub(super) part: Option<PartPlace>,
}

impl Item {
    pub(super) fn kind(&self) -> ItemKind {
        match self.body {
            Body::Message(_) => ItemKind::Message,
            Body::Reasoning(_) => ItemKind::Reasoning,
            Body::Call(_) => ItemKind::Call,
            Body::Foreign => ItemKind::Foreign,
        }
    }
}

pub(super) fn kind_of(value: &Value) -> ItemKind {
    match text(value, "type") {
        Some("message") => ItemKind::Message,
        Some("reasoning") => ItemKind::Reasoning,
        Some("function_call" | "custom_tool_call") => ItemKind::Call,
        None if value.get("content").is_some() => ItemKind::Message,
        _ => ItemKind::Foreign,
    }
}

/// A field that is a text and not empty.
pub(super) fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

pub(super) fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}
