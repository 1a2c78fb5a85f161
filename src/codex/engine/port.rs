//! A turn at work as Helm sees it: answers, words in between, and its end before its time.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::errors::link_error;
use super::run::{STOP, Stage, Turning};
use super::stop::{LOOK_AGAIN, SETTLE, is_inactive, stop};
use super::thread::input;
use crate::codex::link::LinkError;
use crate::model::{Answer, Block, ErrorKind, Happening, ProviderError, Run};

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
            Stage::Away { .. } | Stage::Recovering { .. } => {
                let message = "the connection to the Codex app-server is away";
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
            Stage::Starting(_) | Stage::Away { .. } | Stage::Recovering { .. } => {
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
    fn stop(&mut self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let link = self.inner.link().clone();
        let over = self.over.clone();
        let (thread, turn) = (self.thread.clone(), self.fold.turn().to_owned());
        if let Stage::Starting(starting) = &mut self.stage {
            let nothing = Box::pin(async { Err(ProviderError::new(ErrorKind::Protocol, "the turn was given up")) });
            let starting = std::mem::replace(starting, nothing);
            let slot = Arc::clone(&self.slot);
            runtime.spawn(async move {
                let started = starting.await;
                slot.leave(false);
                if let Ok(started) = started
                    && let Some(turn) = started.turn
                {
                    stop(&link, &started.thread, &turn, over).await;
                }
            });
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
        self.slot.leave(false);
    }
}
