//! The app-server as the daemon has it: the link to it, who hears what comes over it, and what clients may ask of it.
//!
//! It reaches out to nobody until somebody asks for something, or it is woken.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use jsonrpsee::types::ErrorObjectOwned;
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};
use tokio::sync::{broadcast, mpsc};
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout_at};

use super::desk::{Desk, Reply};
use super::hub::{Hub, thread_of};
use super::limits::{Window, windows};
use super::link::{Fault, FaultKind, Heard, Link, LinkError, Listener, Settings, State, Status};
use super::watched::{Watch, Watched};
use crate::config::{self, AppServerUrl, Config};
use crate::policy::{HostPolicy, Redactor};
use crate::rpc::Id;

pub struct AppServer {
    link: Link,
    hub: Arc<Hub>,
    desk: Arc<Desk>,
    watched: Arc<Watched>,
    known: Arc<Known>,
    settings: config::AppServer,
    redactor: Redactor,
    attendant: Mutex<Attendant>,
}

/// What is remembered of what it says.
#[derive(Default)]
struct Known {
    /// As last heard of.
    limits: Mutex<Vec<Window>>,
}

/// The first that hears of the link. What it says is carried out only in a runtime, which is where it speaks.
struct Ears {
    hub: Arc<Hub>,
    server: Weak<AppServer>,
}

impl Listener for Ears {
    fn hear(&self, heard: Heard) {
        if let (Heard::Up(_), Some(server)) = (&heard, self.server.upgrade()) {
            server.attend();
        }
        self.hub.hear(heard);
    }
}

/// Carries out what the desk decides and what a new connection wants.
enum Attendant {
    /// Until the link is used.
    Waiting(mpsc::Receiver<(Id, Reply)>),
    At(AbortHandle),
}

/// How it is reached, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// `websocket`, `unix`, `http` or `spawn`.
    pub transport: &'static str,
    /// The address, or the program that is started.
    pub endpoint: String,
}

/// Why a call of a client's has no result.
#[derive(Debug, thiserror::Error)]
pub enum RpcFault {
    #[error("codex.refuse_methods refuses the method {method}{}", of_pattern(.method, .pattern))]
    Refused { method: String, pattern: String },
    #[error(transparent)]
    Link(#[from] LinkError),
}

fn of_pattern(method: &str, pattern: &str) -> String {
    if method == pattern { String::new() } else { format!(" with {pattern}") }
}

impl AppServer {
    /// None if no app-server is configured.
    pub fn new(config: &Config, policy: &HostPolicy, redactor: &Redactor) -> Option<Arc<Self>> {
        let link = Settings::from_config(config, policy, redactor.clone())?;
        let open = |listener| Link::open(link, listener);
        let settings = config.codex.app_server.clone();
        Some(Self::over(open, settings, config.helm.approval_timeout, redactor.clone()))
    }

    pub(super) fn over(
        open: impl FnOnce(Arc<dyn Listener>) -> Link,
        settings: config::AppServer,
        patience: Duration,
        redactor: Redactor,
    ) -> Arc<Self> {
        let (desk, outbox) = Desk::new(patience);
        let hub = Hub::with(Some(Arc::clone(&desk)));
        Arc::new_cyclic(|server| Self {
            link: open(Arc::new(Ears { hub: hub.clone(), server: server.clone() })),
            hub,
            desk,
            watched: Arc::default(),
            known: Arc::default(),
            settings,
            redactor,
            attendant: Mutex::new(Attendant::Waiting(outbox)),
        })
    }

    /// For those who speak to it themselves.
    pub fn link(&self) -> &Link {
        &self.link
    }

    pub fn hub(&self) -> &Arc<Hub> {
        &self.hub
    }

    pub fn desk(&self) -> &Arc<Desk> {
        &self.desk
    }

    /// Connects ahead of need, and again whenever the connection is lost.
    pub fn wake(&self) {
        self.link.wake();
    }

    /// Ends the connection, and a child of ours with it.
    pub async fn close(&self) {
        self.link.close().await;
    }

    pub fn status(&self) -> Status {
        self.link.status()
    }

    pub fn place(&self) -> Place {
        place(&self.settings)
    }

    /// The windows of the subscription's limits, as last heard of.
    pub fn limits(&self) -> Vec<Window> {
        locked(&self.known.limits).clone()
    }

    pub(super) fn note_limits(&self, told: &RawValue) {
        *locked(&self.known.limits) = windows(told.get());
    }

    /// How many threads somebody here hears of.
    pub fn threads(&self) -> usize {
        self.watched.count()
    }

    pub(super) fn is_watched(&self, thread: &str) -> bool {
        self.watched.has(thread)
    }

    /// What any method gives, untouched. Parameters that are left out are an empty object, which every method takes.
    pub async fn rpc(
        &self,
        method: &str,
        params: Option<&RawValue>,
        timeout: Option<Duration>,
    ) -> Result<Box<RawValue>, RpcFault> {
        if let Some(pattern) = self.settings.refuses(method) {
            return Err(RpcFault::Refused { method: method.to_owned(), pattern: pattern.to_owned() });
        }
        if matches!(method, "turn/start" | "turn/steer" | "review/start")
            && let Some(thread) = params.and_then(thread_of)
        {
            self.hub.lend(&thread);
        }
        let nothing = raw(&json!({}));
        match method {
            // The one handshake of the connection was the link's.
            "initialize" => self.initialized(timeout.unwrap_or(self.settings.timeout)).await,
            "initialized" => Ok(nothing),
            _ => Ok(self.clean(self.link.request(method, params.unwrap_or(&nothing), timeout).await?)),
        }
    }

