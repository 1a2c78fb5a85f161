//! Making the threads of sessions ready before anybody says something in them.
//!
//! A session has at most one such work at a time, and all together a few. A thread that is new is kept with its session;
//! where there is no session yet, it is remembered for a while, and the first turn takes it.

use std::collections::{HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;

use super::conductor::Shared;
use crate::model::{Mode, Place, Thread};
use crate::sessions::{ThreadKind, Write};

/// Threads that are made ready at the same time.
const SIDE_BY_SIDE: usize = 4;

/// Sessions whose threads are being made ready, or wait for it.
const SESSIONS: usize = 64;

/// How long making one ready may take.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Warming {
    state: Mutex<State>,
    places: tokio::sync::Semaphore,
}

#[derive(Default)]
struct State {
    at_work: HashSet<String>,
    /// Of sessions that are not there yet; the oldest first.
    unborn: VecDeque<(String, ThreadKind, Thread)>,
}

/// Dropping it lets the session be warmed again.
struct AtWork<'a>(&'a Warming, String);

impl Default for Warming {
    fn default() -> Self {
        Self { state: Mutex::default(), places: tokio::sync::Semaphore::new(SIDE_BY_SIDE) }
    }
}

impl Warming {
    /// The thread that was made ready for a session before there was one.
    pub fn take(&self, session: &str, mode: Mode) -> Option<Thread> {
        let (mut state, kind) = (self.state(), ThreadKind::of(mode));
        let at = state.unborn.iter().position(|(name, of, _)| name == session && *of == kind)?;
        state.unborn.remove(at).map(|(_, _, thread)| thread)
    }

    fn remember(&self, session: &str, kind: ThreadKind, thread: Thread) {
        let mut state = self.state();
        if state.unborn.len() >= SESSIONS {
            state.unborn.pop_front();
        }
        state.unborn.push_back((session.to_owned(), kind, thread));
    }

    pub fn knows(&self, session: &str) -> bool {
        self.state().unborn.iter().any(|(name, ..)| name == session)
    }

    fn enter(&self, session: &str) -> Option<AtWork<'_>> {
        let mut state = self.state();
        let free = state.at_work.len() < SESSIONS && state.at_work.insert(session.to_owned());
        free.then(|| AtWork(self, session.to_owned()))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        self.0.state().at_work.remove(&self.1);
    }
}

/// The threads of the sessions used last.
pub async fn used_last(shared: Arc<Shared>, limit: u32) {
    if shared.routes.engine().is_none() {
        return;
    }
    match shared.store.threads_used_last(limit).await {
        Ok(threads) => {
            let warm = |(session, kind, thread): (String, ThreadKind, Thread)| {
                let shared = Arc::clone(&shared);
                async move { one(&shared, &session, kind, Some(thread), None).await }
            };
            futures_util::stream::iter(threads).for_each_concurrent(SIDE_BY_SIDE, warm).await;
        }
        Err(error) => tracing::warn!(%error, "the threads used last could not be read"),
    }
}

/// The thread of a session that somebody watches: the one used last, or a new one where its turns would have one.
pub async fn session(shared: Arc<Shared>, session: String, cwd: Option<PathBuf>) {
    let engine_is_default = shared.routes.default_route().is_some_and(|route| route.engine.is_some());
    if shared.routes.engine().is_none() || shared.warming.knows(&session) {
        return;
    }
    let Ok(threads) = shared.store.threads(&session).await else { return };
    let kept = [(ThreadKind::Propose, threads.propose), (ThreadKind::Work, threads.work)];
    let used = kept.into_iter().filter_map(|(kind, thread)| Some((kind, thread?)));
    match used.max_by_key(|(_, thread)| thread.seen) {
        Some((kind, thread)) => one(&shared, &session, kind, Some(thread), cwd).await,
        // What a message asks for that says nothing of it.
        None if engine_is_default => one(&shared, &session, ThreadKind::of(Mode::default()), None, cwd).await,
        None => {}
    }
}

async fn one(shared: &Shared, session: &str, kind: ThreadKind, before: Option<Thread>, cwd: Option<PathBuf>) {
    let Some(engine) = shared.routes.engine() else { return };
    let Some(_at_work) = shared.warming.enter(session) else { return };
    let Ok(_place) = shared.warming.places.acquire().await else { return };
    let mode = kind.mode();
    let place = Place { cwd, ..shared.place(session, mode, before.clone(), None) };
    let Ok(Some(thread)) = tokio::time::timeout(PATIENCE, engine.warm(place)).await else { return };
    // A turn that began meanwhile has its own, and knows better.
    let threads = shared.store.threads(session).await.unwrap_or_default();
    if shared.is_running(session) || threads.of(mode) != before.as_ref() {
        return;
    }
    match shared.store.session(session).await {
        Ok(Some(_)) => {
            let write = Write::Thread { session: session.to_owned(), mode, thread };
            if let Err(error) = shared.store.write(vec![write]).await {
                tracing::warn!(%error, session, "a thread that was made ready could not be kept");
            }
        }
        Ok(None) => shared.warming.remember(session, kind, thread),
        Err(_) => {}
    }
}
