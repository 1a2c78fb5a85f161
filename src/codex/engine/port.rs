//! A turn at work as Helm sees it: answers, words in between, and its end before its time.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::late::revoke;
use super::run::{STOP, Stage, Turning};
use super::slot::Stand;
use super::stop::stop;
use super::thread::input;
use crate::model::{Answer, Block, ErrorKind, Happening, ProviderError, Run};

#[async_trait]
impl Run for Turning {
    async fn next(&mut self) -> Result<Happening, ProviderError> {
        loop {
            if matches!(self.stage, Stage::Running) && self.interrupted.is_none() {
                self.steers.begin(&self.inner, &self.thread, self.fold.turn());
            }
            let is_end = matches!(self.ready.front(), Some(Err(_) | Ok(Happening::Ended(_))));
            if is_end {
                self.steers.end();
            }
            if let Some((number, outcome)) = self.steers.told() {
                return Ok(Happening::Steered { number, outcome });
            }
            let changed = self.steers.changed();
            if is_end && self.steers.is_at_work() {
                changed.await;
            } else if let Some(next) = self.ready.pop_front() {
                return next;
            } else {
                tokio::select! {
                    biased;
                    () = changed => {}
                    () = self.step() => {}
                }
            }
        }
    }

    async fn answer(&mut self, id: &str, answer: Answer) -> Result<(), ProviderError> {
        if let Some((request, answer)) = self.book.answer(id, &answer) {
            self.respond(&request, &answer);
        }
        Ok(())
    }

    fn steer(&mut self, number: u64, content: &[Block]) {
        self.steers.add(number, input(content));
    }

    async fn interrupt(&mut self) {
        match self.stage {
            Stage::Over | Stage::Explaining(_) => {}
            Stage::Running => {
                if self.interrupted.is_none() {
                    self.interrupted = Some(Instant::now() + STOP);
                    self.stop();
                }
            }
            // It ends for those who wait, and on the server as soon as it is reached.
            Stage::Starting(_) | Stage::Late { .. } | Stage::Away { .. } | Stage::Recovering { .. } => {
                self.stop();
                self.over = CancellationToken::new();
                self.give_up();
            }
        }
    }

    async fn leave(mut self: Box<Self>) {
        self.is_left = true;
    }
}

impl Turning {
    /// Has the turn stopped in the background.
    pub(super) fn stop(&mut self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (inner, link) = (Arc::clone(&self.inner), self.inner.link().clone());
        let over = self.over.clone();
        let (thread, turn) = (self.thread.clone(), self.fold.turn().to_owned());
        let (slot, place, mark) = (Arc::clone(&self.slot), self.place.clone(), self.mark.clone());
        if let Stage::Starting(starting) = &mut self.stage {
            let nothing = Box::pin(async { Err(ProviderError::new(ErrorKind::Protocol, "the turn was given up")) });
            let starting = std::mem::replace(starting, nothing);
            runtime.spawn(async move {
                let started = starting.await;
                slot.leave(Stand::Left);
                let Ok(started) = started else { return };
                match started.turn {
                    Ok(turn) => stop(&link, &started.thread, &turn, over).await,
                    Err(_) => revoke(inner, slot, place, started.thread, mark).await,
                }
            });
        } else if self.task.is_some() {
            runtime.spawn(revoke(inner, slot, place, thread, mark));
        } else if !turn.is_empty() {
            runtime.spawn(async move { stop(&link, &thread, &turn, over).await });
        }
    }
}

impl Drop for Turning {
    fn drop(&mut self) {
        if matches!(self.stage, Stage::Over | Stage::Explaining(_)) {
            return;
        }
        if !self.is_left {
            self.stop();
        }
        self.slot.leave(if self.is_left { Stand::Waiting } else { Stand::Left });
    }
}
