//! Our own requests that wait for the peer's answer, as a plain value.

use std::collections::HashMap;

use serde_json::value::RawValue;
use tokio::sync::oneshot;

use super::{Id, PeerError};

pub type Answer = Result<Box<RawValue>, PeerError>;

#[derive(Default)]
pub struct Pending {
    next: u64,
    waiting: HashMap<Id, oneshot::Sender<Answer>>,
    /// Once the peer is gone nothing new can wait.
    closed: bool,
}

impl Pending {
    pub fn open(&mut self) -> Result<(Id, oneshot::Receiver<Answer>), PeerError> {
        if self.closed {
            return Err(PeerError::Gone);
        }
        self.next += 1;
        let id = Id::ours(self.next);
        let (sender, receiver) = oneshot::channel();
        self.waiting.insert(id.clone(), sender);
        Ok((id, receiver))
    }

    /// Whether anybody waited for it.
    pub fn settle(&mut self, id: &Id, answer: Answer) -> bool {
        // A waiter that gave up in between has dropped its end.
        self.waiting.remove(id).is_some_and(|waiter| waiter.send(answer).is_ok())
    }

    /// Whether it was still waited for.
    pub fn forget(&mut self, id: &Id) -> bool {
        self.waiting.remove(id).is_some()
    }

    /// All of them fail at once.
    pub fn close(&mut self) {
        self.closed = true;
        for (_, waiter) in self.waiting.drain() {
            let _ = waiter.send(Err(PeerError::Gone));
        }
    }
}
