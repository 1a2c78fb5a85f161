//! What happens in a turn, told as it happens: the blocks of an answer become events, and are folded up on the way.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

use super::Event;
use super::action_block::Filter;
use super::log::EventLog;
use crate::model::{Block, BlockStart, Completion, Delta, Fold};

/// Where the events of a turn go. Block indexes go on counting from answer to answer.
pub struct Events {
    pub log: Arc<EventLog>,
    pub turn_id: Arc<str>,
    pub next_index: u32,
}

impl Events {
    pub fn push(&self, event: Event) {
        self.log.push(&self.turn_id, event);
    }

    /// A call in one piece, as one that has been made already.
    pub fn tool_use(&mut self, id: &str, name: &str, input: &Value) {
        let (index, id, name) = (self.next_index, id.to_owned(), name.to_owned());
        self.next_index += 1;
        self.push(Event::ToolUseStart { index, id: id.clone(), name: name.clone() });
        self.push(Event::ToolUseStop { index, id, name, input: input.clone() });
    }

    pub fn answer(&self) -> Answer {
        Answer {
            log: Arc::clone(&self.log),
            turn_id: Arc::clone(&self.turn_id),
            base: self.next_index,
            top: 0,
            fold: Fold::default(),
            texts: HashMap::new(),
        }
    }
}

/// One answer as it comes: folded up, and told as events.
pub struct Answer {
    log: Arc<EventLog>,
    turn_id: Arc<str>,
    base: u32,
    /// Indexes used so far.
    top: u32,
    fold: Fold,
    /// Text blocks that are open, each with what of it has been shown.
    texts: HashMap<u32, (Filter, String)>,
}

impl Answer {
    pub fn push(&mut self, delta: &Delta) {
        self.fold.push(delta);
        match delta {
            Delta::Start { index, block } => {
                self.top = self.top.max(index.saturating_add(1));
                self.start(*index, block);
            }
            Delta::Text { index, text } => self.text(*index, text),
            Delta::Arguments { index, partial } => {
                if let Some(Block::ToolCall(call)) = self.fold.get(*index) {
                    let id = call.id.clone();
                    self.emit(Event::ToolUseInput { index: self.base + index, id, partial: partial.clone() });
                }
            }
            Delta::Stop { index } => self.stop(*index),
            Delta::Model(_) | Delta::Opaque { .. } | Delta::Usage(_) | Delta::Metadata(_) | Delta::Finished(_) => {}
        }
    }

    fn start(&mut self, index: u32, block: &BlockStart) {
        match block {
            BlockStart::Text => {
                self.texts.insert(index, Default::default());
                self.emit(Event::TextStart { index: self.base + index });
            }
            BlockStart::ToolCall { id, name } => {
                self.emit(Event::ToolUseStart { index: self.base + index, id: id.clone(), name: name.clone() });
            }
            BlockStart::Reasoning | BlockStart::Foreign(_) => {}
        }
    }

    fn text(&mut self, index: u32, text: &str) {
        let at = self.base + index;
        match self.texts.get_mut(&index) {
            Some((filter, shown)) => {
                let text = filter.push(text);
                if !text.is_empty() {
                    shown.push_str(&text);
                    self.emit(Event::TextDelta { index: at, text });
                }
            }
            None if !text.is_empty() => self.emit(Event::ReasoningDelta { index: at, text: text.to_owned() }),
            None => {}
        }
    }

    fn stop(&mut self, index: u32) {
        let at = self.base + index;
        if let Some((mut filter, mut shown)) = self.texts.remove(&index) {
            let rest = filter.finish();
            if !rest.is_empty() {
                shown.push_str(&rest);
                self.emit(Event::TextDelta { index: at, text: rest });
            }
            self.emit(Event::TextStop { index: at, text: shown });
        } else if let Some(Block::ToolCall(call)) = self.fold.get(index) {
            let input = call.input().unwrap_or_else(|_| call.arguments.clone().into());
            let (id, name) = (call.id.clone(), call.name.clone());
            self.emit(Event::ToolUseStop { index: at, id, name, input });
        }
    }

    /// Whether anything a person or a tool would see has arrived.
    pub fn is_empty(&self) -> bool {
        self.fold.is_empty()
    }

    /// The block is void, and gets no end.
    pub fn forget(&mut self, index: u32) {
        self.texts.remove(&index);
        self.fold.forget(index);
    }

    /// Closes what is still open, as it is when an answer breaks off.
    pub fn finish(mut self, events: &mut Events) -> (Completion, bool) {
        let mut open: Vec<u32> = self.texts.keys().copied().collect();
        open.sort_unstable();
        open.into_iter().for_each(|index| self.stop(index));
        events.next_index = self.base + self.top;
        self.fold.finish()
    }

    fn emit(&self, event: Event) {
        self.log.push(&self.turn_id, event);
    }
}
