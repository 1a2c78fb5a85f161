//! The beginning of a turn: the thread made ready, what it does not know yet told to it, and the turn asked for. On a
//! warm thread that is one request.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Inner;
use super::errors::{at_work, link_error};
use super::ready::has_broken;
use super::slot::{Loaded, Slot, Stand};
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
    pub turn: Result<String, Unconfirmed>,
    /// If it is another one than the session had.
    pub new_thread: Option<Thread>,
    pub model: Option<String>,
}

/// Why it is not known whether a turn has begun.
#[derive(Clone, Copy, Debug)]
pub enum Unconfirmed {
    /// The connection broke before the answer.
    Lost,
    /// No answer came in time over this connection, over which it may still come.
    Late { connection: u64 },
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
        let following = inner.ready(&slot, &mut known, &task.place).await?;
        let Some(loaded) = &mut known.thread else { continue };
        if inner.enter(&slot, &loaded.thread.id).await? || loaded.is_busy {
            let stopped = inner.stop_left(&loaded.thread.id).await;
            stopped.inspect_err(|_| slot.leave(Stand::Left))?;
            loaded.is_busy = false;
        }
        let was_empty = loaded.empty.is_some();
        match inner.ask(loaded, &task, &mark).await {
            Ok(turn) => {
                if was_empty {
                    slot.account(&loaded.thread.id, Tokens::default());
                }
                let is_new = kept.as_ref() != Some(&loaded.thread.id);
                return Ok(started(loaded, &task, following, turn, is_new));
            }
            Err(no) => {
                slot.leave(Stand::Idle);
                match no {
                    No::Again(_) if attempts < ATTEMPTS => {}
                    No::Otherwise(_) if attempts < ATTEMPTS => (known.thread, task.place.thread) = (None, None),
                    No::Again(error) | No::Otherwise(error) | No::More(error) => return Err(error),
                }
            }
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
    /// The thread is the slot's from here on. Whether a turn may run there that has to be stopped first.
    async fn enter(&self, slot: &Arc<Slot>, thread: &str) -> Result<bool, ProviderError> {
        loop {
            let other = match self.slots.enter(slot, thread) {
                Ok(may_run) => return Ok(may_run),
                Err(other) => other,
            };
            let runs = || async {
                let turn = self.running_turn(thread).await;
                turn.map(|turn| turn.is_some()).map_err(|error| link_error("thread/turns/list", &error))
            };
            if other.stand() != Stand::Waiting || runs().await? {
                return Err(at_work(thread, &other.session));
            }
            // It died with its server.
            other.quiet(thread);
        }
    }

    async fn ask(&self, loaded: &mut Loaded, task: &Task, mark: &str) -> Result<Result<String, Unconfirmed>, No> {
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
        match self.link().call::<Begun>("turn/start", &params).await {
            Ok(begun) => {
                loaded.terms.agree(overrides);
                Ok(Ok(begun.turn.id))
            }
            Err(error @ (LinkError::Lost(_) | LinkError::TimedOut { .. })) => {
                loaded.terms = Terms::default();
                let connection = self.connection().filter(|_| matches!(error, LinkError::TimedOut { .. }));
                Ok(Err(connection.map_or(Unconfirmed::Lost, |connection| Unconfirmed::Late { connection })))
            }
            Err(error) => {
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

fn started(
    loaded: &mut Loaded,
    task: &Task,
    following: Following,
    turn: Result<String, Unconfirmed>,
    is_new: bool,
) -> Started {
    loaded.thread.seen = task.messages.last().map_or(loaded.thread.seen, |(id, _)| *id);
    if turn.is_ok() {
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
