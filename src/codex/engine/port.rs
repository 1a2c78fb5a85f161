//! A turn at work as Helm sees it: answers, words in between, and its end before its time.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;

use super::Inner;
use super::errors::link_error;
use super::late::revoke;
use super::recover::may_come_back;
use super::run::{AWAY, STOP, Stage, Turning};
use super::slot::Stand;
use super::thread::input;
use crate::codex::link::LinkError;
use crate::model::{Answer, Block, ErrorKind, Happening, ProviderError, Run};

/// A turn that was asked for a moment ago does not know yet that it runs.
const SETTLE: Duration = Duration::from_secs(3);
const LOOK_AGAIN: Duration = Duration::from_millis(100);
const WHILE_AWAY: Duration = Duration::from_secs(1);

#[async_trait]
impl Run for Turning {
    async fn next(&mut self) -> Result<Happening, ProviderError> {
        loop {
            if let Some(next) = self.ready.pop_front() {
                return next;
            }
            self.step().await;
        }
    }

    async fn answer(&mut self, id: &str, answer: Answer) -> Result<(), ProviderError> {
        if let Some((request, answer)) = self.book.answer(id, &answer) {
            self.respond(&request, &answer);
        }
        Ok(())
    }

    async fn steer(&mut self, content: &[Block]) -> Result<(), ProviderError> {
        while matches!(self.stage, Stage::Starting(_)) {
            self.step().await;
        }
        match self.stage {
            Stage::Running => {}
            Stage::Late { .. } | Stage::Away { .. } | Stage::Recovering { .. } => {
                let message = "the turn is not known to run at the Codex app-server at the moment";
                return Err(ProviderError::new(ErrorKind::Network, message).with_hint("say it again in a moment"));
            }
            _ => return Err(ProviderError::new(ErrorKind::InvalidRequest, "the turn has ended already")),
        }
        let turn = self.fold.turn();
        let params = json!({ "threadId": self.thread, "expectedTurnId": turn, "input": input(content) });
        let deadline = Instant::now() + SETTLE;
        loop {
            match self.inner.link().call::<Value>("turn/steer", &params).await {
                Ok(_) => return Ok(()),
                Err(LinkError::Rpc(refusal)) if is_inactive(refusal.message()) && Instant::now() < deadline => {
                    sleep(LOOK_AGAIN).await;
                }
                Err(error) => return Err(link_error("turn/steer", &error)),
            }
        }
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
        let inner = Arc::clone(&self.inner);
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
                    Ok(turn) => stop(&inner, &started.thread, &turn, over).await,
                    Err(_) => revoke(inner, slot, place, started.thread, mark).await,
                }
            });
        } else if self.task.is_some() {
            runtime.spawn(revoke(inner, slot, place, thread, mark));
        } else if !turn.is_empty() {
            runtime.spawn(async move { stop(&inner, &thread, &turn, over).await });
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

/// Until it has worked, the turn is over, or the connection is gone for good.
pub async fn stop(inner: &Inner, thread: &str, turn: &str, over: CancellationToken) {
    let began = Instant::now();
    let attempts = async {
        loop {
            match inner.interrupt(thread, turn).await {
                Err(LinkError::Rpc(refusal)) if is_inactive(refusal.message()) && began.elapsed() < SETTLE => {
                    sleep(LOOK_AGAIN).await;
                }
                Err(error) if may_come_back(&error) => sleep(WHILE_AWAY).await,
                _ => return,
            }
        }
    };
    let _ = over.run_until_cancelled(timeout_at(began + AWAY, attempts)).await;
}

fn is_inactive(refusal: &str) -> bool {
    refusal.starts_with("no active turn")
}
