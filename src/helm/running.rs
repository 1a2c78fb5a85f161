//! A turn between its acceptance and its end, and the handles by which it is waited for.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::HelmError;
use super::approval::Board;
use super::log::EventLog;
use super::request::TurnOutcome;
use crate::model::Block;
use crate::sessions::TurnSettings;

/// What may be said to a running turn and has not been heard yet.
const STEERS: usize = 16;

/// Something said to a turn while it runs.
pub struct Steer {
    pub content: Vec<Block>,
    /// Told when that is known; dropped if the turn does not take it.
    pub heard: oneshot::Sender<Said>,
}

/// What became of something that was said to a running turn.
#[derive(Debug)]
pub enum Said {
    /// It is on disk as part of the turn.
    Taken,
    NotTaken,
    /// Nobody knows, for this reason.
    Unsure(String),
}

pub struct Running {
    pub session: String,
    pub turn_id: Arc<str>,
    pub cancelled: CancellationToken,
    pub(super) board: Arc<Board>,
    outcome: watch::Sender<Option<Arc<TurnOutcome>>>,
    /// Fires when its time in the lane has come.
    pub(super) begun: CancellationToken,
    /// Taken by whoever brings it to its end: its place in the lane, or its cancellation while it waits.
    claimed: AtomicBool,
    /// Those who wait for its outcome.
    handles: AtomicUsize,
    /// Somebody wants it to end by itself.
    detached: AtomicBool,
    /// It was cancelled for want of somebody who waits for it, and not because somebody said so.
    given_up: AtomicBool,
    settings: OnceLock<TurnSettings>,
    steer: mpsc::Sender<Steer>,
    /// Until the turn listens.
    steers: Mutex<Option<mpsc::Receiver<Steer>>>,
}

impl Running {
    pub(super) fn new(session: &str, turn_id: String) -> Arc<Self> {
        Self::stopped_by(session, turn_id, CancellationToken::new())
    }

    pub(super) fn stopped_by(session: &str, turn_id: String, cancelled: CancellationToken) -> Arc<Self> {
        let (steer, steers) = mpsc::channel(STEERS);
        Arc::new(Self {
            session: session.to_owned(),
            turn_id: turn_id.into(),
            cancelled,
            board: Arc::default(),
            outcome: watch::channel(None).0,
            begun: CancellationToken::new(),
            claimed: AtomicBool::new(false),
            handles: AtomicUsize::new(0),
            detached: AtomicBool::new(false),
            given_up: AtomicBool::new(false),
            settings: OnceLock::new(),
            steer,
            steers: Mutex::new(Some(steers)),
        })
    }

    /// Stops it because nobody is there for it any more.
    pub(super) fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
        self.cancelled.cancel();
    }

    pub(super) fn is_given_up(&self) -> bool {
        self.given_up.load(Ordering::Relaxed)
    }

    /// What is said to it from now on, or was before; the turn that lets go of it takes no more.
    pub(super) fn listen(&self) -> Option<mpsc::Receiver<Steer>> {
        self.steers.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Says something to it. Waits until it is known what became of it.
    pub(super) async fn steer(&self, content: Vec<Block>) -> Said {
        let (heard, told) = oneshot::channel();
        if self.steer.try_send(Steer { content, heard }).is_err() {
            return Said::NotTaken;
        }
        tokio::select! {
            biased;
            told = told => told.unwrap_or(Said::NotTaken),
            // One that never ran listened to nobody.
            _ = self.outcome() => Said::NotTaken,
        }
    }

    /// What it was asked to be, before anything is said to it.
    pub(super) fn settle(&self, settings: &TurnSettings) {
        let _ = self.settings.set(settings.clone());
    }

    /// None until that is known.
    pub(super) fn settings(&self) -> Option<&TurnSettings> {
        self.settings.get()
    }

    /// True for the first to ask.
    pub(super) fn claim(&self) -> bool {
        !self.claimed.swap(true, Ordering::Relaxed)
    }

    /// True if it had not ended before.
    pub(super) fn ended(&self, outcome: Arc<TurnOutcome>) -> bool {
        self.outcome.send_if_modified(|known| {
            let first = known.is_none();
            if first {
                *known = Some(outcome);
            }
            first
        })
    }

    pub(super) fn is_over(&self) -> bool {
        self.outcome.borrow().is_some()
    }

    /// Waits for the end of the turn.
    pub(super) async fn outcome(&self) -> Arc<TurnOutcome> {
        whole(self.outcome.subscribe()).await
    }
}

