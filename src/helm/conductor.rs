//! The way in to Helm: takes requests, queues their turns by session, and hands out their outcomes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::approval::Board;
use super::lanes::Lanes;
use super::log::{EventLog, Logs};
use super::request::{Action, Approve, Message, TurnOutcome};
use super::route::Routes;
use super::{Event, HelmError, start};
use crate::sessions::{ActionRow, ActionState, Store, StoreError};
use crate::skills::Registry;

#[derive(Clone, Debug)]
pub struct Settings {
    /// Tokens of history sent with a call, estimated.
    pub history_tokens: u32,
    /// Bytes of a skill's result that the model reads.
    pub tool_result_bytes: usize,
    pub approval_timeout: Duration,
    /// Turns of one session that may wait.
    pub queued_turns: usize,
    /// Events kept of a session.
    pub buffered_events: usize,
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Conductor {
    shared: Arc<Shared>,
}

pub struct Shared {
    pub store: Arc<dyn Store>,
    pub skills: Arc<Registry>,
    pub routes: Routes,
    pub settings: Settings,
    pub logs: Logs,
    lanes: Arc<Lanes>,
    running: Mutex<HashMap<String, Arc<Running>>>,
}

/// The turn that a session is at.
pub struct Running {
    pub session: String,
    pub turn_id: Arc<str>,
    pub cancelled: CancellationToken,
    pub(super) board: Arc<Board>,
    outcome: watch::Sender<Option<Arc<TurnOutcome>>>,
}

/// A turn that was accepted. Dropping it hangs up: the turn is cancelled if nobody else watches.
pub struct TurnHandle {
    pub turn_id: Arc<str>,
    pub log: Arc<EventLog>,
    running: Arc<Running>,
    outcome: watch::Receiver<Option<Arc<TurnOutcome>>>,
    hang_up: bool,
}

impl Conductor {
    /// Reads where each session's events left off.
    pub async fn open(
        store: Arc<dyn Store>,
        skills: Arc<Registry>,
        routes: Routes,
        settings: Settings,
    ) -> Result<Self, StoreError> {
        let logs = Logs::new(settings.buffered_events);
        for session in store.sessions().await? {
            logs.get_or_start(&session.name, session.last_seq);
        }
        let lanes = Arc::new(Lanes::new(settings.queued_turns));
        let shared = Shared { store, skills, routes, settings, logs, lanes, running: Mutex::default() };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Returns once the message is on disk. Its place in the session's queue is that of the first poll.
    pub async fn message(&self, message: Message) -> Result<TurnHandle, HelmError> {
        let chosen = self.shared.routes.choose(&message)?;
        let ticket = self.enter(&message.session, message.queue)?;
        let running = Running::new(&message.session, new_id("turn"));
        let row = start::turn_row(&message, &chosen, &running);
        let beginning = if ticket.is_next() {
            Some(start::keep_and_begin(&self.shared, &row, &message).await?)
        } else {
            start::keep(&self.shared, &row, &message).await?;
            None
        };
        let kept = beginning.as_ref().map(start::Beginning::kept);
        let handle = self.handle(&running);
        let turn = start::message(Arc::clone(&self.shared), Arc::clone(&running), row, message, chosen, beginning);
        let shared = Arc::clone(&self.shared);
        let runs = Arc::clone(&running);
        ticket.run(async move { shared.run(runs, turn).await });
        if let Some(Err(error)) = futures_util::future::OptionFuture::from(kept).await {
            running.cancelled.cancel();
            return Err(error.into());
        }
        Ok(handle)
    }

    /// Decides actions. A turn that is waiting for them takes the decision and goes on; otherwise their turn is taken
    /// up again.
    pub async fn approve(&self, approve: Approve) -> Result<TurnHandle, HelmError> {
        if let Some(running) = self.running(&approve.session) {
            if running.board.decide(&approve.action_ids, &approve.decision) {
                return Ok(self.handle(&running));
            }
        }
        let ticket = self.enter(&approve.session, true)?;
        let (row, actions) = start::decidable(&self.shared, &approve).await?;
        let running = Running::new(&approve.session, row.id.clone());
        let handle = self.handle(&running);
        let shared = Arc::clone(&self.shared);
        ticket.run(async move {
            shared.clone().run(running.clone(), start::approve(shared, running, row, actions, approve)).await;
        });
        Ok(handle)
    }

    /// Whether there was a turn to stop.
    pub fn interrupt(&self, session: &str) -> bool {
        let running = self.running(session);
        if let Some(running) = &running {
            running.cancelled.cancel();
        }
        running.is_some()
    }

    /// Stops all turns and waits for their ends.
    pub async fn stop(&self) {
        for running in self.all_running() {
            running.cancelled.cancel();
            let mut outcome = running.outcome.subscribe();
            // The sender is in `running`, so the channel is open.
            let _ = outcome.wait_for(Option::is_some).await;
        }
    }

    pub fn running(&self, session: &str) -> Option<Arc<Running>> {
        self.shared.running().get(session).cloned()
    }

    pub fn all_running(&self) -> Vec<Arc<Running>> {
        self.shared.running().values().cloned().collect()
    }

    pub fn store(&self) -> &Arc<dyn Store> {
        &self.shared.store
    }

    pub fn skills(&self) -> &Arc<Registry> {
        &self.shared.skills
    }

    pub fn routes(&self) -> &Routes {
        &self.shared.routes
    }

    /// The events of a session. One that does not exist yet begins with its first turn.
    pub fn log(&self, session: &str) -> Arc<EventLog> {
        self.shared.logs.get_or_start(session, 0)
    }

    /// Whether there was a session to delete. A turn that runs in it is stopped first.
    pub async fn delete(&self, session: &str) -> Result<bool, HelmError> {
        let ticket = self.enter(session, true)?;
        self.interrupt(session);
        let (done, deleted) = tokio::sync::oneshot::channel();
        let shared = Arc::clone(&self.shared);
        let name = session.to_owned();
        ticket.run(async move {
            let result = shared.store.delete(&name).await;
            shared.logs.remove(&name);
            // Whoever asked may have left.
            let _ = done.send(result);
        });
        Ok(deleted.await.map_err(|_| HelmError::Lost)??)
    }

    fn enter(&self, session: &str, queue: bool) -> Result<super::lanes::Ticket, HelmError> {
        let session_name = || session.to_owned();
        if !queue && self.shared.lanes.is_busy(session) {
            return Err(HelmError::Busy { session: session_name() });
        }
        self.shared.lanes.enter(session).map_err(|waiting| HelmError::Overloaded { session: session_name(), waiting })
    }

    fn handle(&self, running: &Arc<Running>) -> TurnHandle {
        TurnHandle {
            turn_id: Arc::clone(&running.turn_id),
            log: self.log(&running.session),
            running: Arc::clone(running),
            outcome: running.outcome.subscribe(),
            hang_up: true,
        }
    }
}

impl Shared {
    /// Runs a turn that has its place in the session, and tells its outcome whatever it is.
    async fn run(self: Arc<Self>, running: Arc<Running>, turn: impl Future<Output = TurnOutcome>) {
        self.running().insert(running.session.clone(), Arc::clone(&running));
        let _ended = Ended { shared: &self, running: &running };
        let outcome = Arc::new(turn.await);
        let log = self.logs.get_or_start(&running.session, 0);
        if let Err(error) = outcome.as_ref() {
            tracing::warn!(turn = %running.turn_id, session = %running.session, %error, "a turn failed");
            log.push(&running.turn_id, Event::Error { outcome: Arc::clone(&outcome) });
        }
        // The event first: whoever hears of the outcome may count on having all events.
        log.push(&running.turn_id, Event::LoopDone { outcome: Arc::clone(&outcome) });
        running.outcome.send_replace(Some(outcome));
    }

