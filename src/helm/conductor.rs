//! The way in to Helm: takes requests, queues their turns by session, and hands out their outcomes.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::approval::Decided;
use super::id::{new_id, now_ms};
use super::lanes::{Lanes, Refused, Ticket};
use super::log::{Counts, EventLog, Logs};
use super::places::Places;
use super::request::{Action, Approve, Message, TurnOutcome};
use super::route::{Chosen, Routes};
use super::running::{Listed, Running, Said, TurnHandle, Turns};
use super::setup::{Settings, Setup};
use super::warm::{self, Warming};
use super::{Decision, Event, HelmError, history, start};
use crate::sessions::{ActionRow, ActionState, Store, TurnRow, Write};
use crate::skills::{Offers, Registry};

/// Cheap to clone.
#[derive(Clone)]
pub struct Conductor {
    pub(super) shared: Arc<Shared>,
}

pub struct Shared {
    pub store: Arc<dyn Store>,
    setup: RwLock<Arc<Setup>>,
    /// Locked before the setup, whose skills are made of them.
    pub(super) offers: Mutex<Offers>,
    pub logs: Logs,
    pub warming: Warming,
    pub places: Places,
    lanes: Arc<Lanes>,
    turns: Arc<Turns>,
}

/// Where the events of a session go on counting whose process died in the midst of a turn: no client has seen a number
/// beyond, so one that comes back hears that it must read the session anew.
const AFTER_A_CRASH: u64 = 1_000_000;

impl Conductor {
    /// Reads where each session's events left off, if the store can be read now.
    pub async fn open(store: Arc<dyn Store>, skills: Arc<Registry>, routes: Routes, settings: Settings) -> Self {
        let logs = Logs::new(settings.buffered_events);
        for session in store.sessions().await.unwrap_or_default() {
            let crashed = if session.interrupted { AFTER_A_CRASH } else { 0 };
            logs.get_or_start(&session.name, session.last_seq + crashed);
        }
        let lanes = Arc::new(Lanes::new(settings.queued_turns));
        let (warming, places, turns) = Default::default();
        let offers = Mutex::new(Offers::new(Arc::clone(&skills)));
        let setup = RwLock::new(Arc::new(Setup { skills, routes, settings }));
        let shared = Shared { store, setup, offers, logs, warming, places, lanes, turns };
        Self { shared: Arc::new(shared) }
    }

    /// Returns once the message is on disk. Its place in the session's queue is that of the first poll.
    /// What is meant for the turn that runs becomes part of that, if it takes it.
    pub async fn message(&self, message: Message) -> Result<TurnHandle, HelmError> {
        let setup = self.shared.setup_for(&message.place);
        let chosen = setup.routes.choose(&message)?;
        check_thread(&message, &chosen)?;
        if let Some(running) = self.running(&message.session).filter(|running| steers(&message, &chosen, running)) {
            match running.steer(message.content.clone()).await {
                Said::Taken => return Ok(self.handle(&running, false)),
                Said::NotTaken => {}
                Said::Unsure(why) => return Err(HelmError::Unheard { why }),
            }
        }
        let ticket = self.enter(&message.session, message.queue)?;
        let running = Running::new(&message.session, new_id("turn"));
        // On the list before the first wait, so that an interrupt that comes next finds it.
        let listed = self.shared.turns.list(Arc::clone(&running));
        let row = start::turn_row(&message, &chosen, &running);
        running.settle(&row.settings);
        let context = start::keep(&self.shared, &row, &message, !ticket.waits).await?;
        let handle = self.handle(&running, true);
        let turn = start::message(Arc::clone(&self.shared), running, row.clone(), message, (setup, chosen), context);
        self.begin(ticket, listed, row, turn);
        Ok(handle)
    }

