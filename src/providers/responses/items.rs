//! The items of one answer while they grow, and the blocks that they become.
//!
//! Pieces find their item by its place in the output, else by its id: some hosts give every event another id, some give
//! no places. What an item is when it is done counts; the pieces before only tell of it early.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::calls::{Call, Calls};
use super::item::{Binding, Body, Item, ItemKind, Part, PartKind, PartPlace, Place, Thought, kind_of, list, text};
use crate::model::{BlockStart, Delta};
use crate::providers::reader::Deltas;

#[derive(Debug)]
pub(super) struct Items {
    binding: Binding,
    items: Vec<Item>,
    calls: Calls,
    /// The next block's index.
    next: u32,
    refusal: String,
}

impl Items {
    /// `taken` are the ids of the calls before; `tools` are the names of what may be called.
    pub(super) fn new(binding: Binding, taken: HashSet<String>, tools: HashSet<String>) -> Self {
        let calls = Calls::new(binding.clone(), taken, tools);
        Self { binding, items: Vec::new(), calls, next: 0, refusal: String::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.next == 0
    }

    pub(super) fn has_calls(&self) -> bool {
        self.items.iter().any(|item| matches!(item.body, Body::Call(_)))
    }

    /// What the model said when it declined.
    pub(super) fn take_refusal(&mut self) -> Option<String> {
        (!self.refusal.is_empty()).then(|| std::mem::take(&mut self.refusal))
    }

    /// An item begins. One that is there already is left as it is.
    pub(super) fn add(&mut self, place: Place<'_>, value: &Value, out: &mut Deltas) {
        let kind = kind_of(value);
        let id = text(value, "id").or(place.id).unwrap_or_default();
        let same = |item: &Item| item.id == id || item.id.is_empty() || id.is_empty();
        let found = self.find(Place { id: Some(id).filter(|id| !id.is_empty()), ..place }, kind);
        let at = match found.filter(|at| same(&self.items[*at])) {
            Some(at) => at,
            None => self.push(place.output_index, id, kind),
        };
        if kind == ItemKind::Call {
            self.start_thoughts_before(at, out);
        }
        if let Body::Call(call) = &mut self.items[at].body {
            call.name_from(value);
            self.calls.tell(call, "", &mut self.next, out);
        }
    }

    /// More of a text or a thought.
    pub(super) fn grow(&mut self, place: Place<'_>, part: PartPlace, more: &str, out: &mut Deltas) {
        let kind = match part.0 {
            PartKind::Text | PartKind::Refusal => ItemKind::Message,
            PartKind::Summary | PartKind::Thought => ItemKind::Reasoning,
        };
        if let Some(at) = self.open(place, kind) {
            self.say(at, part, more, out);
        }
    }

    /// More of what a call is given.
    pub(super) fn grow_call(&mut self, place: Place<'_>, more: &str, out: &mut Deltas) {
        let Some(at) = self.open(place, ItemKind::Call) else { return };
        self.start_thoughts_before(at, out);
        if let Body::Call(call) = &mut self.items[at].body {
            self.calls.tell(call, more, &mut self.next, out);
        }
    }

    /// An item is whole.
    pub(super) fn done(&mut self, place: Place<'_>, value: &Value, out: &mut Deltas) {
        let kind = kind_of(value);
        let id = text(value, "id");
        let at = match self.find(Place { id: id.or(place.id), ..place }, kind) {
            Some(at) if self.items[at].done => return,
            Some(at) => at,
            None => self.push(place.output_index, id.unwrap_or_default(), kind),
        };
        self.complete(at, value, out);
    }

    /// The answer is over. `output` is what it holds, if the endpoint says so once more; items that were not told of or
    /// not to their end are completed from it. Its entries are matched by their order: ids may have changed on the way.
    pub(super) fn finish(&mut self, output: &[Value], out: &mut Deltas) {
        let kinds = [ItemKind::Message, ItemKind::Reasoning, ItemKind::Call, ItemKind::Foreign];
        let seen = kinds.map(|kind| self.all_of(kind));
        let mut seen = seen.map(Vec::into_iter);
        for value in output {
            let kind = kind_of(value);
            let known = kinds.iter().position(|other| *other == kind).and_then(|at| seen[at].next());
            let at = known.unwrap_or_else(|| self.push(None, text(value, "id").unwrap_or_default(), kind));
            if !self.items[at].done {
                self.complete(at, value, out);
            }
        }
        for at in 0..self.items.len() {
            if !self.items[at].done {
                self.close(at, out);
            }
        }
    }

    fn all_of(&self, kind: ItemKind) -> Vec<usize> {
        (0..self.items.len()).filter(|at| self.items[*at].kind() == kind).collect()
    }

    fn find(&self, place: Place<'_>, kind: ItemKind) -> Option<usize> {
        let latest = |is: &dyn Fn(&Item) -> bool| self.items.iter().rposition(|item| item.kind() == kind && is(item));
        let by_place = place.output_index.and_then(|index| latest(&|item| item.output_index == Some(index)));
        let by_id = || place.id.and_then(|id| latest(&|item| item.id == id));
        by_place.or_else(by_id).or_else(|| {
            let nowhere = place.output_index.is_none() && place.id.is_none();
            nowhere.then(|| latest(&|item| !item.done)).flatten()
        })
    }

    /// The item that a piece is of, which begins with it if it was not announced; none if it is over.
    fn open(&mut self, place: Place<'_>, kind: ItemKind) -> Option<usize> {
        match self.find(place, kind) {
            Some(at) => (!self.items[at].done).then_some(at),
            None => Some(self.push(place.output_index, place.id.unwrap_or_default(), kind)),
        }
    }

    fn push(&mut self, output_index: Option<u32>, id: &str, kind: ItemKind) -> usize {
        let body = match kind {
            ItemKind::Message => Body::Message(Vec::new()),
            ItemKind::Reasoning => Body::Reasoning(Thought::default()),
            ItemKind::Call => Body::Call(Call::default()),
            ItemKind::Foreign => Body::Foreign,
        };
        self.items.push(Item { output_index, id: id.to_owned(), body, done: false });
        self.items.len() - 1
    }

    fn say(&mut self, at: usize, part: PartPlace, more: &str, out: &mut Deltas) {
        if more.is_empty() {
            return;
        }
        self.start_thoughts_before(at, out);
        if part.0 == PartKind::Refusal {
            self.refusal.push_str(more);
        }
        let next = &mut self.next;
        let index = match &mut self.items[at].body {
            Body::Message(parts) => {
                let found = parts.iter().position(|known| known.at == part.1).unwrap_or_else(|| {
                    parts.push(Part { at: part.1, block: None, told: 0 });
                    parts.len() - 1
                });
                parts[found].told += more.len();
                start(&mut parts[found].block, BlockStart::Text, next, out)
            }
            Body::Reasoning(thought) => {
                let index = start(&mut thought.block, BlockStart::Reasoning, next, out);
                if thought.part.replace(part).is_some_and(|before| before != part) {
                    out.push_back(Delta::Text { index, text: "\n\n".to_owned() });
                }
                index
            }
            Body::Call(_) | Body::Foreign => return,
        };
        out.push_back(Delta::Text { index, text: more.to_owned() });
    }

    /// Blocks keep the order of their starts, so a thought that shows nothing must not be overtaken by what it led to.
    fn start_thoughts_before(&mut self, at: usize, out: &mut Deltas) {
        for item in &mut self.items[..at] {
            if let Body::Reasoning(thought) = &mut item.body
                && !item.done
            {
                start(&mut thought.block, BlockStart::Reasoning, &mut self.next, out);
            }
        }
    }

    fn complete(&mut self, at: usize, value: &Value, out: &mut Deltas) {
        self.start_thoughts_before(at, out);
        match &mut self.items[at].body {
            Body::Message(_) => self.say_rest(at, value, out),
            Body::Reasoning(thought) => {
                if thought.block.is_none() || thought.part.is_none() {
                    self.think_all(at, value, out);
                }
                self.keep_thought(at, value, out);
            }
            Body::Call(call) => {
                call.name_from(value);
                call.completed_by(value);
            }
            Body::Foreign => {
                let mut block = None;
                let start_of = BlockStart::Foreign(self.binding.opaque(value.clone()));
                let index = start(&mut block, start_of, &mut self.next, out);
                out.push_back(Delta::Stop { index });
            }
        }
        self.close(at, out);
        if let Some(phase) = text(value, "phase").filter(|_| self.items[at].kind() == ItemKind::Message) {
            // A text has no place for it, and it must go back.
            let opaque = self.binding.opaque(json!({ "phase": phase }));
            let index = start(&mut None, BlockStart::Foreign(opaque), &mut self.next, out);
            out.push_back(Delta::Stop { index });
        }
    }

    /// What has not been told of the message's parts.
    fn say_rest(&mut self, at: usize, value: &Value, out: &mut Deltas) {
        for (index, part) in (0..).zip(list(value, "content")) {
            let (kind, whole) = match text(part, "type") {
                Some("refusal") => (PartKind::Refusal, text(part, "refusal")),
                _ => (PartKind::Text, text(part, "text")),
            };
            let told = match &self.items[at].body {
                Body::Message(parts) => parts.iter().find(|known| known.at == index).map_or(0, |known| known.told),
                _ => 0,
            };
            if let Some(rest) = whole.and_then(|whole| whole.get(told..)) {
                self.say(at, (kind, index), rest, out);
            }
        }
    }

    fn think_all(&mut self, at: usize, value: &Value, out: &mut Deltas) {
        for (name, kind) in [("summary", PartKind::Summary), ("content", PartKind::Thought)] {
            for (index, part) in (0..).zip(list(value, name)) {
                self.say(at, (kind, index), text(part, "text").unwrap_or_default(), out);
            }
        }
    }

    /// Its encrypted form, which is whole only when the item is.
    fn keep_thought(&mut self, at: usize, value: &Value, out: &mut Deltas) {
        let Some(encrypted) = text(value, "encrypted_content") else { return };
        let opaque = self.binding.opaque(json!({ "encrypted_content": encrypted }));
        if let Body::Reasoning(thought) = &mut self.items[at].body {
            let index = start(&mut thought.block, BlockStart::Reasoning, &mut self.next, out);
            out.push_back(Delta::Opaque { index, opaque });
        }
    }

    fn close(&mut self, at: usize, out: &mut Deltas) {
        let item = &mut self.items[at];
        item.done = true;
        match &mut item.body {
            Body::Message(parts) => {
                out.extend(parts.iter().filter_map(|part| Some(Delta::Stop { index: part.block? })));
            }
            Body::Reasoning(thought) => out.extend(thought.block.map(|index| Delta::Stop { index })),
            Body::Call(call) => self.calls.finish(call, &mut self.next, out),
            Body::Foreign => {}
        }
    }
}

fn start(block: &mut Option<u32>, kind: BlockStart, next: &mut u32, out: &mut Deltas) -> u32 {
    *block.get_or_insert_with(|| {
        let index = *next;
        *next += 1;
        out.push_back(Delta::Start { index, block: kind });
        index
    })
}
