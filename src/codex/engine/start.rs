//! The beginning of a turn: the thread made ready, what it does not know yet told to it, and the turn asked for. On a
//! warm thread that is one request.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Inner;
use super::errors::link_error;
use super::slot::{Known, Loaded, Slot};
use super::thread::{Input, history, input};
use super::wire::{Begun, Tokens};
use crate::codex::Following;
use crate::codex::link::LinkError;
use crate::model::{Block, Message, ProviderError, Role, Task, Thread};

/// A turn that has been asked for.
pub struct Started {
    pub following: Following,
    pub thread: String,
    /// None if the connection broke before the answer: it may run, or not.
    pub turn: Option<String>,
    /// If it is another one than the session had.
    pub new_thread: Option<Thread>,
    pub model: Option<String>,
}

/// `mark` tells the turn from others, should the answer be lost.
pub async fn start(inner: Arc<Inner>, slot: Arc<Slot>, task: Task, mark: String) -> Result<Started, ProviderError> {
    let mut known = slot.lock().await;
    let mut again = true;
    loop {
        let following = inner.ready(&mut known, &task.place, true).await?;
        let (Some(following), Some(loaded)) = (following, known.thread.clone()) else {
            continue;
        };
        if slot.is_left() {
            inner.stop_left(&slot, &loaded.thread.id).await?;
        }
        let (unseen, asked) = split(&task, &loaded);
        inner.tell(&mut known, &loaded, &unseen).await?;
        let params = inner.ground.turn(&task.place, &loaded.thread.id, loaded.sandbox.as_ref(), &asked, &mark);
        slot.enter();
        let begun = inner.link().call::<Begun>("turn/start", &params).await;
        let turn = match begun {
            Ok(begun) => Some(begun.turn.id),
            Err(LinkError::Lost(_) | LinkError::TimedOut { .. }) => None,
            Err(LinkError::Rpc(refusal)) if again && refusal.message().starts_with("thread not found") => {
                again = false;
                slot.leave(true);
                if let Some(thread) = &mut known.thread {
                    thread.connection = None;
                }
                continue;
            }
            Err(error) => {
                slot.leave(true);
                return Err(link_error("turn/start", &error));
            }
        };
        return Ok(inner.started(&slot, &mut known, &task, (loaded, following, turn)));
    }
}

impl Inner {
    /// What was said without the thread.
    async fn tell(&self, known: &mut Known, loaded: &Loaded, unseen: &[(u64, &Message)]) -> Result<(), ProviderError> {
        let items = history(unseen.iter().map(|(_, message)| *message));
        let Some((last, _)) = unseen.last() else { return Ok(()) };
        if !items.is_empty() {
            let params = json!({ "threadId": loaded.thread.id, "items": items });
            let told = self.link().call::<Value>("thread/inject_items", &params).await;
            if let Err(error) = told {
                if matches!(error, LinkError::Lost(_) | LinkError::TimedOut { .. }) {
                    // It may be there or not: another thread is told for certain.
                    known.thread = None;
                }
                return Err(link_error("thread/inject_items", &error));
            }
        }
        if let Some(thread) = &mut known.thread {
            thread.thread.seen = *last;
            thread.empty = None;
        }
        Ok(())
    }

    fn started(
        &self,
        slot: &Slot,
        known: &mut Known,
        task: &Task,
        (loaded, following, turn): (Loaded, Following, Option<String>),
    ) -> Started {
        let seen = task.messages.last().map_or(loaded.thread.seen, |(id, _)| *id);
        let thread = Thread { seen, ..loaded.thread.clone() };
        if let Some(now) = &mut known.thread {
            now.thread.seen = seen;
            if turn.is_some() {
                now.empty = None;
            }
            now.model = task.place.model.clone().or(now.model.take());
        }
        if loaded.empty.is_some() {
            slot.account(&thread.id, Tokens::default());
        }
        let is_new = task.place.thread.as_ref().is_none_or(|old| old.id != thread.id);
        let model = task.place.model.clone().or_else(|| loaded.model.clone());
        Started { following, thread: thread.id.clone(), turn, new_thread: is_new.then_some(thread), model }
    }
}

/// What the thread has not seen, and what is asked: the last message, or all results of calls at the end.
fn split<'a>(task: &'a Task, loaded: &Loaded) -> (Vec<(u64, &'a Message)>, Vec<Input>) {
    let messages = &task.messages;
    let results = messages.iter().rev().take_while(|(_, message)| message.role == Role::Tool).count();
    let (before, asked) = messages.split_at(messages.len() - results.max(1).min(messages.len()));
    // By place and not by number: what waited in a queue may be older than what stands before it.
    let kept = task.place.thread.iter().filter(|kept| kept.id == loaded.thread.id);
    let seen: Vec<u64> = kept.map(|kept| kept.seen).chain([loaded.thread.seen]).collect();
    let known = before.iter().rposition(|(id, _)| seen.contains(id)).filter(|_| loaded.empty.is_none());
    let unseen = before.iter().skip(known.map_or(0, |at| at + 1)).map(|(id, message)| (*id, message)).collect();
    let blocks: Vec<&Block> = asked.iter().flat_map(|(_, message)| &message.blocks).collect();
    (unseen, input(blocks))
}
