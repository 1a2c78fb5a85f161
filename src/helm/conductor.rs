//! The way in to Helm: takes requests, queues their turns by session, and hands out their outcomes.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::approval::{Board, Decided};
use super::lanes::{Lanes, Ticket};
use super::log::{EventLog, Logs};
use super::request::{Action, Approve, Message, TurnOutcome};
use super::route::Routes;
use super::{Event, HelmError, start};
use crate::sessions::{ActionRow, ActionState, Store, TurnRow, Write};
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
    /// Fires when its time in the lane has come.
    begun: CancellationToken,
    /// Taken by whoever brings it to its end: its place in the lane, or its cancellation while it waits.
    claimed: AtomicBool,
    /// Those who wait for its outcome.
    handles: AtomicUsize,
    /// Somebody wants it to end by itself.
    detached: AtomicBool,
}

/// A turn that was accepted. Dropping the last one hangs up: the turn is cancelled if nobody watches its session.
pub struct TurnHandle {
    pub turn_id: Arc<str>,
    log: Arc<EventLog>,
    running: Arc<Running>,
    outcome: watch::Receiver<Option<Arc<TurnOutcome>>>,
}

impl Conductor {
    /// Reads where each session's events left off, if the store can be read now.
    pub async fn open(store: Arc<dyn Store>, skills: Arc<Registry>, routes: Routes, settings: Settings) -> Self {
        let logs = Logs::new(settings.buffered_events);
        for session in store.sessions().await.unwrap_or_default() {
            logs.get_or_start(&session.name, session.last_seq);
        }
        let lanes = Arc::new(Lanes::new(settings.queued_turns));
        let shared = Shared { store, skills, routes, settings, logs, lanes, running: Mutex::default() };
        Self { shared: Arc::new(shared) }
    }

    /// Returns once the message is on disk. Its place in the session's queue is that of the first poll.
    pub async fn message(&self, message: Message) -> Result<TurnHandle, HelmError> {
        let chosen = self.shared.routes.choose(&message)?;
        let ticket = self.enter(&message.session, message.queue)?;
        let running = Running::new(&message.session, new_id("turn"));
        let row = start::turn_row(&message, &chosen, &running);
        let context = start::keep(&self.shared, &row, &message, !ticket.waits).await?;
        let handle = self.handle(&running);
        let turn =
            start::message(Arc::clone(&self.shared), Arc::clone(&running), row.clone(), message, chosen, context);
        self.begin(ticket, running, row, turn);
        Ok(handle)
    }

    /// Decides actions. A turn that is waiting for them takes the decision and goes on; otherwise their turn is taken
    /// up again.
    pub async fn approve(&self, approve: Approve) -> Result<TurnHandle, HelmError> {
        if let Some(running) = self.running(&approve.session) {
            let Approve { action_ids: ids, decision, resume, .. } = approve.clone();
            let handle = self.handle(&running);
            if running.board.decide(Decided { ids, decision, resume }) {
                return Ok(handle);
            }
        }
        let ticket = self.enter(&approve.session, true)?;
        let (row, actions) = start::decidable(&self.shared, &approve).await?;
        let running = Running::new(&approve.session, row.id.clone());
        let handle = self.handle(&running);
        let turn = start::approve(Arc::clone(&self.shared), Arc::clone(&running), row.clone(), actions, approve);
        self.begin(ticket, running, row, turn);
        Ok(handle)
    }

