//! What all connections share.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::{mpsc, oneshot, watch};

use super::Connection;
use crate::helm::Conductor;
use crate::plugins::{CodexWay, LocalServers, Meter, Plugin};
use crate::protocol::StopWhen;

/// Requests to stop that may wait.
const STOPS: usize = 4;

pub struct App {
    pub conductor: Conductor,
    pub plugins: Vec<Plugin>,
    pub meter: Meter,
    pub local_servers: LocalServers,
    pub codex: CodexWay,
    pub facts: Facts,
    /// The process to end with, once a client has named it.
    parent: watch::Sender<Option<i64>>,
    stops: Mutex<Option<mpsc::Sender<AskedToStop>>>,
    draining: AtomicBool,
    connections: Mutex<BTreeMap<u64, Weak<Connection>>>,
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
    pub allowed_hosts: Vec<String>,
    pub frame_bytes: usize,
    pub header_bytes: usize,
    /// Whether a client that runs a dangerous skill must confirm it.
    pub confirm_dangerous: bool,
}

impl App {
    pub fn new(
        conductor: Conductor,
        plugins: Vec<Plugin>,
        (meter, local_servers, codex): (Meter, LocalServers, CodexWay),
        facts: Facts,
    ) -> Arc<Self> {
        let (parent, connections) = (watch::channel(None).0, Mutex::default());
        let (stops, draining) = Default::default();
        Arc::new(Self { conductor, plugins, meter, local_servers, codex, facts, parent, stops, draining, connections })
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
