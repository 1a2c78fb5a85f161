//! What is known of one connection: who the client is, what it can do, where it is in its life, what it watches.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jsonrpsee::Methods;
use jsonrpsee::types::Extensions;
use serde_json::value::RawValue;
use tokio::sync::Semaphore;

use super::codex::Audience;
use super::error::{ApiError, of_reason};
use super::offered::SIDE_BY_SIDE;
use super::place::Told;
use super::subscriptions::Subscriptions;
use super::{App, convert};
use crate::codex::AppServer;
use crate::helm::now_ms;
use crate::protocol::{ClientCapabilities, ClientInfo, Code, Method, Notification, names};
use crate::rpc::{Peer, PeerError, Reason, RpcError, Service, Verdict};
use crate::skills::SkillSpec;

/// What is answered by a daemon that only waits for what runs.
const WHILE_DRAINING: [&str; 5] = [
    names::Shutdown::NAME,
    names::ConductorInterrupt::NAME,
    names::DaemonHello::NAME,
    names::DaemonStatus::NAME,
    names::DaemonStop::NAME,
];

pub struct Connection {
    pub peer: Peer,
    pub via: Via,
    /// Unix milliseconds.
    pub since: u64,
    pub subscriptions: Arc<Subscriptions>,
    /// What it hears of the app-server, once it has asked for something there.
    audience: Mutex<Option<Arc<Audience>>>,
    app: Arc<App>,
    methods: Methods,
    client: Mutex<Client>,
    /// Where it is.
    pub told: Told,
    shut_down: AtomicBool,
    /// It has asked the daemon to end, and waits for that.
    awaits_end: AtomicBool,
    /// For calls of its skills.
    pub calls: Semaphore,
}

/// The way on which a client came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// This process's own standard input and output: the client is what started the process.
    Stdio,
    /// Within the process.
    Memory,
    /// A unix socket; the process at its other end, where the system tells.
    Unix {
        pid: Option<i32>,
    },
    WebSocket,
    /// One request of HTTP.
    Http,
}

/// What `initialize` and `initialized` told.
#[derive(Clone, Default)]
pub struct Client {
    pub introduced: bool,
    pub ready: bool,
    pub capabilities: ClientCapabilities,
    pub info: Option<ClientInfo>,
}

impl Connection {
    /// Known to the app for as long as it is held.
    pub fn open(app: Arc<App>, methods: Methods, peer: Peer, via: Via) -> Arc<Self> {
        let connection = Arc::new(Self {
            subscriptions: Subscriptions::new(peer.clone()),
            audience: Mutex::default(),
            peer,
            via,
            since: now_ms(),
            app,
            methods,
            client: Mutex::default(),
            told: Told::default(),
            shut_down: AtomicBool::new(false),
            awaits_end: AtomicBool::new(false),
            calls: Semaphore::new(SIDE_BY_SIDE),
        });
        connection.app.connected(&connection);
        connection
    }

    pub fn client(&self) -> MutexGuard<'_, Client> {
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What it hears of this app-server. What it wanted to hear of one before is over with that.
    pub fn audience(&self, server: &Arc<AppServer>) -> Arc<Audience> {
        let mut audience = self.audience.lock().unwrap_or_else(PoisonError::into_inner);
        match &*audience {
            Some(audience) if audience.is_of(server) => Arc::clone(audience),
            _ => Arc::clone(audience.insert(Audience::new(Arc::clone(server), self.peer.clone()))),
        }
    }

    /// From now on only `exit` may come.
    pub fn shut_down(&self) {
        self.shut_down.store(true, Ordering::Relaxed);
    }

    /// It hears of the end of the daemon by that of its connection.
    pub fn await_end(&self) {
        self.awaits_end.store(true, Ordering::Relaxed);
    }

    /// Whether requests may be sent to this client, and it answers approvals.
    pub fn can_approve(&self) -> bool {
        let client = self.client();
        client.ready && client.capabilities.approvals
    }

    pub fn app(&self) -> &App {
        &self.app
    }

    /// Whether it offers this skill, and may be asked to run it.
    pub fn offers(&self, skill: &SkillSpec) -> bool {
        self.app.conductor.is_offered(self.peer.number(), skill)
    }

    /// Asks it to run one of its skills. It hears when nobody waits for that any more.
    pub async fn call_skill(&self, params: &RawValue, deadline: Duration) -> Result<Box<RawValue>, PeerError> {
        let (name, cancel) = (names::SkillsCall::NAME, names::CancelRequest::NAME);
        self.peer.call(name, params.get(), deadline, cancel).await
    }

    /// # Panics
    /// If the extensions are not those of a call on a connection of ours.
    pub fn from_extensions(extensions: &Extensions) -> Arc<Self> {
        extensions.get::<Arc<Self>>().expect("the service puts its connection into every call").clone()
    }
}

/// What the loop is given: a connection has to reach its own handlers as a shared value.
pub struct Served(pub Arc<Connection>);

impl Service for Served {
    fn methods(&self) -> &Methods {
        &self.0.methods
    }

    fn admit(&self, method: &str) -> Result<(), RpcError> {
        if self.0.shut_down.load(Ordering::Relaxed) {
            let error = ApiError::new(Code::InvalidRequest, "only 'exit' may follow 'shutdown'");
            return Err(error.into_object(method));
        }
        if self.0.app.is_draining() && !WHILE_DRAINING.contains(&method) {
            return Err(self.fault(Reason::ShuttingDown));
        }
        Ok(())
    }

    fn extend(&self, extensions: &mut Extensions) {
        extensions.insert(Arc::clone(&self.0));
    }

    fn notification(&self, method: &str, params: Option<&RawValue>) -> Verdict {
        match method {
            names::Initialized::NAME => self.0.client().ready = true,
            names::CancelRequest::NAME => {
                if let Some(id) = params.and_then(convert::cancelled_id) {
                    return Verdict::Cancel(id);
                }
            }
            names::Exit::NAME => {
                let announced = self.0.shut_down.load(Ordering::Relaxed);
                return Verdict::Exit(i32::from(!announced));
            }
            _ => tracing::debug!(method, "a notification that nobody handles"),
        }
        Verdict::Continue
    }

    fn input_ended(&self) {
        self.0.app.conductor.withdraw_all(self.0.peer.number());
    }

    fn is_spare(&self) -> bool {
        let conductor = &self.0.app.conductor;
        let offers = !conductor.offered(self.0.peer.number()).is_empty();
        let is_called = self.0.calls.available_permits() < SIDE_BY_SIDE;
        let matters = |session: &str| offers || self.0.subscriptions.watches(session);
        !self.0.awaits_end.load(Ordering::Relaxed)
            && !is_called
            && !conductor.all_running().iter().any(|turn| matters(&turn.session))
    }

    fn fault(&self, reason: Reason) -> RpcError {
        of_reason(reason, self.0.methods.method_names()).into_object("-")
    }
}
