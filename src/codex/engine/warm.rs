//! Threads kept ready between turns, and turns that were left in them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::Inner;
use super::errors::{fault_error, link_error};
use super::recover::items;
use super::run::{Stage, Turning};
use super::slot::{Loaded, Slot, Stand};
use crate::codex::link::{Heard, LinkError, State};
use crate::model::{Place, ProviderError, Thread};

/// How many are made ready again when the connection is back.
const KEPT_WARM: usize = 32;
/// How long the questions of a thread that was resumed may take to come.
const QUESTIONS: Duration = Duration::from_secs(1);

/// Makes the threads used last ready again whenever the connection is another one.
pub async fn again(inner: Arc<Inner>) {
    let mut changes = inner.link().changes();
    while changes.changed().await.is_ok() {
        if *changes.borrow_and_update() != State::Ready {
            continue;
        }
        for slot in inner.slots.latest(KEPT_WARM) {
            let mut known = slot.lock().await;
            if slot.stand() != Stand::Idle {
                continue;
            }
            let (Some(mut place), Some(loaded)) = (known.place.clone(), &known.thread) else { continue };
            if inner.slots.at_work(&slot, &loaded.thread.id).is_some() {
                continue;
            }
            place.thread = Some(loaded.thread.clone());
            if let Err(error) = inner.ready(&slot, &mut known, &place).await {
                tracing::debug!(%error, "a thread is not made ready again");
                break;
            }
        }
    }
}

impl Inner {
    pub async fn warm(&self, place: Place) -> Option<Thread> {
        let slot = self.slots.of(&place);
        let mut known = slot.lock().await;
        // Whoever follows it would hear no more.
        if slot.stand() != Stand::Idle {
            return None;
        }
        if let Err(error) = self.ready(&slot, &mut known, &place).await {
            tracing::debug!(%error, "a thread is not made ready");
            return None;
        }
        let thread = known.thread.as_ref()?.thread.clone();
        place.thread.is_none_or(|old| old.id != thread.id).then_some(thread)
    }

    pub async fn take_up(self: &Arc<Self>, place: Place) -> Result<Option<Turning>, ProviderError> {
        let Some(thread) = place.thread.clone() else { return Ok(None) };
        let slot = self.slots.of(&place);
        let mut known = slot.lock().await;
        let Some(mut claim) = self.claim(&slot, &thread.id) else { return Ok(None) };
        let mut loaded =
            known.thread.take().filter(|known| known.thread.id == thread.id).unwrap_or(Loaded::kept(thread));
        let thread = loaded.thread.id.clone();
        self.hub().own(&thread);
        let mut following = self.hub().follow(&thread);
        let is_active = match self.resume_at_last(&mut loaded, &place).await {
            Ok(is_active) => is_active,
            Err(LinkError::Rpc(refusal)) => {
                tracing::info!(thread, %refusal, "a thread with a turn left in it cannot be resumed");
                return Ok(None);
            }
            Err(error) => return Err(link_error("thread/resume", &error)),
        };
        known.place = Some(place.clone());
        let model = loaded.model.clone();
        let running = match is_active {
            true => self.running_turn(&thread).await.map_err(|error| link_error("thread/turns/list", &error))?,
            false => None,
        };
        // Whatever runs there is known from here on.
        loaded.is_busy = false;
        known.thread = Some(loaded);
        let Some(id) = running else {
            claim.then = Stand::Idle;
            return Ok(None);
        };
        let done = items(self, &thread, &id).await.map_err(|error| link_error("thread/items/list", &error))?;
        let mut backlog = VecDeque::new();
        let asked = async {
            while let Some(heard) = following.next().await {
                match &heard {
                    Heard::Request { .. } => {
                        backlog.push_back(heard);
                        return Ok(true);
                    }
                    Heard::Down(fault) => return Err(fault_error(fault)),
                    _ => backlog.push_back(heard),
                }
            }
            Ok(false)
        };
        if !timeout(QUESTIONS, asked).await.unwrap_or(Ok(false))? {
            claim.then = Stand::Left;
            return Ok(None);
        }
        claim.then = Stand::Running;
        drop((known, claim));
        let mut turn = Turning::new(Arc::clone(self), slot, place);
        turn.take_over(id, model, following, backlog, &done);
        Ok(Some(turn))
    }

    /// None if the turn of another session runs there, so that none of this one's does.
    fn claim(&self, slot: &Arc<Slot>, thread: &str) -> Option<Claim> {
        let then = slot.stand();
        self.slots.enter(slot, thread).ok()?;
        Some(Claim { slot: Arc::clone(slot), then })
    }
}

/// A slot that has a thread while something is found out about it.
struct Claim {
    slot: Arc<Slot>,
    /// How it stands afterwards.
    then: Stand,
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.slot.leave(self.then);
    }
}

impl Turning {
    fn take_over(
        &mut self,
        turn: String,
        model: Option<String>,
        following: crate::codex::Following,
        backlog: VecDeque<Heard>,
        done: &[super::wire::Item],
    ) {
        self.fold = super::fold::Fold::new(turn, self.slot.accounted(following.thread()));
        self.fold.skip(done);
        following.thread().clone_into(&mut self.thread);
        self.answers(model);
        self.following = Some(following);
        self.backlog = backlog;
        self.stage = Stage::Running;
    }
}
