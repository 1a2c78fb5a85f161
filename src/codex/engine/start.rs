//! The beginning of a turn: the thread made ready, what it does not know yet told to it, and the turn asked for. On a
//! warm thread that is one request.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Inner;
use super::errors::link_error;
use super::ready::has_broken;
use super::slot::{Loaded, Slot};
use super::terms::Terms;
use super::thread::{Input, history, input};
use super::wire::{Begun, Tokens};
use crate::codex::link::LinkError;
use crate::codex::{Following, Noted};
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

/// What a broken connection or a thread that is gone costs.
const ATTEMPTS: usize = 4;

/// `mark` tells the turn from others, should the answer be lost.
pub async fn start(inner: Arc<Inner>, slot: Arc<Slot>, mut task: Task, mark: String) -> Result<Started, ProviderError> {
    let mut known = slot.lock().await;
    let kept = task.place.thread.as_ref().map(|thread| thread.id.clone());
    let mut attempts = 0;
    loop {
        attempts += 1;
        let following = inner.ready(&mut known, &task.place).await?;
        let Some(loaded) = &mut known.thread else { continue };
        if slot.is_left() || loaded.is_busy {
            inner.stop_left(&slot, &loaded.thread.id).await?;
            loaded.is_busy = false;
        }
        let was_empty = loaded.empty.is_some();
        match inner.ask(&slot, loaded, &task, &mark).await {
            Ok(turn) => {
                if was_empty {
                    slot.account(&loaded.thread.id, Tokens::default());
                }
                let is_new = kept.as_ref() != Some(&loaded.thread.id);
                return Ok(started(loaded, &task, following, turn, is_new));
            }
            Err(No::Again(_)) if attempts < ATTEMPTS => {}
            Err(No::Otherwise(_)) if attempts < ATTEMPTS => (known.thread, task.place.thread) = (None, None),
            Err(No::Again(error) | No::Otherwise(error) | No::More(error)) => return Err(error),
        }
    }
}

/// Why a turn has not begun.
enum No {
    /// Nothing has come of it.
    Again(ProviderError),
    /// The thread may know something or not: another one is told for certain.
    Otherwise(ProviderError),
    More(ProviderError),
}

impl Inner {
    /// None if it is not known whether the turn has begun.
    async fn ask(&self, slot: &Slot, loaded: &mut Loaded, task: &Task, mark: &str) -> Result<Option<String>, No> {
        let (unseen, asked) = split(task, loaded);
        self.tell(loaded, &unseen).await.map_err(|error| {
            let no = match error {
                _ if has_broken(&error) && !matches!(error, LinkError::Lost(_)) => No::Again,
                LinkError::Lost(_) | LinkError::TimedOut { .. } => No::Otherwise,
                _ => No::More,
            };
            no(link_error("thread/inject_items", &error))
        })?;
        self.note_terms(loaded);
        let overrides = self.ground.overrides(&task.place, loaded.sandbox.as_ref(), &loaded.terms);
        loaded.terms.doubt(&overrides);
        let params = self.ground.turn(&task.place, &loaded.thread.id, &overrides, &asked, mark);
        slot.enter();
        match self.link().call::<Begun>("turn/start", &params).await {
            Ok(begun) => {
                loaded.terms.agree(overrides);
                Ok(Some(begun.turn.id))
            }
            Err(LinkError::Lost(_) | LinkError::TimedOut { .. }) => {
                loaded.terms = Terms::default();
                Ok(None)
            }
            Err(error) => {
                slot.leave(true);
                let is_gone = matches!(&error, LinkError::Rpc(no) if no.message().starts_with("thread not found"));
                if is_gone {
                    loaded.connection = None;
                }
                let no = if is_gone || has_broken(&error) { No::Again } else { No::More };
                Err(no(link_error("turn/start", &error)))
            }
        }
    }

    /// What was said without the thread.
    async fn tell(&self, loaded: &mut Loaded, unseen: &[(u64, &Message)]) -> Result<(), LinkError> {
        let items = history(unseen.iter().map(|(_, message)| *message));
        let Some((last, _)) = unseen.last() else { return Ok(()) };
        if !items.is_empty() {
            let params = json!({ "threadId": loaded.thread.id, "items": items });
            self.link().call::<Value>("thread/inject_items", &params).await?;
        }
        loaded.thread.seen = *last;
        loaded.empty = None;
        Ok(())
    }

    /// What others have changed meanwhile.
    fn note_terms(&self, loaded: &mut Loaded) {
        match self.hub().noted(&loaded.thread.id) {
            Noted::Nothing => {}
            Noted::Changed(updated) => loaded.terms = Terms::updated(&updated),
            Noted::Unknown => loaded.terms = Terms::default(),
        }
        loaded.model = loaded.terms.model().map(str::to_owned).or(loaded.model.take());
    }
}

fn started(loaded: &mut Loaded, task: &Task, following: Following, turn: Option<String>, is_new: bool) -> Started {
    loaded.thread.seen = task.messages.last().map_or(loaded.thread.seen, |(id, _)| *id);
    if turn.is_some() {
        loaded.empty = None;
    }
    loaded.model = task.place.model.clone().or(loaded.model.take());
    let thread = loaded.thread.clone();
    let model = loaded.model.clone();
    Started { following, thread: thread.id.clone(), turn, new_thread: is_new.then_some(thread), model }
}

/// What the thread does not know, and what is asked: the last message, or all results of calls at the end.
fn split<'a>(task: &'a Task, loaded: &Loaded) -> (Vec<(u64, &'a Message)>, Vec<Input>) {
    let messages = &task.messages;
    let results = messages.iter().rev().take_while(|(_, message)| message.role == Role::Tool).count();
    let (before, asked) = messages.split_at(messages.len() - results.max(1).min(messages.len()));
    let is_kept = task.place.thread.as_ref().is_some_and(|kept| kept.id == loaded.thread.id);
    let known = if is_kept { task.known } else { 0 };
    // An attempt before this one may have come so far.
    let told = before.iter().rposition(|(id, _)| *id == loaded.thread.seen).filter(|_| loaded.empty.is_none());
    let known = known.max(told.map_or(0, |at| at + 1));
    let unseen = before.iter().skip(known).map(|(id, message)| (*id, message)).collect();
    let blocks: Vec<&Block> = asked.iter().flat_map(|(_, message)| &message.blocks).collect();
    (unseen, input(blocks))
}