    /// Runs the turn when its time comes, unless it is cancelled before.
    fn begin(
        &self,
        ticket: Ticket,
        running: Arc<Running>,
        row: TurnRow,
        turn: impl Future<Output = TurnOutcome> + Send + 'static,
    ) {
        if ticket.waits {
            tokio::spawn(Arc::clone(&self.shared).give_up_when_cancelled(Arc::clone(&running), row));
        }
        let shared = Arc::clone(&self.shared);
        ticket.run(async move {
            running.begun.cancel();
            if running.claim() {
                shared.run(running, turn).await;
            } else {
                shared.tell_late(&running).await;
            }
        });
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

    fn enter(&self, session: &str, queue: bool) -> Result<Ticket, HelmError> {
        let session_name = || session.to_owned();
        if !queue && self.shared.lanes.is_busy(session) {
            return Err(HelmError::Busy { session: session_name() });
        }
        self.shared.lanes.enter(session).map_err(|waiting| HelmError::Overloaded { session: session_name(), waiting })
    }

    fn handle(&self, running: &Arc<Running>) -> TurnHandle {
        running.handles.fetch_add(1, Ordering::Relaxed);
        TurnHandle {
            turn_id: Arc::clone(&running.turn_id),
            log: self.log(&running.session),
            running: Arc::clone(running),
            outcome: running.outcome.subscribe(),
        }
    }
}

impl Shared {
    /// Runs a turn that has its place in the session, and tells its outcome whatever it is.
    async fn run(self: Arc<Self>, running: Arc<Running>, turn: impl Future<Output = TurnOutcome>) {
        self.running().insert(running.session.clone(), Arc::clone(&running));
        let _ended = Ended { shared: &self, running: &running };
        let outcome = turn.await;
        self.tell(&running, outcome);
    }

    /// A turn that is cancelled while it waits never runs. Whoever waits for it is told at once.
    async fn give_up_when_cancelled(self: Arc<Self>, running: Arc<Running>, row: TurnRow) {
        tokio::select! {
            biased;
            () = running.begun.cancelled() => return,
            () = running.cancelled.cancelled() => {}
        }
        if running.claim() {
            let outcome = start::never_ran(Arc::clone(&self), &running, row).await;
            running.outcome.send_replace(Some(Arc::new(outcome)));
        }
    }

    /// Its event comes in its turn: whoever streams the one before finds no hole.
    async fn tell_late(&self, running: &Running) {
        let mut outcome = running.outcome.subscribe();
        // The sender is in `running`, so the channel is open.
        let Ok(Some(outcome)) = outcome.wait_for(Option::is_some).await.map(|outcome| outcome.clone()) else { return };
        let log = self.logs.get_or_start(&running.session, 0);
        let seq = Write::LastSeq { session: running.session.clone(), seq: log.last_seq() + 1 };
        if let Err(error) = self.store.write(vec![seq]).await {
            tracing::error!(%error, turn = %running.turn_id, "the end of a cancelled turn could not be written");
        }
        log.push(&running.turn_id, Event::LoopDone { outcome });
    }

    fn tell(&self, running: &Running, outcome: TurnOutcome) {
        let outcome = Arc::new(outcome);
        let log = self.logs.get_or_start(&running.session, 0);
        if let Err(error) = outcome.as_ref() {
            tracing::warn!(turn = %running.turn_id, session = %running.session, %error, "a turn failed");
            log.push(&running.turn_id, Event::Error { outcome: Arc::clone(&outcome) });
        }
        // The event first: whoever hears of the outcome may count on having all events.
        log.push(&running.turn_id, Event::LoopDone { outcome: Arc::clone(&outcome) });
        self.logs.ended(&running.session);
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
            begun: CancellationToken::new(),
            claimed: AtomicBool::new(false),
            handles: AtomicUsize::new(0),
            detached: AtomicBool::new(false),
        })
    }

    /// True for the first to ask.
    fn claim(&self) -> bool {
        !self.claimed.swap(true, Ordering::Relaxed)
    }
}

impl TurnHandle {
    /// The end of the turn.
    pub async fn outcome(&mut self) -> Arc<TurnOutcome> {
        let lost = || Arc::new(Err(HelmError::Lost));
        match self.outcome.wait_for(Option::is_some).await {
            Ok(outcome) => outcome.clone().unwrap_or_else(lost),
            Err(_) => lost(),
        }
    }

    /// Returns when the turn is over.
    pub async fn over(&self) {
        // The sender is in `running`, so the channel is open.
        let _ = self.outcome.clone().wait_for(Option::is_some).await;
    }

    pub fn cancel(&self) {
        self.running.cancelled.cancel();
    }

    /// The turn goes on when nobody waits for it.
    pub fn detach(&self) {
        self.running.detached.store(true, Ordering::Relaxed);
    }
}

impl Drop for TurnHandle {
    fn drop(&mut self) {
        let last = self.running.handles.fetch_sub(1, Ordering::Relaxed) == 1;
        if last && !self.running.detached.load(Ordering::Relaxed) && self.log.watchers() == 0 {
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
