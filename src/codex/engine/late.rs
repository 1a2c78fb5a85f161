//! A turn that was asked for and not confirmed. While it may still come, no other one is started in its place; and once
//! nobody wants it any more, it is stopped if it comes.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::Inner;
use super::errors::fault_error;
use super::recover::{Found, Sought, is_passing, recover};
use super::run::{AWAY, Stage, Turning};
use super::slot::{Slot, Stand};
use super::stop::stop;
use super::wire::TurnStatus;
use crate::codex::link::Heard;
use crate::model::{ErrorKind, Place, ProviderError};

/// How long it is waited for.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// No answer came in time.
pub struct Late {
    /// The connection that it was asked for on: what has not begun when that breaks never will.
    pub connection: u64,
    pub until: Instant,
    /// The connection that was up when it was looked for last, if one was.
    pub looked: Option<u64>,
}

impl Late {
    pub fn new(connection: u64) -> Self {
        Self { connection, until: Instant::now() + PATIENCE, looked: None }
    }

    /// After it was looked for and not found.
    pub fn may_come(&self) -> bool {
        self.looked.is_none_or(|looked| looked == self.connection)
    }
}

impl Turning {
    /// It has not been found, or nobody could say.
    pub(super) fn look_later(&mut self) {
        let at = Instant::now() + LOOK_AGAIN;
        if self.late.as_ref().is_some_and(|late| at <= late.until) {
            self.stage = Stage::Late { at };
            return;
        }
        let message = "the Codex app-server has not confirmed the turn in time, and is not known to have begun it";
        let error = ProviderError::new(ErrorKind::Timeout, message);
        self.stop();
        self.fail(error.with_hint("see whether it is overloaded, and say it again in a moment"), Stand::Left);
    }

    /// Until it shows, or it is time to look.
    pub(super) async fn wait_for_late(&mut self, at: Instant) {
        let Some(following) = &mut self.following else { return self.look() };
        tokio::select! {
            biased;
            heard = following.next() => match heard {
                Some(Heard::Notification { method, .. }) if &*method == "turn/started" => {
                    self.recover(Instant::now() + AWAY);
                }
                Some(Heard::Down(fault)) if is_passing(&fault) => {
                    self.stage = Stage::Away { until: Instant::now() + AWAY };
                }
                Some(Heard::Down(fault)) => self.fail(fault_error(&fault), Stand::Left),
                Some(_) => {}
                None => self.look(),
            },
            () = sleep_until(at) => self.recover(Instant::now() + AWAY),
        }
    }
}

/// Stops the turn with this mark should it come, until another one is begun.
pub async fn revoke(inner: Arc<Inner>, slot: Arc<Slot>, place: Place, thread: String, mark: String) {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        sleep(LOOK_AGAIN).await;
        if slot.stand() != Stand::Left {
            return;
        }
        let sought = Sought::Mark(mark.clone());
        if let Ok(Found::Turn(turn, _)) = recover(Arc::clone(&inner), Arc::clone(&slot), place.clone(), sought).await {
            if turn.status == TurnStatus::InProgress {
                stop(inner.link(), &thread, &turn.id, CancellationToken::new()).await;
            }
            return;
        }
    }
}