    /// As it came, unless one of our secrets is in it: whoever is told must not learn it from an echo.
    pub fn clean(&self, told: Box<RawValue>) -> Box<RawValue> {
        if !self.redactor.finds(told.get()) {
            return told;
        }
        let mut value = serde_json::from_str(told.get()).expect("a raw value is JSON");
        self.redactor.redact_json(&mut value);
        raw(&value)
    }

    /// Keeps the connection a part of a thread while the result is held; none if too many threads are watched. One that
    /// is `joined` has just been started or resumed by a client.
    pub fn watch(&self, thread: &str, joined: bool) -> Option<Watch> {
        let (watch, first) = self.watched.watch(thread)?;
        if first && !joined && !self.hub.is_helms(thread) {
            tokio::spawn(resume(self.link.clone(), vec![thread.to_owned()]));
        }
        Some(watch)
    }

    /// What the server answered to the link's own `initialize`.
    async fn initialized(&self, timeout: Duration) -> Result<Box<RawValue>, RpcFault> {
        let deadline = Instant::now() + timeout;
        let link = &self.link;
        let mut changes = link.changes();
        link.wake();
        loop {
            let state = *changes.borrow_and_update();
            if let (State::Ready, Some(result)) = (state, link.initialize_result()) {
                return Ok((*result).to_owned());
            }
            if let (State::Backoff | State::Refused, Some(fault)) = (state, link.status().fault) {
                return Err(LinkError::Down(fault).into());
            }
            match timeout_at(deadline, changes.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => {
                    let fault = Fault::new(FaultKind::Closed, "the link to the Codex app-server is closed");
                    return Err(LinkError::Down(Arc::new(fault)).into());
                }
                Err(_) => return Err(LinkError::TimedOut { after: timeout }.into()),
            }
        }
    }

    fn attend(&self) {
        let mut attendant = self.attendant();
        if let Attendant::At(_) = *attendant {
            return;
        }
        let (link, heard) = (self.link.clone(), self.hub.listen());
        let hub = Arc::clone(&self.hub);
        let (watched, known) = (Arc::clone(&self.watched), Arc::clone(&self.known));
        // Nothing is sent before the link lives, so nothing waits in the one that stands in for a moment.
        let before = std::mem::replace(&mut *attendant, Attendant::Waiting(mpsc::channel(1).1));
        if let Attendant::Waiting(outbox) = before {
            let task = tokio::spawn(async move {
                tokio::join!(answer(&link, outbox), listen(&link, heard, &hub, &watched, &known));
            });
            *attendant = Attendant::At(task.abort_handle());
        }
    }

    fn attendant(&self) -> MutexGuard<'_, Attendant> {
        self.attendant.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for AppServer {
    fn drop(&mut self) {
        if let Attendant::At(task) = &*self.attendant() {
            task.abort();
        }
        let fault = Fault::new(FaultKind::Closed, "the link to the Codex app-server is closed");
        self.desk.hear(&Heard::Down(Arc::new(fault)));
    }
}

async fn answer(link: &Link, mut outbox: mpsc::Receiver<(Id, Reply)>) {
    while let Some((id, reply)) = outbox.recv().await {
        // One that is gone is asked again, or nobody wants to know any more.
        let sent = link.respond(&id, reply.as_deref().map_err(|error: &ErrorObjectOwned| error));
        if !sent {
            tracing::debug!(%id, "the app-server no longer waits for this answer");
        }
    }
}

async fn listen(link: &Link, mut heard: broadcast::Receiver<Heard>, hub: &Hub, watched: &Watched, known: &Known) {
    loop {
        match heard.recv().await {
            Ok(Heard::Up(_)) => {
                // Helm resumes its own.
                let threads: Vec<String> = watched.all().into_iter().filter(|id| !hub.is_helms(id)).collect();
                tokio::spawn(resume(link.clone(), threads));
            }
            Ok(Heard::Notification { method, params }) if &*method == "account/rateLimits/updated" => {
                *locked(&known.limits) = windows(params.get());
            }
            Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(broadcast::error::RecvError::Closed) => return,
        }
    }
}

/// One after the other: a server that has just come back has enough to do.
async fn resume(link: Link, threads: Vec<String>) {
    for thread in threads {
        let params = raw(&json!({ "threadId": thread, "excludeTurns": true }));
        if let Err(error) = link.request("thread/resume", &params, None).await {
            tracing::info!(thread, %error, "a thread that is watched cannot be resumed");
        }
    }
}

fn place(settings: &config::AppServer) -> Place {
    let (transport, endpoint) = match &settings.url {
        Some(AppServerUrl::WebSocket(url)) => ("websocket", url.to_string()),
        Some(AppServerUrl::Http(url)) => ("http", url.to_string()),
        Some(AppServerUrl::Unix(path)) => {
            ("unix", format!("unix://{}", path.as_deref().unwrap_or("".as_ref()).display()))
        }
        None => {
            let program = settings.bin.as_deref().unwrap_or("codex".as_ref());
            ("spawn", format!("{} app-server", program.display()))
        }
    };
    Place { transport, endpoint }
}

pub(super) fn raw(value: &serde_json::Value) -> Box<RawValue> {
    to_raw_value(value).expect("made of JSON values")
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
