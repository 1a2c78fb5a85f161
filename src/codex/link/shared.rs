//! What the handles of a link and the task that drives it share: what is to go out, and how the link stands.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use futures_util::task::AtomicWaker;
use serde_json::value::RawValue;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::pending::{Outcome, Pending};
use super::{Fault, FaultKind, LinkError, Server, State, Status};
use crate::rpc::Id;

/// Of the questions of the app-server that may still be answered; of more, the oldest are let go.
const MAX_OPEN: usize = 1024;

pub(super) struct Shared {
    inner: Mutex<Inner>,
    /// Of the task that drives the link.
    driver: AtomicWaker,
    changes: watch::Sender<State>,
    numbers: AtomicU64,
    /// Fires when the driver has ended.
    pub ended: CancellationToken,
}

struct Inner {
    pending: Pending,
    status: Status,
    initialized: Option<Arc<RawValue>>,
    /// What the server has asked over this connection. Another process may give the same ids to other questions.
    open: VecDeque<Id>,
    orders: Orders,
}

/// What was asked of the driver since it last looked.
#[derive(Default)]
pub(super) struct Orders {
    pub wanted: bool,
    pub again: bool,
    pub close: bool,
}

/// How the link stands, as far as the driver knows.
pub(super) struct Standing {
    pub state: State,
    pub fault: Option<Arc<Fault>>,
    pub retry_at: Option<SystemTime>,
    pub pid: Option<u32>,
}

impl Shared {
    pub(super) fn new() -> Self {
        let status = Status {
            state: State::Cold,
            since: SystemTime::now(),
            server: None,
            fault: None,
            retry_at: None,
            connects: 0,
            in_flight: 0,
            waiting: 0,
            pid: None,
        };
        Self {
            inner: Mutex::new(Inner {
                pending: Pending::default(),
                status,
                initialized: None,
                open: VecDeque::new(),
                orders: Orders::default(),
            }),
            driver: AtomicWaker::new(),
            changes: watch::channel(State::Cold).0,
            numbers: AtomicU64::new(1),
            ended: CancellationToken::new(),
        }
    }

    pub(super) fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// Puts a request in the queue, unless there is no use in waiting.
    pub(super) fn ask(&self, number: u64, frame: String) -> Result<oneshot::Receiver<Outcome>, LinkError> {
        let mut inner = self.lock();
        if matches!(inner.status.state, State::Refused | State::Draining) {
            return Err(LinkError::Down(inner.status.fault.clone().unwrap_or_else(closing)));
        }
        let answer = inner.pending.ask(number, frame)?;
        inner.orders.wanted = true;
        drop(inner);
        self.driver.wake();
        Ok(answer)
    }

    /// An answer goes over the connection over which it was asked for, once.
    pub(super) fn answer(&self, id: &Id, frame: String) -> bool {
        let mut inner = self.lock();
        let Some(at) = inner.open.iter().position(|open| open == id) else { return false };
        let said = inner.pending.say(frame);
        if said {
            inner.open.remove(at);
        }
        drop(inner);
        self.driver.wake();
        said
    }

    pub(super) fn order(&self, order: impl FnOnce(&mut Orders)) {
        order(&mut self.lock().orders);
        self.driver.wake();
    }

    /// Whether it was still waiting for its turn, and why there is no connection.
    pub(super) fn forget(&self, number: u64) -> (bool, Option<Arc<Fault>>) {
        let mut inner = self.lock();
        let waited = inner.pending.forget(number);
        let fault = inner.status.fault.clone().filter(|_| inner.status.state != State::Ready);
        drop(inner);
        // A place may have become free.
        self.driver.wake();
        (waited, fault)
    }

    pub(super) fn status(&self) -> Status {
        let inner = self.lock();
        let (in_flight, waiting) = (inner.pending.in_flight(), inner.pending.waiting());
        Status { in_flight, waiting, ..inner.status.clone() }
    }

    pub(super) fn changes(&self) -> watch::Receiver<State> {
        self.changes.subscribe()
    }

    pub(super) fn initialized(&self) -> Option<Arc<RawValue>> {
        self.lock().initialized.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The driver's side.
impl Shared {
    pub(super) fn listen(&self, waker: &std::task::Waker) -> Orders {
        self.driver.register(waker);
        std::mem::take(&mut self.lock().orders)
    }

    pub(super) fn next(&self) -> Option<(Option<u64>, String)> {
        self.lock().pending.next()
    }

    pub(super) fn forgotten(&self) -> Vec<u64> {
        self.lock().pending.take_forgotten()
    }

    pub(super) fn is_idle(&self) -> bool {
        self.lock().pending.is_idle()
    }

    pub(super) fn settle(&self, number: u64, outcome: Outcome) -> bool {
        self.lock().pending.settle(number, outcome)
    }

    pub(super) fn asked(&self, id: &Id) {
        let mut inner = self.lock();
        inner.open.retain(|open| open != id);
        if inner.open.len() == MAX_OPEN {
            inner.open.pop_front();
        }
        inner.open.push_back(id.clone());
    }

    /// The server has said who it is.
    pub(super) fn greeted(&self, server: Arc<Server>, result: Option<Arc<RawValue>>) {
        let mut inner = self.lock();
        inner.status.server = Some(server);
        inner.status.connects += 1;
        inner.initialized = result;
    }

    /// In one step with what it means for those who wait: nobody is put in a queue that nobody serves.
    pub(super) fn stand(&self, standing: Standing, lost: Option<&Arc<Fault>>) {
        let Standing { state, fault, retry_at, pid } = standing;
        let mut inner = self.lock();
        let Inner { pending, status, open, .. } = &mut *inner;
        let is_new = status.state != state;
        if is_new {
            status.since = SystemTime::now();
        }
        (status.state, status.fault, status.retry_at, status.pid) = (state, fault, retry_at, pid);
        if let Some(fault) = lost {
            pending.fail(fault);
            open.clear();
        }
        if is_new && state == State::Draining {
            pending.drain(&closing());
        }
        drop(inner);
        if is_new {
            self.changes.send_replace(state);
        }
    }
}

pub(super) fn closing() -> Arc<Fault> {
    Arc::new(Fault::new(FaultKind::Closed, "the connection to the Codex app-server is being closed"))
}
