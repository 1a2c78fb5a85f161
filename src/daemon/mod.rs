//! The composition root: a configuration in, a daemon that serves connections out.

mod address;
mod detach;
mod http;
mod life;
mod listen;
mod lock;
pub mod log;
pub mod parent;
mod record;
mod server;
mod signals;
mod start;
mod telemetry;
mod version;

pub use address::{Address, AddressError};
pub use detach::{Report, detach, launch};
pub use listen::{Claim, ListenError, Listening};
pub use record::{HttpRecord, Record, Sealed};
pub use server::Ended;
pub use signals::Signals;
pub use start::{Launch, StartError, connect, connect_or_start};
pub use version::{Fit, Program};

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use jsonrpsee::Methods;
use tokio::io::DuplexStream;
use tokio_util::sync::CancellationToken;

use crate::api::{self, App, Connection, Facts, Served, Via};
use crate::config::{self, Config};
use crate::helm::{self, Conductor, Route, Routes};
use crate::model::{Engine, Provider};
use crate::plugins::{self, Plugin};
use crate::providers::http::{Http, Warmth};
use crate::rpc::{self, End};
use crate::sessions::Sqlite;
use crate::transport::{self, FrameLimits, Transport};

/// What is kept in the state directory.
const SESSIONS_FILE: &str = "sessions.db";

/// How long cancelled turns may take to be written down when the daemon stops.
const STOP: Duration = Duration::from_millis(300);

/// How long what was spent may take to be written down then: a little more than other processes may lock the file.
const KEEP: Duration = Duration::from_secs(6);

/// How long a refresh of the sign-in that is under way may take then: what it gives would be lost, and the sign-in with it.
const SETTLE: Duration = Duration::from_secs(5);

/// How long a connection may take to end once the daemon is asked to stop: a little more than the loop takes that owns
/// it, unless that loop waits for a client that reads nothing.
const CLOSE: Duration = Duration::from_millis(2500);

/// Bytes under way between the daemon and a client in the same process.
const MEMORY_PIPE: usize = 256 * 1024;

pub struct Daemon {
    app: Arc<App>,
    methods: Methods,
    limits: config::Limits,
    http: Http,
    /// Of the sessions used last, so many have their threads made ready.
    warm_threads: u32,
    serving: config::Serving,
    /// Fires when no new client is wanted any more, and the address is somebody else's.
    leaving: CancellationToken,
    stop: CancellationToken,
}

impl Daemon {
    /// Reads the sessions and sets up the plugins; reaches out to nobody.
    pub async fn open(config: &Config) -> anyhow::Result<Self> {
        let database = config.state_dir.join(SESSIONS_FILE);
        // Without sessions there are no turns, but all else can be served, and told why.
        let (store, fault) = Sqlite::open_or_retry(&database)?;
        if let Some(error) = fault {
            tracing::error!(%error, "the sessions cannot be opened");
        }
        let store = Arc::new(store);
        let loaded = plugins::load(config, Some(store.clone()))?;
        let routes = Routes::new(loaded.plugins.iter().filter(|plugin| plugin.completes()).map(route).collect());
        let settings = helm::Settings {
            history_tokens: config.helm.history_tokens,
            tool_result_bytes: config.helm.tool_result_bytes,
            approval_timeout: config.helm.approval_timeout,
            queued_turns: config.helm.queued_turns,
            buffered_events: config.limits.buffered_events,
        };
        let conductor = Conductor::open(store, Arc::new(loaded.skills), routes, settings).await;
        let facts = Facts {
            version: version::OURS,
            build: version::build().to_owned(),
            started_at: helm::now_ms(),
            config_file: config.file.clone(),
            state_dir: config.state_dir.clone(),
            log_file: log::path(config),
            frame_bytes: config.limits.frame_bytes,
            header_bytes: config.limits.header_bytes,
            allowed_hosts: loaded.hosts.iter().map(ToString::to_string).collect(),
            confirm_dangerous: config.helm.confirm_dangerous,
        };
        let shared = (loaded.meter, loaded.local_servers, loaded.codex);
        let app = App::new(conductor, loaded.plugins, shared, facts);
        let methods = api::methods(Arc::clone(&app)).into();
        let (limits, http) = (config.limits.clone(), loaded.http);
        telemetry::connect(&http);
        let warm_threads = u32::try_from(config.codex.app_server.warm_threads).unwrap_or(u32::MAX);
        let (leaving, stop) = Default::default();
        let serving = config.serving.clone();
        Ok(Self { app, methods, limits, http, warm_threads, serving, leaving, stop })
    }

    /// Serves one connection to its end.
    pub async fn serve(&self, transport: Transport, via: Via) -> End {
        let limits = rpc::Limits {
            json_depth: self.limits.json_depth,
            in_flight: self.limits.in_flight,
            outbound_frames: self.limits.outbound_frames,
            write_timeout: self.limits.write_timeout,
        };
        let open = |peer| {
            let connection = Connection::open(Arc::clone(&self.app), self.methods.clone(), peer, via);
            Arc::new(Served(connection))
        };
        rpc::serve(transport, limits, self.stop.clone(), open).await
    }

