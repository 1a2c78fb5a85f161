//! What all connections share.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, Weak};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};
use tokio::sync::{mpsc, oneshot, watch};

use super::{Connection, convert};
use crate::helm::Conductor;
use crate::plugins::{Children, CodexWay, LocalServers, Meter, Plugin};
use crate::protocol::{Notification, StopWhen, names};

/// Requests to stop that may wait.
const STOPS: usize = 4;

pub struct App {
    pub conductor: Conductor,
    pub meter: Meter,
    pub facts: Facts,
    setup: RwLock<Arc<Setup>>,
    reload: OnceLock<Arc<dyn Reload>>,
    /// The process to end with, once a client has named it.
    parent: watch::Sender<Option<i64>>,
    stops: Mutex<Option<mpsc::Sender<AskedToStop>>>,
    draining: AtomicBool,
    reach: Mutex<Reach>,
    connections: Mutex<BTreeMap<u64, Weak<Connection>>>,
}

/// What the configuration makes of the daemon, until it is read again.
pub struct Setup {
    pub plugins: Vec<Plugin>,
    pub local_servers: LocalServers,
    pub codex: CodexWay,
    pub children: Children,
    pub allowed_hosts: Vec<String>,
    /// Whether a client that runs a dangerous skill must confirm it.
    pub confirm_dangerous: bool,
    /// For what clients answer.
    pub redact: Redact,
}

/// Takes the daemon's secrets out of a document.
pub type Redact = Arc<dyn Fn(&mut Value) + Send + Sync>;

/// Where clients find it, if it is shared.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    pub socket: Option<PathBuf>,
    pub http: Option<String>,
    pub http_token_file: Option<PathBuf>,
    /// Why nobody listens for HTTP although it was to be.
    pub http_fault: Option<String>,
}

/// Reads the configuration again.
#[async_trait]
pub trait Reload: Send + Sync {
    /// What has changed, or why everything stays as it was.
    async fn reload(&self) -> Result<Reloaded, String>;
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reloaded {
    /// Names of settings.
    pub changed: Vec<String>,
    /// Those among them that are without effect until the process is started anew.
    pub restart_needed: Vec<String>,
    pub warnings: Vec<String>,
}

/// A client wants the process to end.
pub struct AskedToStop {
    pub when: StopWhen,
    /// The connection on which it was asked.
    pub by: u64,
    /// Told why not, or that the address is free.
    pub answer: oneshot::Sender<Result<(), &'static str>>,
}

/// What does not change while the process lives.
#[derive(Clone, Debug)]
pub struct Facts {
    pub version: &'static str,
    pub build: String,
    /// Unix milliseconds.
    pub started_at: u64,
    pub config_file: PathBuf,
    pub state_dir: PathBuf,
    pub log_file: PathBuf,
    pub frame_bytes: usize,
    pub header_bytes: usize,
    /// Of a daemon that is shared; zero means for ever.
    pub idle_timeout: Duration,
}

impl App {
    pub fn new(conductor: Conductor, meter: Meter, setup: Setup, facts: Facts) -> Arc<Self> {
        let (parent, connections) = (watch::channel(None).0, Mutex::default());
        let (stops, draining, reload, reach) = Default::default();
        let setup = RwLock::new(Arc::new(setup));
        Arc::new(Self { conductor, meter, facts, setup, reload, parent, stops, draining, reach, connections })
    }

    pub fn reached_at(&self, reach: Reach) {
        *self.reach.lock().unwrap_or_else(PoisonError::into_inner) = reach;
    }

    pub(super) fn reach(&self) -> Reach {
        self.reach.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn setup(&self) -> Arc<Setup> {
        Arc::clone(&self.setup.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Gives what was before. Requests that have begun go on with it.
    pub fn set_up(&self, setup: Setup) -> Arc<Setup> {
        std::mem::replace(&mut *self.setup.write().unwrap_or_else(PoisonError::into_inner), Arc::new(setup))
    }

    /// Called once, by whoever puts the daemon together.
    pub fn reloads_with(&self, reload: Arc<dyn Reload>) {
        // The first stays.
        let _ = self.reload.set(reload);
    }

    pub(super) async fn reload(&self) -> Result<Reloaded, String> {
        match self.reload.get() {
            Some(reload) => reload.reload().await,
            None => Err("this process reads no configuration".to_owned()),
        }
    }

    /// Tells all who have introduced themselves that the configuration was read again, and what came of it.
    pub fn tell_reloaded(&self, outcome: &Result<Reloaded, String>) {
        let params: Arc<RawValue> =
            to_raw_value(&convert::reloaded(outcome)).expect("wire types are made of JSON values").into();
        for connection in self.connections().into_iter().filter(|connection| connection.client().introduced) {
            let params = Arc::clone(&params);
            // A client that reads slowly holds up nobody.
            tokio::spawn(async move {
                let peer = &connection.peer;
                tokio::select! {
                    _ = peer.notify(names::DaemonReloaded::NAME, params.get()) => {}
                    () = peer.closed().cancelled() => {}
                }
            });
        }
    }

    /// What clients ask of the process from now on; until this is called nobody can end it.
    pub fn stops(&self) -> mpsc::Receiver<AskedToStop> {
        let (sender, receiver) = mpsc::channel(STOPS);
        *self.stops.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
        receiver
    }

    pub(super) async fn ask_to_stop(&self, when: StopWhen, by: u64) -> Result<(), &'static str> {
        const NOT_SHARED: &str = "this process serves only the one that started it, and ends with it";
        let stops = self.stops.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (answer, answered) = oneshot::channel();
        stops.ok_or(NOT_SHARED)?.send(AskedToStop { when, by, answer }).await.map_err(|_| NOT_SHARED)?;
        // Whoever drops it is ending.
        answered.await.unwrap_or(Ok(()))
    }

    /// From now on nothing new begins.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Connections, and the requests and turns at work, but for those of one connection.
    pub fn activity(&self, but: Option<u64>) -> (usize, usize) {
        let others = self.connections().into_iter().filter(|connection| Some(connection.peer.number()) != but);
        let requests: Vec<usize> = others.map(|connection| connection.peer.in_flight()).collect();
        (requests.len(), requests.iter().sum::<usize>() + self.conductor.all_running().len())
    }

    /// A client has said which process started it, and with it us.
    pub(super) fn parent_is(&self, pid: i64) {
        self.parent.send_replace(Some(pid));
    }

    /// The process that a client named.
    pub fn parent(&self) -> watch::Receiver<Option<i64>> {
        self.parent.subscribe()
    }

    pub(super) fn connected(&self, connection: &Arc<Connection>) {
        let mut connections = self.all();
        connections.retain(|_, connection| connection.strong_count() > 0);
        connections.insert(connection.peer.number(), Arc::downgrade(connection));
    }

    /// The connections that are open now.
    pub fn connections(&self) -> Vec<Arc<Connection>> {
        let open = |connection: Arc<Connection>| (!connection.peer.closed().is_cancelled()).then_some(connection);
        self.all().values().filter_map(Weak::upgrade).filter_map(open).collect()
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<u64, Weak<Connection>>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
