//! Tool calls of one answer: announced once they have a name, told as they grow, and unpacked when the model wrapped
//! several into one.

use std::collections::HashSet;

use serde_json::{Value, json};
use uuid::Uuid;

use super::item::{Binding, text};
use crate::model::{BlockStart, Delta};
use crate::providers::reader::Deltas;

/// A tool of OpenAI's own that models call although nobody offered it.
const WRAPPERS: [&str; 2] = ["multi_tool_use.parallel", "parallel"];
/// What stands before the names of the tools in there.
const WRAPPED_PREFIX: &str = "functions.";

#[derive(Debug)]
pub(super) struct Calls {
    binding: Binding,
    /// Ids of the conversation so far: servers that count start again with every answer.
    taken: HashSet<String>,
    /// Names of what may be called.
    tools: HashSet<String>,
}

#[derive(Debug, Default)]
pub(super) struct Call {
    id: String,
    name: String,
    /// What has to go back beside them.
    extra: Option<Value>,
    block: Option<u32>,
    /// Arguments that have come and have not been told.
    held: String,
    /// Bytes of the arguments that have been told.
    told: usize,
}

impl Call {
    /// From its item, which may lack anything while it is not done.
    pub(super) fn name_from(&mut self, item: &Value) {
        if self.block.is_some() {
            return;
        }
        let fill = |field: &mut String, name: &str| {
            if let Some(text) = text(item, name) {
                text.clone_into(field);
            }
        };
        fill(&mut self.name, "name");
        fill(&mut self.id, "call_id");
        if text(item, "type") == Some("custom_tool_call") {
            self.extra = Some(json!({ "custom": true }));
        } else {
            let kept = ["namespace", "caller"]
                .into_iter()
                .filter_map(|name| Some((name.to_owned(), item.get(name).filter(|value| !value.is_null())?.clone())));
            let kept = Value::Object(kept.collect());
            self.extra = Some(kept).filter(|kept| kept.as_object().is_some_and(|kept| !kept.is_empty()));
        }
    }

    /// What is left to tell is what the item that is done has more.
    pub(super) fn completed_by(&mut self, item: &Value) {
        let whole = match item.get("arguments").or_else(|| item.get("input")) {
            Some(Value::String(text)) => text.clone(),
            None | Some(Value::Null) => return,
            Some(object) => object.to_string(),
        };
        let known = self.told + self.held.len();
        if known == 0 || self.is_held() {
            self.held = whole;
        } else if let Some(rest) = whole.get(known..) {
            self.held.push_str(rest);
        }
    }

    /// Whether its arguments can only be told when all are there.
    fn is_held(&self) -> bool {
        self.is_custom() || WRAPPERS.contains(&self.name.as_str())
    }

    fn is_custom(&self) -> bool {
        self.extra.as_ref().is_some_and(|extra| extra.get("custom").is_some())
    }
}

impl Calls {
    pub(super) fn new(binding: Binding, taken: HashSet<String>, tools: HashSet<String>) -> Self {
        Self { binding, taken, tools }
    }

    pub(super) fn tell(&mut self, call: &mut Call, more: &str, next: &mut u32, out: &mut Deltas) {
        call.held.push_str(more);
        if call.name.is_empty() || call.id.is_empty() || call.is_held() {
            return;
        }
        self.start(call, next, out);
        flush(call, out);
    }

    /// No more of it will come.
    pub(super) fn finish(&mut self, call: &mut Call, next: &mut u32, out: &mut Deltas) {
        if call.block.is_none() && call.name.is_empty() {
            return;
        }
        if let Some(parts) = self.unwrapped(call) {
            for mut part in parts {
                self.start(&mut part, next, out);
                flush(&mut part, out);
                stop(&part, out);
            }
            return;
        }
        if call.is_custom() {
            call.held = json!({ "input": call.held }).to_string();
        }
        self.start(call, next, out);
        flush(call, out);
        stop(call, out);
    }

    /// The calls in a wrapper that the model made up; none if it is a call of its own.
    fn unwrapped(&self, call: &Call) -> Option<Vec<Call>> {
        if !WRAPPERS.contains(&call.name.as_str()) || self.tools.contains(&call.name) {
            return None;
        }
        let arguments: Value = serde_json::from_str(&call.held).ok()?;
        let uses = arguments.get("tool_uses")?.as_array().filter(|uses| !uses.is_empty())?;
        let part = |(at, wrapped): (usize, &Value)| {
            let name = text(wrapped, "recipient_name")?;
            let name = name.strip_prefix(WRAPPED_PREFIX).unwrap_or(name).to_owned();
            let held = wrapped.get("parameters").map(Value::to_string).unwrap_or_default();
            let id = format!("{}_{at}", call.id);
            Some(Call { id, name, held, ..Call::default() })
        };
        uses.iter().enumerate().map(part).collect()
    }

    fn start(&mut self, call: &mut Call, next: &mut u32, out: &mut Deltas) {
        if call.block.is_some() {
            return;
        }
        let index = *next;
        *next += 1;
        call.block = Some(index);
        let mut id = call.id.clone();
        if id.is_empty() || self.taken.contains(&id) {
            id = format!("call_{}", Uuid::new_v4().simple());
        }
        self.taken.insert(id.clone());
        out.push_back(Delta::Start { index, block: BlockStart::ToolCall { id, name: call.name.clone() } });
        if let Some(extra) = call.extra.clone() {
            out.push_back(Delta::Opaque { index, opaque: self.binding.opaque(extra) });
        }
    }
}

fn flush(call: &mut Call, out: &mut Deltas) {
    if let Some(index) = call.block
        && !call.held.is_empty()
    {
        call.told += call.held.len();
        out.push_back(Delta::Arguments { index, partial: std::mem::take(&mut call.held) });
    }
}

fn stop(call: &Call, out: &mut Deltas) {
    out.extend(call.block.map(|index| Delta::Stop { index }));
}