    /// Decides actions. A turn that is waiting for them takes the decision and goes on; otherwise their turn is taken
    /// up again.
    pub async fn approve(&self, approve: Approve) -> Result<TurnHandle, HelmError> {
        let Approve { action_ids: ids, decision, resume, .. } = approve.clone();
        // Before anything is decided.
        if matches!(decision, Decision::Approve(Some(_))) {
            start::check_input(&self.shared, &approve).await?;
        }
        let decided = Decided { ids, decision, resume };
        if let Some(running) = self.running(&approve.session).filter(|running| running.board.decide(&decided)) {
            return Ok(self.handle(&running, false));
        }
        let ticket = self.enter(&approve.session, true)?;
        let listed = self.shared.turns.list(Running::new(&approve.session, String::new()));
        let (row, actions) = start::decidable(&self.shared, &approve).await?;
        let listed = listed.known(row.id.clone());
        let running = Arc::clone(&listed.running);
        running.settle(&row.settings);
        let handle = self.handle(&running, true);
        let turn = start::approve(Arc::clone(&self.shared), running, row.clone(), actions, approve);
        self.begin(ticket, listed, row, turn);
        Ok(handle)
    }

    /// Runs the turn when its time comes, unless it is cancelled before.
    fn begin(
        &self,
        ticket: Ticket,
        listed: Listed,
        row: TurnRow,
        turn: impl Future<Output = TurnOutcome> + Send + 'static,
    ) {
        if ticket.waits {
            tokio::spawn(Arc::clone(&self.shared).give_up_when_cancelled(Arc::clone(&listed.running), row));
        }
        let shared = Arc::clone(&self.shared);
        ticket.run(async move {
            let running = &listed.running;
            running.begun.cancel();
            if running.claim() {
                shared.run(running, turn).await;
            } else {
                shared.tell_late(running).await;
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
        let turns = self.shared.turns.all();
        turns.iter().for_each(|running| running.give_up());
        for running in turns {
            running.outcome().await;
        }
    }

    /// Makes the threads of the sessions used last ready, so many at most.
    pub async fn warm_threads(&self, limit: u32) {
        warm::used_last(Arc::clone(&self.shared), limit).await;
    }

    /// Makes the thread of a session ready, beside all else, for a client that is there.
    pub fn warm(&self, session: &str, cwd: Option<PathBuf>) {
        tokio::spawn(warm::session(Arc::clone(&self.shared), session.to_owned(), cwd));
    }

    #[cfg(test)]
    pub(super) fn has_warmed(&self, session: &str) -> bool {
        self.shared.warming.knows(session)
    }

    /// The turn that the session is at.
    pub fn running(&self, session: &str) -> Option<Arc<Running>> {
        self.shared.turns.first(session)
    }

    /// The turn that each session is at.
    pub fn all_running(&self) -> Vec<Arc<Running>> {
        self.shared.turns.firsts()
    }

    /// The session of a turn that has been accepted and has not ended.
    pub fn session_of(&self, turn_id: &str) -> Option<String> {
        let all = self.shared.turns.all();
        all.iter().find(|running| &*running.turn_id == turn_id).map(|running| running.session.clone())
    }

    /// What has happened since the process began.
    pub fn counts(&self) -> Counts {
        self.shared.logs.counts()
    }

    /// How many turns each session has that were accepted and have not ended.
    pub fn at_work(&self) -> Vec<(String, usize)> {
        self.shared.turns.counts()
    }

    pub fn store(&self) -> &Arc<dyn Store> {
        &self.shared.store
    }

    /// What turns begin with from now on, until it is changed.
    pub fn setup(&self) -> Arc<Setup> {
        self.shared.setup()
    }

    /// Turns that have been accepted go on with what they began with. What clients offer stays, but for skills whose ids
    /// are the daemon's own now.
    pub fn set_up(&self, setup: Setup) {
        let mut offers = self.shared.offers();
        for id in offers.own_are(Arc::clone(&setup.skills)) {
            tracing::warn!(skill = id, "a skill of a client's makes way for one of the configuration");
        }
        self.shared.set_up(Setup { skills: offers.registry(), ..setup });
    }

    /// Waits for the end of all turns that have been accepted by now.
    pub async fn settled(&self) {
        for running in self.shared.turns.all() {
            running.outcome().await;
        }
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
        self.shared.lanes.enter(session, queue).map_err(|refused| {
            let session = session.to_owned();
            match refused {
                Refused::Busy => HelmError::Busy { session },
                Refused::Full { waiting } => HelmError::Overloaded { session, waiting },
            }
        })
    }

    fn handle(&self, running: &Arc<Running>, owner: bool) -> TurnHandle {
        TurnHandle::new(running, self.log(&running.session), owner)
    }
}

impl Shared {
    pub fn setup(&self) -> Arc<Setup> {
        Arc::clone(&self.setup.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn set_up(&self, setup: Setup) {
        *self.setup.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(setup);
    }

    pub fn is_running(&self, session: &str) -> bool {
        self.turns.first(session).is_some()
    }

    /// How much of a session to read for its history. Kept messages are longer than what a model reads of them.
    pub fn context_bytes(&self) -> usize {
        2 * history::bytes(self.setup().settings.history_tokens)
    }

    /// Runs a turn that has its place in the session, and tells its outcome whatever it is.
    async fn run(&self, running: &Running, turn: impl Future<Output = TurnOutcome>) {
        let _lost = Lost { shared: self, running };
        let outcome = turn.await;
        self.tell(running, outcome);
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
            self.turns.remove(&running);
            running.ended(Arc::new(outcome));
        }
    }

    /// Its event comes in its turn: whoever streams the one before finds no hole.
    async fn tell_late(&self, running: &Running) {
        let outcome = running.outcome().await;
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
        self.turns.remove(running);
        running.ended(outcome);
    }
}

/// Tells of the end of a turn that panicked or was dropped.
struct Lost<'a> {
    shared: &'a Shared,
    running: &'a Running,
}

impl Drop for Lost<'_> {
    fn drop(&mut self) {
        if !self.running.is_over() {
            self.shared.tell(self.running, Err(HelmError::Lost));
        }
    }
}

/// Whether a message is meant for the turn that runs: not where it wants another mode, provider or model.
fn steers(message: &Message, chosen: &Chosen, running: &Running) -> bool {
    let wants_nothing = !message.mode_is_named && message.provider.is_none() && message.model.is_none();
    let Some(settings) = running.settings() else { return message.steer && wants_nothing };
    let Some((provider, model)) = settings.candidates.first() else { return false };
    let is_its_mode = [settings.mode, settings.mode_requested].contains(&message.mode);
    let is_its_provider = message.provider.as_ref().is_none_or(|named| named == provider);
    let is_its_model = message.model.is_none() || message.model == *model || {
        let candidate = &chosen.candidates[0];
        // The default, by its name.
        model.is_none() && candidate.id == *provider && candidate.default_model() == message.model
    };
    message.steer && (!message.mode_is_named || is_its_mode) && is_its_provider && is_its_model
}

/// Threads are an engine's.
fn check_thread(message: &Message, chosen: &Chosen) -> Result<(), HelmError> {
    let candidate = &chosen.candidates[0];
    if message.thread.is_none() || candidate.engine.is_some() {
        return Ok(());
    }
    let id = &candidate.id;
    Err(HelmError::bad_request(format!(
        "parameter 'threadId' names a thread of an app-server, and provider '{id}' has none: name one that has, or leave \
         it out"
    )))
}

pub fn action_of(action: &Action, session: &str, turn_id: &str, state: ActionState) -> ActionRow {
    ActionRow {
        id: action.id.clone(),
        session: session.to_owned(),
        turn_id: turn_id.to_owned(),
        skill: action.skill.clone(),
        plugin: action.plugin.clone(),
        input: action.input.clone(),
        tool_use_id: action.tool_use_id.clone(),
        reason: action.reason.clone(),
        dangerous: action.dangerous,
        own: action.own,
        state,
        created_at: now_ms(),
    }
}