    /// Serves this process's standard input and output.
    pub async fn serve_stdio(&self) -> anyhow::Result<End> {
        let (transport, _restore) = transport::stdio(self.frame_limits()).context("standard input cannot be read")?;
        self.serve_alone(transport).await
    }

    /// Serves the client that started this process, for as long as that and the process it names live, or until a signal
    /// asks for the end. Either way what is open is answered.
    pub async fn serve_alone(&self, transport: Transport) -> anyhow::Result<End> {
        let mut signals = Signals::listen().context("signals cannot be listened for")?;
        let _warmth = self.keep_warm();
        let _fresh = self.app.codex.sign_in.keep_fresh();
        let serve = self.serve(transport, Via::Stdio);
        tokio::pin!(serve);
        let served = tokio::select! {
            // In order: a process that a client names is looked at before the client hears that it may go.
            biased;
            end = &mut serve => Some(end),
            () = parent::gone(self.app.parent()) => {
                tracing::info!("the process that started us is gone");
                None
            }
            signal = signals.next() => {
                tracing::info!(signal = signal.as_raw_value(), "asked to end");
                None
            }
        };
        let end = match served {
            Some(end) => end,
            None => {
                self.stop.cancel();
                tokio::time::timeout(CLOSE, serve).await.unwrap_or(End::Stopped)
            }
        };
        self.stop().await;
        Ok(end)
    }

    /// Connects to the providers and the app-server before anybody asks for one, and stays connected while the result
    /// lives. For those who serve: a single command has its answer before this is of use.
    pub fn keep_warm(&self) -> Option<Warmth> {
        self.http.settings().warm.then(|| {
            if let Some(server) = &self.app.codex.app_server {
                server.wake();
                let (conductor, limit) = (self.app.conductor.clone(), self.warm_threads);
                tokio::spawn(async move { conductor.warm_threads(limit).await });
            }
            self.http.keep_warm()
        })
    }

    /// The client's end of a connection within the process, and the work of serving it.
    pub fn connect(self: &Arc<Self>) -> DuplexStream {
        let (transport, client) = transport::memory(MEMORY_PIPE, self.frame_limits());
        let daemon = Arc::clone(self);
        tokio::spawn(async move { daemon.serve(transport, Via::Memory).await });
        client
    }

    /// Stops what runs, and gives it a moment to be written down, with what it has spent.
    pub async fn stop(&self) {
        self.stop.cancel();
        let stopped = self.app.conductor.stop();
        if tokio::time::timeout(STOP, stopped).await.is_err() {
            tracing::warn!("a turn did not stop in time");
        }
        self.app.codex.sign_in.settle(SETTLE).await;
        // After the turns, which end over it.
        if let Some(server) = &self.app.codex.app_server
            && tokio::time::timeout(CLOSE, server.close()).await.is_err()
        {
            tracing::warn!("the link to the app-server did not end in time");
        }
        if tokio::time::timeout(KEEP, self.app.meter.close(STOP)).await.is_err() {
            tracing::error!("what calls have spent could not be written down in time");
        }
        telemetry::flush().await;
    }

    /// Fires when no new client is wanted any more.
    pub fn leaving(&self) -> &CancellationToken {
        &self.leaving
    }

    /// What goes into the record beside the socket.
    pub fn record(&self, address: &Address, settings: Sealed) -> Record {
        let facts = &self.app.facts;
        Record {
            pid: std::process::id(),
            version: facts.version.to_owned(),
            protocol_version: crate::protocol::VERSION.to_owned(),
            build: facts.build.clone(),
            started_at: facts.started_at,
            socket: address.socket().to_owned(),
            state_dir: facts.state_dir.clone(),
            config_file: facts.config_file.clone(),
            log_file: facts.log_file.clone(),
            http: None,
            settings,
        }
    }

    /// Reads the configuration anew.
    async fn reload(&self) {
        tracing::info!("asked to read the configuration anew, which takes a restart");
    }

    pub fn frame_limits(&self) -> FrameLimits {
        FrameLimits { frame_bytes: self.limits.frame_bytes, header_bytes: self.limits.header_bytes }
    }
}

fn route(plugin: &Plugin) -> Route {
    Route {
        id: plugin.id.to_owned(),
        enabled: plugin.enabled,
        provider: plugin.provider.clone().map(|gate| gate as Arc<dyn Provider>),
        engine: plugin.engine.clone().map(|gate| gate as Arc<dyn Engine>),
        hint: plugin.readiness.hint().to_owned(),
        propose_only: plugin.propose_only.clone(),
        vendors: plugin.vendors.clone(),
    }
}
