//! One turn at work: what is heard of it becomes what is told of it, and a lost connection is got over.
//!
//! What has begun is kept here until it is done, so that whoever waits for the next thing may stop waiting at any time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::future::BoxFuture;
use jsonrpsee::types::ErrorObjectOwned;
use serde_json::value::{RawValue, to_raw_value};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::Inner;
use super::book::{Book, Todo};
use super::errors::{died, fault_error, link_error};
use super::fold::{Fold, Told};
use super::late::Late;
use super::recover::{Found, Sought, is_passing, may_come_back, recover};
use super::slot::{Slot, Stand};
use super::start::{Started, Unconfirmed};
use super::steer::Steers;
use super::wire::{Item, Turn, TurnStatus, What, notice};
use crate::codex::Following;
use crate::codex::link::{Heard, LinkError, State};
use crate::model::{Ending, ErrorKind, Happening, Place, ProviderError, Task};
use crate::rpc::Id;

/// How long the connection may be away in the middle of a turn.
pub const AWAY: Duration = Duration::from_secs(60);
/// How long a turn may take to end once it is interrupted.
pub const STOP: Duration = Duration::from_secs(10);
/// After so long without a word the server is asked how the turn stands.
const QUIET: Duration = Duration::from_secs(60);

pub struct Turning {
    pub(super) inner: Arc<Inner>,
    pub(super) slot: Arc<Slot>,
    pub(super) place: Place,
    /// Until the turn is known to have begun.
    pub(super) task: Option<Task>,
    pub(super) mark: String,
    pub(super) thread: String,
    /// As it was told.
    model: Option<String>,
    pub(super) stage: Stage,
    pub(super) following: Option<Following>,
    /// What was heard already, before what is followed.
    pub(super) backlog: VecDeque<Heard>,
    pub(super) fold: Fold,
    pub(super) book: Book,
    pub(super) ready: VecDeque<Result<Happening, ProviderError>>,
    /// If its beginning was not confirmed in time.
    pub(super) late: Option<Late>,
    /// By when it has to have ended.
    pub(super) interrupted: Option<Instant>,
    pub(super) over: CancellationToken,
    pub(super) steers: Steers,
    pub(super) is_left: bool,
}

