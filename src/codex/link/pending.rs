//! What goes out and what is waited for, as a plain value: requests in the order in which they were asked, no more than
//! so many of them in flight, and before them what is only said.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use serde_json::value::RawValue;
use tokio::sync::oneshot;

use super::{Fault, LinkError};

/// The app-server's own queue overflows at twice as many.
pub(super) const MAX_IN_FLIGHT: usize = 64;
pub(super) const MAX_WAITING: usize = 4096;
/// Answers and notifications that the connection has not taken yet.
const MAX_SAID: usize = 1024;
/// Of everything that has not gone out.
const MAX_BYTES: usize = 256 * 1024 * 1024;

pub(super) type Outcome = Result<Box<RawValue>, LinkError>;

#[derive(Default)]
pub(super) struct Pending {
    /// By their numbers, which grow.
    waiting: BTreeMap<u64, Asked>,
    in_flight: HashMap<u64, oneshot::Sender<Outcome>>,
    said: VecDeque<String>,
    bytes: usize,
    /// In flight, but nobody waits for them any more; until the driver has heard of it.
    forgotten: Vec<u64>,
    /// Nothing goes in flight any more.
    draining: bool,
}

struct Asked {
    frame: String,
    waiter: oneshot::Sender<Outcome>,
}

impl Pending {
    /// The answer comes through the receiver, unless the number is forgotten before.
    pub(super) fn ask(&mut self, number: u64, frame: String) -> Result<oneshot::Receiver<Outcome>, LinkError> {
        if self.waiting.len() >= MAX_WAITING || self.bytes + frame.len() > MAX_BYTES {
            return Err(LinkError::Overloaded { waiting: self.waiting.len() });
        }
        let (waiter, answer) = oneshot::channel();
        self.bytes += frame.len();
        self.waiting.insert(number, Asked { frame, waiter });
        Ok(answer)
    }

    /// Whether there was room for it.
    pub(super) fn say(&mut self, frame: String) -> bool {
        let fits = self.said.len() < MAX_SAID && self.bytes + frame.len() <= MAX_BYTES;
        if fits {
            self.bytes += frame.len();
            self.said.push_back(frame);
        }
        fits
    }

    /// The next to go out; a request comes with its number.
    pub(super) fn next(&mut self) -> Option<(Option<u64>, String)> {
        if let Some(frame) = self.said.pop_front() {
            self.bytes -= frame.len();
            return Some((None, frame));
        }
        if self.in_flight.len() >= MAX_IN_FLIGHT || self.draining {
            return None;
        }
        let (number, Asked { frame, waiter }) = self.waiting.pop_first()?;
        self.bytes -= frame.len();
        self.in_flight.insert(number, waiter);
        Some((Some(number), frame))
    }

    /// Whether anybody waited for it.
    pub(super) fn settle(&mut self, number: u64, outcome: Outcome) -> bool {
        // A waiter that gave up in between has dropped its end.
        self.in_flight.remove(&number).is_some_and(|waiter| waiter.send(outcome).is_ok())
    }

    /// Whether it was still waiting for its turn.
    pub(super) fn forget(&mut self, number: u64) -> bool {
        let asked = self.waiting.remove(&number);
        self.bytes -= asked.as_ref().map_or(0, |asked| asked.frame.len());
        if self.in_flight.remove(&number).is_some() {
            self.forgotten.push(number);
        }
        asked.is_some()
    }

    pub(super) fn take_forgotten(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.forgotten)
    }

    /// There is no connection: what was sent may have been done, what was not sent was not.
    pub(super) fn fail(&mut self, fault: &Arc<Fault>) {
        for (_, waiter) in self.in_flight.drain() {
            let _ = waiter.send(Err(LinkError::Lost(fault.clone())));
        }
        self.fail_waiting(fault);
        self.said.clear();
        self.bytes = 0;
    }

    /// From now on what is in flight is all there is.
    pub(super) fn drain(&mut self, fault: &Arc<Fault>) {
        self.draining = true;
        self.fail_waiting(fault);
    }

    fn fail_waiting(&mut self, fault: &Arc<Fault>) {
        for (_, asked) in std::mem::take(&mut self.waiting) {
            self.bytes -= asked.frame.len();
            let _ = asked.waiter.send(Err(LinkError::Down(fault.clone())));
        }
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Whether everything that was begun has ended.
    pub(super) fn is_idle(&self) -> bool {
        self.in_flight.is_empty() && self.said.is_empty()
    }
}
