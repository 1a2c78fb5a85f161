//! Tool calls put together from pieces, whichever way a server cuts them.
//!
//! A call is announced once its name is sure to be whole, which is when its arguments begin or the answer ends. Pieces
//! belong together by id, else by index; servers leave out either, repeat either, and number parallel calls all alike.

use std::borrow::Cow;
use std::collections::HashSet;

use serde::de::IgnoredAny;
use serde_json::{Value, json};
use uuid::Uuid;

use super::DIALECT;
use super::wire::CallPiece;
use crate::model::{BlockStart, Delta, Opaque};
use crate::providers::reader::Deltas;
use crate::providers::text::{Text, filled};

/// Some servers send it first and the arguments after it.
const PLACEHOLDER: &str = "{}";

#[derive(Debug)]
pub(super) struct Calls {
    model: String,
    calls: Vec<Call>,
    /// Ids of the conversation so far: servers that count start again with every answer.
    taken: HashSet<String>,
}

#[derive(Debug, Default)]
struct Call {
    id: String,
    index: Option<u32>,
    name: String,
    /// All of them, told or not.
    arguments: String,
    extra: Option<Value>,
    block: Option<u32>,
    /// Up to where the arguments have been told.
    told: usize,
}

impl Calls {
    pub(super) fn new(model: String, taken: HashSet<String>) -> Self {
        Self { model, calls: Vec::new(), taken }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// `position` is the piece's place among those that came together.
    pub(super) fn add(&mut self, position: usize, piece: CallPiece<'_>, next: &mut u32, out: &mut Deltas) {
        let function = piece.function.unwrap_or_default();
        let arguments = function.arguments.map(|raw| written(raw.get())).unwrap_or_default();
        let (id, name) = (filled(&piece.id), filled(&function.name));
        let new = New { position, index: piece.index, id, name, arguments: &arguments };
        let at = match self.find(&new) {
            Some(at) => at,
            None if new.is_nothing() => return,
            None => {
                self.calls.push(Call { index: piece.index, ..Call::default() });
                self.calls.len() - 1
            }
        };
        let call = &mut self.calls[at];
        call.grow(&new);
        if let Some(extra) = piece.extra_content {
            call.extra = Some(extra);
            self.keep(at, out);
        }
        let call = &self.calls[at];
        if !call.name.is_empty() && !call.arguments.is_empty() {
            self.tell(at, next, out);
        }
    }

    /// Announces what has not been announced, and closes all.
    pub(super) fn finish(&mut self, next: &mut u32, out: &mut Deltas) {
        for at in 0..self.calls.len() {
            self.start(at, next, out);
            let call = &mut self.calls[at];
            let rest = call.arguments[call.told..].to_owned();
            call.told = call.arguments.len();
            if let Some(index) = call.block {
                if !rest.is_empty() {
                    out.push_back(Delta::Arguments { index, partial: rest });
                }
                out.push_back(Delta::Stop { index });
            }
        }
    }

    fn find(&self, new: &New<'_>) -> Option<usize> {
        let latest = |is: &dyn Fn(&Call) -> bool| self.calls.iter().rposition(is);
        let at = match (new.id, new.index) {
            (Some(id), index) => {
                let same = |call: &Call| call.id == id && (call.index == index || call.index.is_none());
                // An id may come later than its index, but not to a call that has one.
                let nameless = |call: &Call| call.id.is_empty() && index.is_some() && call.index == index;
                latest(&same).or_else(|| latest(&nameless).filter(|at| self.calls[*at].block.is_none()))
            }
            (None, Some(index)) => latest(&|call| call.index == Some(index)),
            (None, None) => self.calls.len().checked_sub(1),
        };
        at.filter(|at| !new.begins_another(&self.calls[*at]))
    }

    fn tell(&mut self, at: usize, next: &mut u32, out: &mut Deltas) {
        if self.calls[at].block.is_none() {
            // Blocks keep the order of their starts, so those without arguments must not be overtaken.
            (0..=at).for_each(|earlier| self.start(earlier, next, out));
        }
        let call = &mut self.calls[at];
        if let Some(index) = call.block
            && call.arguments != PLACEHOLDER
            && call.told < call.arguments.len()
        {
            let partial = call.arguments[call.told..].to_owned();
            call.told = call.arguments.len();
            out.push_back(Delta::Arguments { index, partial });
        }
    }

    fn start(&mut self, at: usize, next: &mut u32, out: &mut Deltas) {
        let call = &mut self.calls[at];
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
        self.keep(at, out);
    }

    /// What has to be given back may come with the call or after it.
    fn keep(&mut self, at: usize, out: &mut Deltas) {
        let call = &mut self.calls[at];
        let Some(index) = call.block else { return };
        if let Some(extra) = call.extra.take() {
            let value = json!({ "extra_content": extra });
            let opaque = Opaque { dialect: DIALECT.to_owned(), model: self.model.clone(), value };
            out.push_back(Delta::Opaque { index, opaque });
        }
    }
}

impl Call {
    fn grow(&mut self, new: &New<'_>) {
        if let Some(id) = new.id
            && self.id.is_empty()
        {
            id.clone_into(&mut self.id);
        }
        // Continuations repeat the name, or carry an empty one.
        if let Some(name) = new.name
            && self.block.is_none()
            && self.name != name
        {
            self.name.push_str(name);
        }
        if self.arguments == PLACEHOLDER && self.told == 0 && new.arguments.trim_start().starts_with('{') {
            self.arguments.clear();
        }
        self.arguments.push_str(new.arguments);
    }

    fn has_all_arguments(&self) -> bool {
        serde_json::from_str::<IgnoredAny>(&self.arguments).is_ok()
    }
}

struct New<'a> {
    position: usize,
    index: Option<u32>,
    id: Option<&'a str>,
    name: Option<&'a str>,
    arguments: &'a str,
}

impl New<'_> {
    fn is_nothing(&self) -> bool {
        self.id.is_none() && self.name.is_none() && self.arguments.is_empty()
    }

    /// Whether the piece, by all signs a part of `call`, is the start of the next one.
    fn begins_another(&self, call: &Call) -> bool {
        if self.name.is_none() || call.name.is_empty() {
            return false;
        }
        let beside = self.position > 0 && self.index.is_none() && self.id.is_none_or(|id| id == call.id);
        beside || (self.arguments.trim_start().starts_with('{') && call.has_all_arguments())
    }
}

/// Arguments as the model wrote them.
fn written(raw: &str) -> Cow<'_, str> {
    match serde_json::from_str::<Text<'_>>(raw) {
        Ok(Text(text)) if raw.starts_with('"') => text,
        _ if raw == "null" => Cow::Borrowed(""),
        _ => Cow::Borrowed(raw),
    }
}
