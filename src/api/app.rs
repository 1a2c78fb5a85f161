//! What all connections share.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::watch;

use super::Connection;
use crate::helm::Conductor;
use crate::plugins::{CodexWay, LocalServers, Meter, Plugin};

pub struct App {
    pub conductor: Conductor,
    pub plugins: Vec<Plugin>,
    pub meter: Meter,
    pub local_servers: LocalServers,
    pub codex: CodexWay,
    pub facts: Facts,
    /// The process to end with, once a client has named it.
    parent: watch::Sender<Option<i64>>,
    connections: Mutex<BTreeMap<u64, Weak<Connection>>>,
}

/// What does not change while the process lives.
#[derive(Clone, Debug)]
pub struct Facts {
    pub version: &'static str,
    /// Unix milliseconds.
    pub started_at: u64,
    pub config_file: PathBuf,
    pub state_dir: PathBuf,
    pub log_file: PathBuf,
    pub allowed_hosts: Vec<String>,
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
        Arc::new(Self { conductor, plugins, meter, local_servers, codex, facts, parent, connections })
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
