//! Threads made ready: started, resumed where the connection is another one, and freed of a turn that was left.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::Inner;
use super::errors::{at_work, link_error};
use super::slot::{Known, Loaded, Slot};
use super::terms::Terms;
use super::wire::{Opened, Page, ThreadSettings, Turn, TurnStatus};
use crate::codex::Following;
use crate::codex::link::{FaultKind, LinkError, State};
use crate::model::{ErrorKind, Place, ProviderError, Thread};

/// How long a turn may take to end that was left, once it is interrupted.
const STOP: Duration = Duration::from_secs(10);
/// At what does no harm when it is done twice.
const ATTEMPTS: usize = 3;
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// A thread lists its first turn only a moment after that was begun.
const SETTLE: Duration = Duration::from_secs(2);

impl Inner {
    /// Makes sure that there is a thread for the place, which the connection that is up hears of. What is heard of it is
    /// followed from before. One in which the turn of another session is followed stays as it is.
    pub async fn ready(&self, slot: &Arc<Slot>, known: &mut Known, place: &Place) -> Result<Following, ProviderError> {
        let fingerprint = self.ground.fingerprint(place);
        let named = |thread: &Thread| thread.fingerprint.is_empty();
        let wanted = place.thread.as_ref().filter(|thread| named(thread) || thread.fingerprint == fingerprint);
        let old = place.thread.as_ref().map(|thread| &thread.id);
        let has = known.thread.take().filter(|has| {
            let instead = has.thread.fingerprint == fingerprint && has.empty.as_ref().map(Option::as_ref) == Some(old);
            wanted.is_some_and(|wanted| wanted.id == has.thread.id) || instead
        });
        known.place = Some(place.clone());
        let mut loaded = match (has, wanted) {
            (Some(has), _) => has,
            (None, Some(wanted)) => Loaded::kept(wanted.clone()),
            (None, None) => return self.start(known, place, fingerprint).await,
        };
        if let Some(other) = self.slots.at_work(slot, &loaded.thread.id) {
            let error = at_work(&loaded.thread.id, &other.session);
            known.thread = Some(loaded);
            return Err(error);
        }
        self.hub().own(&loaded.thread.id);
        let following = self.hub().follow(&loaded.thread.id);
        if loaded.connection.is_some() && loaded.connection == self.connection() {
            known.thread = Some(loaded);
            return Ok(following);
        }
        match self.resume_at_last(&mut loaded, place).await {
            Ok(_) => {
                known.thread = Some(loaded);
                Ok(following)
            }
            Err(LinkError::Rpc(refusal)) if is_lost(refusal.code()) && !named(&loaded.thread) => {
                tracing::info!(thread = loaded.thread.id, %refusal, "a thread cannot be resumed, and another is started");
                self.start(known, place, fingerprint).await
            }
            Err(error) => {
                known.thread = Some(loaded);
                Err(link_error("thread/resume", &error))
            }
        }
    }

    async fn start(&self, known: &mut Known, place: &Place, fingerprint: String) -> Result<Following, ProviderError> {
        // The request waits for the connection, if there is none; which one it went over is known if it was up before.
        let mut before = self.connection();
        let params = self.ground.start(place);
        let mut attempts = 1;
        let opened: Opened = loop {
            match self.link().call("thread/start", &params).await {
                Err(error) if attempts < ATTEMPTS && has_broken(&error) => before = self.connection(),
                other => break other.map_err(|error| link_error("thread/start", &error))?,
            }
            attempts += 1;
        };
        let id = opened.thread.id;
        self.hub().own(&id);
        // From here on what is noted is newer.
        self.hub().noted(&id);
        let following = self.hub().follow(&id);
        let now = self.connection();
        let connection = now.filter(|_| before.is_none() || before == now);
        let terms = Terms::of(&opened.settings);
        let ThreadSettings { model, sandbox_policy: sandbox, .. } = opened.settings;
        self.told_model(model.as_ref());
        let instead = place.thread.as_ref().map(|old| old.id.clone());
        known.thread = Some(Loaded {
            thread: Thread { id, fingerprint, seen: 0 },
            connection,
            model,
            sandbox,
            terms,
            empty: Some(instead),
            is_busy: false,
        });
        Ok(following)
    }

