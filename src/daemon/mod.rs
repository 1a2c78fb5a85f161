//! The composition root: a configuration in, a daemon that serves connections out.

mod address;
mod descriptors;
mod detach;
mod http;
mod inherited;
mod life;
mod listen;
mod lock;
pub mod log;
mod memory;
pub mod parent;
mod record;
mod reload;
mod server;
mod setup;
mod signals;
mod start;
mod telemetry;
mod version;

pub use address::{Address, AddressError};
pub use descriptors::raise;
pub use detach::{Report, detach, launch};
pub use inherited::{Inherited, InheritedError, Notice};
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
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::api::{self, App, Connection, Reach, Served, Via};
use crate::config::{self, Config};
use crate::helm::Conductor;
use crate::plugins;
use crate::rpc::{self, End};
use crate::sessions::Sqlite;
use crate::transport::{self, FrameLimits, Transport};
use reload::Reloader;
use setup::Made;

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
    reloader: Arc<Reloader>,
    /// Of the sessions used last, so many have their threads made ready.
    warm_threads: u32,
    serving: config::Serving,
    /// Fires when no new client is wanted any more, and the address is somebody else's.
    leaving: CancellationToken,
    /// Somebody came over HTTP.
    requested: Notify,
    stop: CancellationToken,
}

/// What of a configuration that was read would keep a daemon from being all that it says.
pub fn faults(config: &Config) -> Vec<String> {
    let unusable = plugins::load(config, None).err().map(|error| error.to_string());
    unusable.into_iter().chain(crate::http::check(config).err().map(|error| error.to_string())).collect()
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
        let Made { helm, api, meter, http, kept } = setup::make(config, loaded);
        let conductor = Conductor::open(store, helm.skills, helm.routes, helm.settings).await;
        let app = App::new(conductor, meter, api, setup::facts(config));
        let methods = api::methods(Arc::clone(&app)).into();
        telemetry::connect(&http);
        let reloader = Reloader::new(&app, config.clone(), http, kept);
        app.reloads_with(reloader.clone());
        let limits = config.limits.clone();
        let warm_threads = u32::try_from(config.codex.app_server.warm_threads).unwrap_or(u32::MAX);
        let (leaving, requested, stop) = Default::default();
        let serving = config.serving.clone();
        Ok(Self { app, methods, limits, reloader, warm_threads, serving, leaving, requested, stop })
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
        let stops = rpc::Stops { leave: self.leaving.clone(), stop: self.stop.clone() };
        rpc::serve(transport, limits, stops, open).await
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
        self.keep_warm();
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

    /// Connects to the providers and the app-server before anybody asks for one, and stays connected while this lives. For
    /// those who serve: a single command has its answer before this is of use.
    pub fn keep_warm(&self) {
        self.reloader.keep_warm();
        if self.app.setup().codex.app_server.is_some() && self.reloader.is_warm() {
            let (conductor, limit) = (self.app.conductor.clone(), self.warm_threads);
            tokio::spawn(async move { conductor.warm_threads(limit).await });
        }
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
        let codex = &self.app.setup().codex;
        codex.sign_in.settle(SETTLE).await;
        // After the turns, which end over it.
        if let Some(server) = &codex.app_server
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
    pub fn record(&self, address: &Address, http: Result<Option<HttpRecord>, String>, settings: Sealed) -> Record {
        let facts = &self.app.facts;
        let (http, http_fault) = http.map_or_else(|fault| (None, Some(fault)), |http| (http, None));
        self.app.reached_at(Reach {
            socket: Some(address.socket().to_owned()),
            http: http.as_ref().map(|http| http.url.clone()),
            http_token_file: http.as_ref().map(|http| http.token_file.clone()),
            http_fault: http_fault.clone(),
        });
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
            http,
            http_fault,
            settings,
        }
    }

    pub fn frame_limits(&self) -> FrameLimits {
        FrameLimits { frame_bytes: self.limits.frame_bytes, header_bytes: self.limits.header_bytes }
    }
}
