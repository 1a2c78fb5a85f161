//! What the model says in a turn of an engine, parted into answers by the calls and deeds that stand in between.

use std::collections::HashMap;

use super::answer::{Answer, Events};
use crate::model::{BlockStart, Completion, Delta};

/// The engine counts its blocks through the whole turn; here they are counted anew in each answer.
#[derive(Default)]
pub struct Said {
    answer: Option<Answer>,
    open: HashMap<u32, Open>,
    next: u32,
}

/// A block that the engine has not ended.
struct Open {
    start: BlockStart,
    /// Where it is in the answer; a call may have ended the answer in its midst.
    index: Option<u32>,
}

impl Said {
    /// Whether nothing was said since the last call or deed.
    pub fn is_empty(&self) -> bool {
        self.answer.as_ref().is_none_or(Answer::is_empty)
    }

    pub fn push(&mut self, delta: Delta, events: &Events) {
        match delta {
            Delta::Start { index, block: start @ (BlockStart::Text | BlockStart::Reasoning) } => {
                self.open.insert(index, Open { start, index: None });
                self.index(index, events);
            }
            Delta::Text { index: at, text } => {
                let Some(index) = self.index(at, events) else { return };
                self.tell(&Delta::Text { index, text });
            }
            Delta::Opaque { index: at, opaque } => {
                let Some(index) = self.index(at, events) else { return };
                self.tell(&Delta::Opaque { index, opaque });
            }
            Delta::Stop { index } => {
                if let Some(Open { index: Some(index), .. }) = self.open.remove(&index) {
                    self.tell(&Delta::Stop { index });
                }
            }
            // The engine says these in words of its own, and calls are no part of what is said.
            Delta::Start { .. }
            | Delta::Arguments { .. }
            | Delta::Model(_)
            | Delta::Usage(_)
            | Delta::Metadata(_)
            | Delta::Finished(_) => {}
        }
    }

    /// What is said in the open blocks is void.
    pub fn void(&mut self) {
        for open in std::mem::take(&mut self.open).into_values() {
            if let (Some(answer), Some(index)) = (&mut self.answer, open.index) {
                answer.forget(index);
            }
        }
    }

    /// What was said since the last call or deed, if it was anything.
    pub fn take(&mut self, events: &mut Events) -> Option<Completion> {
        self.next = 0;
        self.open.values_mut().for_each(|open| open.index = None);
        let (completion, _) = self.answer.take()?.finish(events);
        (!completion.message.blocks.is_empty()).then_some(completion)
    }

    /// Where an open block is in the answer; it begins there if need be.
    fn index(&mut self, at: u32, events: &Events) -> Option<u32> {
        let open = self.open.get_mut(&at)?;
        if open.index.is_none() {
            let (index, block) = (self.next, open.start.clone());
            open.index = Some(index);
            self.next += 1;
            self.answer.get_or_insert_with(|| events.answer()).push(&Delta::Start { index, block });
        }
        open.index
    }

    fn tell(&mut self, delta: &Delta) {
        if let Some(answer) = &mut self.answer {
            answer.push(delta);
        }
    }
}