    /// The same, also if the connection turns out to be broken.
    pub async fn resume_at_last(&self, loaded: &mut Loaded, place: &Place) -> Result<bool, LinkError> {
        let mut attempts = 1;
        loop {
            match self.resume(loaded, place).await {
                Err(error) if attempts < ATTEMPTS && has_broken(&error) => attempts += 1,
                other => return other,
            }
        }
    }

    /// Whether a turn runs there.
    pub async fn resume(&self, loaded: &mut Loaded, place: &Place) -> Result<bool, LinkError> {
        let params = self.ground.resume(place, &loaded.thread.id);
        loop {
            let before = self.connection();
            self.hub().noted(&loaded.thread.id);
            let opened: Opened = self.link().call("thread/resume", &params).await?;
            // One that waited for the connection may have gone over one that is gone again.
            if before.is_none() || before != self.connection() {
                continue;
            }
            loaded.connection = before;
            loaded.terms = Terms::of(&opened.settings);
            let ThreadSettings { model, sandbox_policy: sandbox, .. } = opened.settings;
            self.told_model(model.as_ref());
            loaded.model = model.or(loaded.model.take());
            loaded.sandbox = sandbox.or(loaded.sandbox.take());
            loaded.empty = None;
            loaded.is_busy = opened.thread.is_active();
            return Ok(loaded.is_busy);
        }
    }

    /// Ends the turn that was left in a thread: what is said to a thread at work would be said to that turn.
    pub async fn stop_left(&self, thread: &str) -> Result<(), ProviderError> {
        let deadline = Instant::now() + STOP;
        while let Some(turn) =
            self.running_turn(thread).await.map_err(|error| link_error("thread/turns/list", &error))?
        {
            if Instant::now() >= deadline {
                let message = "a turn before this one is still at work in the thread, and does not end";
                return Err(ProviderError::new(ErrorKind::Unavailable, message));
            }
            match self.interrupt(thread, &turn).await {
                Ok(()) | Err(LinkError::Rpc(_)) => sleep(LOOK_AGAIN).await,
                Err(error) => return Err(link_error("turn/interrupt", &error)),
            }
        }
        self.slots.quiet(thread);
        Ok(())
    }

    pub async fn running_turn(&self, thread: &str) -> Result<Option<String>, LinkError> {
        let deadline = Instant::now() + SETTLE;
        loop {
            let params = json!({ "threadId": thread, "limit": 1 });
            match self.link().call::<Page<Turn>>("thread/turns/list", &params).await {
                Ok(latest) => {
                    let running = latest.data.into_iter().find(|turn| turn.status == TurnStatus::InProgress);
                    return Ok(running.map(|turn| turn.id));
                }
                Err(LinkError::Rpc(refusal)) if is_new(refusal.message()) => {
                    if Instant::now() >= deadline {
                        return Ok(None);
                    }
                    sleep(LOOK_AGAIN).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    pub async fn interrupt(&self, thread: &str, turn: &str) -> Result<(), LinkError> {
        let params = json!({ "threadId": thread, "turnId": turn });
        self.link().call::<Value>("turn/interrupt", &params).await.map(drop)
    }

    /// The number of the connection that is up.
    pub fn connection(&self) -> Option<u64> {
        let status = self.link().status();
        (status.state == State::Ready).then_some(status.connects)
    }
}

/// Nothing listening, or nothing that answers, is another matter.
pub fn has_broken(error: &LinkError) -> bool {
    match error {
        LinkError::Lost(_) => true,
        LinkError::Down(fault) => fault.kind == FaultKind::Broken,
        _ => false,
    }
}

/// Nothing was said in the thread, or the server has not noted it yet.
pub fn is_new(refusal: &str) -> bool {
    refusal.contains("is not materialized yet") || refusal.starts_with("list_turns is not supported yet")
}

/// The server knows of no such thread, or cannot or may not load it. Whatever is at fault, a new one may do.
pub fn is_lost(code: i32) -> bool {
    code == -32600
}
