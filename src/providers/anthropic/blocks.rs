//! The content blocks of one answer while they grow. Several may be open at once, told apart by index.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::DIALECT;
use super::wire::Piece;
use crate::model::{BlockStart, Delta, Opaque};
use crate::providers::reader::Deltas;
use crate::providers::text::filled;

#[derive(Debug)]
pub(super) struct Blocks {
    model: String,
    open: Vec<(u32, Kind)>,
    /// One more than the highest index seen.
    seen: u32,
}

/// What has to be remembered until the block is whole.
#[derive(Debug)]
enum Kind {
    Text {
        citations: Vec<Value>,
    },
    Thinking {
        signature: String,
    },
    Redacted,
    /// `input` is what the block began with, which counts if no arguments follow.
    ToolUse {
        input: Value,
        grown: bool,
    },
    /// A block that is the vendor's own, kept as it is with the input that streams into it.
    Foreign {
        block: Value,
        input: String,
        grown: bool,
    },
}

impl Blocks {
    pub(super) fn new(model: String) -> Self {
        Self { model, open: Vec::new(), seen: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.seen == 0
    }

    /// A second start of a block is ignored.
    pub(super) fn start(&mut self, index: u32, block: Value, out: &mut Deltas) {
        if index < self.seen && self.open.iter().any(|(at, _)| *at == index) {
            return;
        }
        self.seen = self.seen.max(index.saturating_add(1));
        let text = |name: &str| block.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (kind, start, first) = match text("type").as_str() {
            "text" => {
                let citations = block.get("citations").and_then(Value::as_array).cloned().unwrap_or_default();
                (Kind::Text { citations }, BlockStart::Text, text("text"))
            }
            "thinking" => (Kind::Thinking { signature: text("signature") }, BlockStart::Reasoning, text("thinking")),
            "redacted_thinking" => (Kind::Redacted, BlockStart::Reasoning, String::new()),
            "tool_use" => {
                let input = block.get("input").cloned().unwrap_or_default();
                // Servers that only speak the dialect forget it.
                let id = Some(text("id")).filter(|id| !id.is_empty());
                let id = id.unwrap_or_else(|| format!("toolu_{}", Uuid::new_v4().simple()));
                let start = BlockStart::ToolCall { id, name: text("name") };
                (Kind::ToolUse { input, grown: false }, start, String::new())
            }
            _ => {
                let start = BlockStart::Foreign(self.opaque(block.clone()));
                (Kind::Foreign { block: block.clone(), input: String::new(), grown: false }, start, String::new())
            }
        };
        out.push_back(Delta::Start { index, block: start });
        if !first.is_empty() {
            out.push_back(Delta::Text { index, text: first });
        }
        let kept = match &kind {
            Kind::Redacted => Some(block),
            Kind::ToolUse { .. } => beside_the_call(block),
            _ => None,
        };
        out.extend(kept.map(|value| Delta::Opaque { index, opaque: self.opaque(value) }));
        self.open.push((index, kind));
    }

    /// A piece of a block that is not open is ignored.
    pub(super) fn grow(&mut self, index: u32, piece: &Piece<'_>, out: &mut Deltas) {
        let Some((_, kind)) = self.open.iter_mut().find(|(at, _)| *at == index) else { return };
        let said = filled(&piece.text).or_else(|| filled(&piece.thinking));
        let partial = filled(&piece.partial_json);
        match kind {
            Kind::Text { citations } => {
                out.extend(said.map(|text| Delta::Text { index, text: text.to_owned() }));
                citations.extend(piece.citation.and_then(|raw| serde_json::from_str(raw.get()).ok()));
            }
            Kind::Thinking { signature } => {
                out.extend(said.map(|text| Delta::Text { index, text: text.to_owned() }));
                signature.push_str(filled(&piece.signature).unwrap_or_default());
            }
            Kind::ToolUse { grown, .. } => {
                *grown |= partial.is_some();
                out.extend(partial.map(|partial| Delta::Arguments { index, partial: partial.to_owned() }));
            }
            Kind::Foreign { .. } | Kind::Redacted => {}
        }
    }

    pub(super) fn is_foreign(&self, index: u32) -> bool {
        self.open.iter().any(|(at, kind)| *at == index && matches!(kind, Kind::Foreign { .. }))
    }

    /// Whatever is added to a block that is the vendor's own is added under its name.
    pub(super) fn grow_foreign(&mut self, index: u32, piece: Map<String, Value>) {
        let open = self.open.iter_mut().find(|(at, _)| *at == index);
        let Some((_, Kind::Foreign { block, input, grown })) = open else { return };
        *grown = true;
        for (name, more) in piece {
            match (name.as_str(), more) {
                ("type", _) => {}
                ("partial_json", Value::String(partial)) => input.push_str(&partial),
                (_, more) => add(block, name, more),
            }
        }
    }

    pub(super) fn stop(&mut self, index: u32, out: &mut Deltas) {
        let Some(at) = self.open.iter().position(|(at, _)| *at == index) else { return };
        let (_, kind) = self.open.remove(at);
        match kind {
            Kind::Text { citations } if !citations.is_empty() => {
                let opaque = self.opaque(json!({ "citations": citations }));
                out.push_back(Delta::Opaque { index, opaque });
            }
            Kind::Thinking { signature } if !signature.is_empty() => {
                let opaque = self.opaque(json!({ "signature": signature }));
                out.push_back(Delta::Opaque { index, opaque });
            }
            Kind::ToolUse { input: Value::Object(input), grown: false } if !input.is_empty() => {
                let partial = Value::Object(input).to_string();
                out.push_back(Delta::Arguments { index, partial });
            }
            Kind::Foreign { block, input, grown: true } => {
                let opaque = self.opaque(if input.is_empty() { block } else { with_input(block, &input) });
                out.push_back(Delta::Opaque { index, opaque });
            }
            _ => {}
        }
        out.push_back(Delta::Stop { index });
    }

    /// Something that belongs to the whole answer is kept behind its blocks.
    pub(super) fn keep(&mut self, value: Value, out: &mut Deltas) {
        let index = self.seen;
        self.seen += 1;
        out.push_back(Delta::Start { index, block: BlockStart::Foreign(self.opaque(value)) });
        out.push_back(Delta::Stop { index });
    }

    pub(super) fn stop_all(&mut self, out: &mut Deltas) {
        while let Some((index, _)) = self.open.first() {
            self.stop(*index, out);
        }
    }

    fn opaque(&self, value: Value) -> Opaque {
        Opaque { dialect: DIALECT.to_owned(), model: self.model.clone(), value }
    }
}

/// What a call carries besides its name and its input, such as who made it.
fn beside_the_call(mut block: Value) -> Option<Value> {
    let fields = block.as_object_mut()?;
    for known in ["type", "id", "name", "input"] {
        fields.remove(known);
    }
    (!fields.is_empty()).then_some(block)
}

/// Texts and lists go on; everything else is replaced.
fn add(block: &mut Value, name: String, more: Value) {
    let Some(fields) = block.as_object_mut() else { return };
    match (fields.get_mut(&name), more) {
        (Some(Value::String(text)), Value::String(more)) => text.push_str(&more),
        (Some(Value::Array(list)), Value::Array(more)) => list.extend(more),
        (_, more) => {
            fields.insert(name, more);
        }
    }
}

fn with_input(mut block: Value, input: &str) -> Value {
    if let Value::Object(fields) = &mut block {
        let input = serde_json::from_str(input).unwrap_or(Value::Object(Map::new()));
        fields.insert("input".to_owned(), input);
    }
    block
}