    fn running(&self) -> MutexGuard<'_, HashMap<String, Arc<Running>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a turn off the list, even if it panicked.
struct Ended<'a> {
    shared: &'a Shared,
    running: &'a Running,
}

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.shared.running().remove(&self.running.session);
        self.running.outcome.send_if_modified(|outcome| {
            let lost = outcome.is_none();
            if lost {
                *outcome = Some(Arc::new(Err(HelmError::Lost)));
            }
            lost
        });
    }
}

impl Running {
    fn new(session: &str, turn_id: String) -> Arc<Self> {
        Arc::new(Self {
            session: session.to_owned(),
            turn_id: turn_id.into(),
            cancelled: CancellationToken::new(),
            board: Arc::default(),
            outcome: watch::channel(None).0,
        })
    }
}

impl TurnHandle {
    /// The end of the turn.
    pub async fn outcome(&mut self) -> Arc<TurnOutcome> {
        let lost = || Arc::new(Err(HelmError::Lost));
        let outcome = match self.outcome.wait_for(Option::is_some).await {
            Ok(outcome) => outcome.clone().unwrap_or_else(lost),
            Err(_) => lost(),
        };
        self.hang_up = false;
        outcome
    }

    pub fn cancel(&self) {
        self.running.cancelled.cancel();
    }

    pub fn is_over(&self) -> bool {
        self.outcome.borrow().is_some()
    }

    /// Whether the turn goes on when the handle is dropped.
    pub fn set_detached(&mut self, detached: bool) {
        self.hang_up = !detached;
    }
}

impl Drop for TurnHandle {
    fn drop(&mut self) {
        if self.hang_up && self.log.readers() == 0 {
            self.running.cancelled.cancel();
        }
    }
}

/// Unique, short, and sorted by nothing in particular.
pub fn new_id(prefix: &str) -> String {
    let id = uuid::Uuid::new_v4().simple().to_string();
    format!("{prefix}_{}", &id[..20])
}

pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    super::runner::millis(since)
}

pub fn action_of(action: &Action, session: &str, turn_id: &str, state: ActionState) -> ActionRow {
    ActionRow {
        id: action.id.clone(),
        session: session.to_owned(),
        turn_id: turn_id.to_owned(),
        skill: action.skill.clone(),
        input: action.input.clone(),
        tool_use_id: action.tool_use_id.clone(),
        reason: action.reason.clone(),
        dangerous: action.dangerous,
        state,
        created_at: now_ms(),
    }
}