async fn whole(mut outcome: watch::Receiver<Option<Arc<TurnOutcome>>>) -> Arc<TurnOutcome> {
    let lost = || Arc::new(Err(HelmError::Lost));
    match outcome.wait_for(Option::is_some).await {
        Ok(outcome) => outcome.clone().unwrap_or_else(lost),
        Err(_) => lost(),
    }
}

/// The turns of all sessions that were accepted and have not ended, in the order in which they take place.
#[derive(Default)]
pub struct Turns {
    by_session: Mutex<HashMap<String, VecDeque<Arc<Running>>>>,
}

/// Takes its turn off the list when it is dropped, however the turn ended or if it never began.
pub struct Listed {
    turns: Arc<Turns>,
    pub running: Arc<Running>,
}

impl Turns {
    pub fn list(self: &Arc<Self>, running: Arc<Running>) -> Listed {
        self.map().entry(running.session.clone()).or_default().push_back(Arc::clone(&running));
        Listed { turns: Arc::clone(self), running }
    }

    /// Before the turn's end is told, so that nobody who has heard of it finds it here.
    pub fn remove(&self, ended: &Running) {
        let mut map = self.map();
        if let Some(turns) = map.get_mut(&ended.session) {
            turns.retain(|running| !std::ptr::eq(&**running, ended));
            if turns.is_empty() {
                map.remove(&ended.session);
            }
        }
    }

    /// The turn that the session is at.
    pub fn first(&self, session: &str) -> Option<Arc<Running>> {
        self.map().get(session).and_then(VecDeque::front).cloned()
    }

    /// The turn that each session is at.
    pub fn firsts(&self) -> Vec<Arc<Running>> {
        self.map().values().filter_map(VecDeque::front).cloned().collect()
    }

    pub fn counts(&self) -> Vec<(String, usize)> {
        self.map().iter().map(|(session, turns)| (session.clone(), turns.len())).collect()
    }

    pub fn all(&self) -> Vec<Arc<Running>> {
        self.map().values().flatten().cloned().collect()
    }

    fn map(&self) -> MutexGuard<'_, HashMap<String, VecDeque<Arc<Running>>>> {
        self.by_session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listed {
    /// The turn whose place was taken before it was known which one it is. Whoever stopped it then has stopped it.
    pub fn known(mut self, turn_id: String) -> Self {
        let running = Running::stopped_by(&self.running.session, turn_id, self.running.cancelled.clone());
        let mut map = self.turns.map();
        let mut places = map.get_mut(&self.running.session).into_iter().flatten();
        if let Some(place) = places.find(|place| Arc::ptr_eq(place, &self.running)) {
            *place = Arc::clone(&running);
        }
        drop(map);
        self.running.ended(Arc::new(Err(HelmError::Lost)));
        self.running = running;
        self
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.turns.remove(&self.running);
    }
}

/// Somebody who waits for a turn. When the last of those who started it is dropped, and nobody watches the session,
/// the turn is cancelled.
pub struct TurnHandle {
    pub turn_id: Arc<str>,
    log: Arc<EventLog>,
    running: Arc<Running>,
    outcome: watch::Receiver<Option<Arc<TurnOutcome>>>,
    /// Whether the turn is this one's to cancel, or it only looks on.
    owner: bool,
}

impl TurnHandle {
    pub(super) fn new(running: &Arc<Running>, log: Arc<EventLog>, owner: bool) -> Self {
        running.handles.fetch_add(1, Ordering::Relaxed);
        let outcome = running.outcome.subscribe();
        Self { turn_id: Arc::clone(&running.turn_id), log, running: Arc::clone(running), outcome, owner }
    }

    /// The end of the turn.
    pub async fn outcome(&mut self) -> Arc<TurnOutcome> {
        whole(self.outcome.clone()).await
    }

    /// Returns when the turn is over.
    pub async fn over(&self) {
        whole(self.outcome.clone()).await;
    }

    /// Stops the turn, if it is this one's to stop.
    pub fn cancel(&self) {
        if self.owner {
            self.running.cancelled.cancel();
        }
    }

    /// The turn goes on when nobody waits for it.
    pub fn detach(&self) {
        if self.owner {
            self.running.detached.store(true, Ordering::Relaxed);
        }
    }
}

impl Drop for TurnHandle {
    fn drop(&mut self) {
        let last = self.running.handles.fetch_sub(1, Ordering::Relaxed) == 1;
        if last && !self.running.detached.load(Ordering::Relaxed) && self.log.watchers() == 0 {
            self.running.give_up();
        }
    }
}