pub enum Stage {
    Starting(BoxFuture<'static, Result<Started, ProviderError>>),
    Running,
    /// It may still begin.
    Late {
        at: Instant,
    },
    Away {
        until: Instant,
    },
    Recovering {
        found: BoxFuture<'static, Result<Found, LinkError>>,
        until: Instant,
    },
    /// It has failed, and more is asked about that.
    Explaining(BoxFuture<'static, ProviderError>),
    Over,
}

impl Turning {
    pub(super) fn new(inner: Arc<Inner>, slot: Arc<Slot>, place: Place) -> Self {
        Self {
            inner,
            slot,
            place,
            task: None,
            mark: uuid::Uuid::new_v4().to_string(),
            thread: String::new(),
            model: None,
            stage: Stage::Over,
            following: None,
            backlog: VecDeque::new(),
            fold: Fold::new("", None),
            book: Book::default(),
            ready: VecDeque::new(),
            late: None,
            interrupted: None,
            over: CancellationToken::new(),
            steers: Steers::default(),
            is_left: false,
        }
    }

    /// Does the next thing there is to do. Dropping the future loses nothing.
    pub(super) async fn step(&mut self) {
        match &mut self.stage {
            Stage::Starting(started) => {
                let started = started.await;
                self.started(started);
            }
            Stage::Running => self.listen().await,
            Stage::Late { at } => {
                let at = *at;
                self.wait_for_late(at).await;
            }
            Stage::Away { until } => {
                let until = *until;
                self.wait(until).await;
            }
            Stage::Recovering { found, until } => {
                let (found, until) = (found.await, *until);
                match found {
                    Ok(found) => self.recovered(found),
                    Err(error) if may_come_back(&error) => self.stage = Stage::Away { until },
                    Err(LinkError::TimedOut { .. }) if self.late.is_some() => self.look_later(),
                    Err(error) => self.fail(link_error("thread/resume", &error), Stand::Left),
                }
            }
            Stage::Explaining(error) => {
                let error = error.await;
                self.stage = Stage::Over;
                self.ready.push_back(Err(error));
            }
            Stage::Over => {
                let error = ProviderError::new(ErrorKind::Protocol, "the turn has ended already");
                self.ready.push_back(Err(error));
            }
        }
    }

    pub(super) fn start(&mut self, task: Task) {
        let (inner, slot, mark) = (Arc::clone(&self.inner), Arc::clone(&self.slot), self.mark.clone());
        self.task = Some(task.clone());
        self.late = None;
        self.stage = Stage::Starting(Box::pin(super::start::start(inner, slot, task, mark)));
    }

    fn started(&mut self, started: Result<Started, ProviderError>) {
        let started = match started {
            Ok(started) => started,
            // The thread is as it was left there.
            Err(error) => return self.fail(error, self.slot.stand()),
        };
        self.following = Some(started.following);
        self.thread = started.thread;
        if let Some(thread) = started.new_thread {
            self.place.thread = Some(thread.clone());
            self.tell(Happening::Thread(thread));
        }
        self.answers(started.model);
        match started.turn {
            Ok(turn) => {
                self.fold = Fold::new(turn, self.slot.accounted(&self.thread));
                self.task = None;
                self.stage = Stage::Running;
            }
            Err(unconfirmed) => {
                if let Unconfirmed::Late { connection } = unconfirmed {
                    self.late = Some(Late::new(connection));
                }
                match self.inner.connection() {
                    Some(_) => self.recover(Instant::now() + AWAY),
                    None => self.stage = Stage::Away { until: Instant::now() + AWAY },
                }
            }
        }
    }

    /// Told if it is known, and not told already.
    pub(super) fn answers(&mut self, model: Option<String>) {
        if let Some(model) = model.filter(|model| self.model.as_ref() != Some(model)) {
            self.model = Some(model.clone());
            self.tell(Happening::Model(model));
        }
    }

    async fn listen(&mut self) {
        let heard = match (self.backlog.pop_front(), &mut self.following) {
            (Some(heard), _) => Some(heard),
            (None, None) => None,
            (None, Some(following)) => {
                let quiet = Instant::now() + QUIET;
                let deadline = self.interrupted.map_or(quiet, |stop| stop.min(quiet));
                tokio::select! {
                    biased;
                    heard = following.next() => heard,
                    () = sleep_until(deadline) => match self.interrupted {
                        Some(_) => return self.give_up(),
                        // Nothing is lost that we know of; what is told again would show it.
                        None => return self.look(),
                    },
                }
            }
        };
        match heard {
            Some(Heard::Notification { method, params }) => self.notified(&method, &params),
            Some(Heard::Request { id, method, params }) => self.asked(&id, &method, &params),
            // The thread is resumed on this connection already.
            Some(Heard::Up(_)) => {}
            Some(Heard::Down(fault)) => {
                self.fold.tear();
                match is_passing(&fault) {
                    _ if self.interrupted.is_some() => self.give_up(),
                    true => self.stage = Stage::Away { until: Instant::now() + AWAY },
                    false => self.fail(fault_error(&fault), Stand::Left),
                }
            }
            None => {
                self.fold.tear();
                self.look();
            }
        }
    }

    /// Asks how the turn stands, on the connection there is.
    pub(super) fn look(&mut self) {
        self.backlog.clear();
        self.following = Some(self.inner.hub().follow(&self.thread));
        self.recover(Instant::now() + AWAY);
    }

    pub(super) fn recover(&mut self, until: Instant) {
        if let Some(late) = &mut self.late {
            late.looked = self.inner.connection();
        }
        let sought = match self.task {
            Some(_) => Sought::Mark(self.mark.clone()),
            None => Sought::Turn(self.fold.turn().to_owned()),
        };
        let (inner, slot, place) = (Arc::clone(&self.inner), Arc::clone(&self.slot), self.place.clone());
        self.stage = Stage::Recovering { found: Box::pin(recover(inner, slot, place, sought)), until };
    }

    /// Until the connection is back, or will not come back.
    async fn wait(&mut self, until: Instant) {
        self.inner.link().wake();
        let mut changes = self.inner.link().changes();
        if *changes.borrow_and_update() == State::Refused {
            return self.refused();
        }
        let Some(following) = &mut self.following else { return self.look() };
        tokio::select! {
            biased;
            heard = following.next() => match heard {
                Some(Heard::Up(_)) => self.recover(until),
                Some(Heard::Down(fault)) if !is_passing(&fault) => self.fail(fault_error(&fault), Stand::Left),
                Some(_) => {}
                None => self.look(),
            },
            changed = changes.changed() => if changed.is_err() {
                self.fail(died(), Stand::Left);
            },
            () = sleep_until(until) => {
                let message = "the connection to the Codex app-server was lost in the middle of the turn and did not come back";
                let status = self.inner.link().status();
                let error = ProviderError::new(ErrorKind::Network, message);
                let hint = status.fault.map(|fault| fault.hint.clone().unwrap_or_else(|| fault.message.clone()));
                self.fail(match hint { Some(hint) => error.with_hint(hint), None => error }, Stand::Left);
            }
        }
    }

    fn refused(&mut self) {
        let error = match self.inner.link().status().fault {
            Some(fault) => fault_error(&fault),
            None => ProviderError::new(ErrorKind::Network, "the Codex app-server cannot be connected to any more"),
        };
        self.fail(error, Stand::Left);
    }

    fn recovered(&mut self, found: Found) {
        match (found, self.task.take()) {
            (Found::Turn(turn, items), task) => {
                self.late = None;
                if task.is_some() {
                    self.fold = Fold::new(turn.id.clone(), self.slot.accounted(&self.thread));
                }
                self.catch_up(&turn, &items);
            }
            (Found::No | Found::Gone, Some(task)) if self.late.as_ref().is_some_and(Late::may_come) => {
                self.task = Some(task);
                self.look_later();
            }
            // What was to begin it did not arrive.
            (Found::No | Found::Gone, Some(task)) => self.start(task),
            (Found::No | Found::Gone, None) => self.fail(died(), Stand::Idle),
        }
    }

    fn catch_up(&mut self, turn: &Turn, items: &[Item]) {
        self.stage = Stage::Running;
        if !self.fold.knows(items) {
            self.fold.tear();
        }
        for item in items {
            let settled = item.id().map(|id| self.book.completed(id)).unwrap_or_default();
            self.tell_all(settled);
            let happenings = self.fold.catch_up([item]);
            self.tell_all(happenings);
        }
        if turn.status == TurnStatus::InProgress {
            return;
        }
        self.count_rest();
        let by_itself = turn.completed_at.is_some() || self.interrupted.is_some();
        if turn.status == TurnStatus::Interrupted && !by_itself {
            // It ended with the process that it ran in.
            return self.fail(died(), Stand::Idle);
        }
        let told = self.fold.end(turn.status, turn.error.as_ref());
        self.told(told);
    }

    /// The tokens that are told of beside the lists.
    fn count_rest(&mut self) {
        while let Some(heard) = self.following.as_mut().and_then(Following::try_next) {
            let Heard::Notification { method, params } = heard else { continue };
            if let Some(notice) = notice(&method, &params).filter(|notice| matches!(notice.what, What::Tokens(_))) {
                let told = self.fold.push(notice);
                self.tell_all(told.happenings);
            }
        }
    }

    fn notified(&mut self, method: &str, params: &RawValue) {
        let Some(notice) = notice(method, params) else { return };
        let settled = match &notice.what {
            What::Resolved { request } => self.book.resolved(request).into_iter().collect(),
            What::ItemCompleted(item) => item.id().map(|id| self.book.completed(id)).unwrap_or_default(),
            What::ItemStarted(item) => {
                self.book.started(item);
                Vec::new()
            }
            _ => Vec::new(),
        };
        self.tell_all(settled);
        let told = self.fold.push(notice);
        self.told(told);
    }

    fn asked(&mut self, id: &Id, method: &str, params: &RawValue) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        for todo in self.book.ask(self.fold.turn(), id, method, params, now) {
            match todo {
                Todo::Tell(happening) => self.tell(happening),
                Todo::Respond(id, answer) => self.respond(&id, &answer),
                Todo::Refuse(id) => {
                    let error = ErrorObjectOwned::owned(-32601, format!("{method} is not supported"), None::<()>);
                    self.inner.link().respond(&id, Err(&error));
                }
            }
        }
    }

    /// If the connection is gone, the answer is given when it is asked for again.
    pub(super) fn respond(&self, id: &Id, answer: &serde_json::Value) {
        if let Ok(answer) = to_raw_value(answer) {
            self.inner.link().respond(id, Ok(&answer));
        }
    }

    fn told(&mut self, told: Told) {
        self.tell_all(told.happenings);
        if let Some(end) = told.end {
            self.end(end, Stand::Idle);
        }
    }

    fn tell_all(&mut self, happenings: Vec<Happening>) {
        happenings.into_iter().for_each(|happening| self.tell(happening));
    }

    fn tell(&mut self, happening: Happening) {
        let redact = |text: String| self.inner.redactor.redact(&text);
        let happening = match happening {
            Happening::Void(reason) => Happening::Void(redact(reason)),
            Happening::Warning(text) => Happening::Warning(redact(text)),
            other => other,
        };
        self.ready.push_back(Ok(happening));
    }

    /// Nothing is told after it. The thread is left so: idle if the turn has ended for certain.
    pub(super) fn end(&mut self, end: Result<Ending, ProviderError>, stand: Stand) {
        let settled = self.book.ended();
        self.tell_all(settled);
        self.over.cancel();
        if let Some(tokens) = self.fold.accounted() {
            self.slot.account(&self.thread, tokens);
        }
        self.slot.leave(stand);
        self.following = None;
        match end {
            Ok(ending) => {
                self.stage = Stage::Over;
                self.ready.push_back(Ok(Happening::Ended(ending)));
            }
            Err(mut error) => {
                error.message = self.inner.redactor.redact(&error.message);
                let inner = Arc::clone(&self.inner);
                self.stage = Stage::Explaining(Box::pin(async move { inner.server.explain(error).await }));
            }
        }
    }

    pub(super) fn fail(&mut self, error: ProviderError, stand: Stand) {
        self.stop_saying();
        self.end(Err(error), stand);
    }

    /// It is interrupted for those who wait, whatever the server does.
    pub(super) fn give_up(&mut self) {
        self.stop_saying();
        self.end(Ok(Ending::Interrupted), Stand::Left);
    }

    fn stop_saying(&mut self) {
        let told = self.fold.end(TurnStatus::Interrupted, None);
        self.tell_all(told.happenings);
    }
}
