//! Reading the configuration again while the daemon works.
//!
//! A good one is in use from then on: what runs ends with what it began with, and connections, sessions and their events
//! go on. A bad one changes nothing. Environment and flags are those of the start.

use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use tokio::sync::{Mutex as AsyncMutex, Semaphore};
use tokio::time::{MissedTickBehavior, interval};

use super::setup::{Made, make};
use super::telemetry;
use crate::api::{App, Reload, Reloaded};
use crate::codex::AppServer;
use crate::config::{Config, Secret, SecretStore};
use crate::http::Guard;
use crate::plugins::{Kept, load_again};
use crate::providers::codex::sign_in::Fresh;
use crate::providers::http::{Http, Warmth};

/// How often the file is looked at.
const EVERY: Duration = Duration::from_secs(2);

pub(super) struct Reloader {
    app: Weak<App>,
    /// Held by the one who reads it.
    now: AsyncMutex<Now>,
    warm: Mutex<Warm>,
    /// For one that reads and one that waits to.
    asked: Arc<Semaphore>,
    /// Of the listener, if there is one.
    guard: OnceLock<Arc<Guard>>,
}

struct Now {
    config: Config,
    kept: Kept,
}

/// What is kept open and fresh while the daemon serves.
struct Warm {
    http: Http,
    is_wanted: bool,
    _held: (Option<Warmth>, Option<Fresh>),
}

/// What tells one version of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    bytes: u64,
}

impl Reloader {
    pub fn new(app: &Arc<App>, config: Config, http: Http, kept: Kept) -> Arc<Self> {
        let warm = Mutex::new(Warm { http, is_wanted: false, _held: (None, None) });
        let (now, asked) = (AsyncMutex::new(Now { config, kept }), Arc::new(Semaphore::new(2)));
        Arc::new(Self { app: Arc::downgrade(app), now, warm, asked, guard: OnceLock::new() })
    }

    /// Reads it again while the daemon goes on; whoever wants to know what comes of it is told. One that waits to be read
    /// stands for all that are asked for meanwhile.
    pub fn reload_soon(self: &Arc<Self>) {
        let Ok(permit) = Arc::clone(&self.asked).try_acquire_owned() else { return };
        let reloader = Arc::clone(self);
        tokio::spawn(async move {
            let _ = reloader.reload().await;
            drop(permit);
        });
    }

    /// Connects to the providers and the app-server before anybody asks for one, and keeps the daemon's sign-in fresh.
    pub fn keep_warm(&self) {
        let Some(app) = self.app.upgrade() else { return };
        let mut warm = self.warm.lock().unwrap_or_else(PoisonError::into_inner);
        warm.is_wanted = true;
        let codex = &app.setup().codex;
        let is_warm = warm.http.settings().warm;
        if let Some(server) = codex.app_server.as_ref().filter(|_| is_warm) {
            server.wake();
        }
        let fresh = codex.sign_in.keep_fresh();
        let links = is_warm.then(|| warm.http.keep_warm());
        warm._held = (links, fresh);
    }

    /// A secret beside those of the configuration.
    pub fn learn(&self, secret: &Secret) {
        self.warm.lock().unwrap_or_else(PoisonError::into_inner).http.redactor().learn(secret.expose());
    }

    /// Who may come over HTTP follows the configuration from now on.
    pub fn guards(&self, guard: Arc<Guard>) {
        // There is one listener.
        let _ = self.guard.set(guard);
    }

    /// Whether what is used again and again is kept open.
    pub fn is_warm(&self) -> bool {
        self.warm.lock().unwrap_or_else(PoisonError::into_inner).http.settings().warm
    }

    /// Reads the configuration whenever its file is another one, or that of the secrets that are kept, as long as the
    /// result is polled.
    pub async fn watch(&self) {
        let files = {
            let config = &self.now.lock().await.config;
            [config.file.clone(), SecretStore::new(&config.state_dir).file()]
        };
        let look = || files.each_ref().map(|file| Stamp::of(file));
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut known = look();
        let mut last = known;
        loop {
            ticks.tick().await;
            let stamp = look();
            // One that is being written is let come to rest.
            if stamp == last && stamp != known {
                known = stamp;
                // Whoever wants to know is told.
                let _ = self.reload().await;
            }
            last = stamp;
        }
    }

    async fn read(&self, app: &Arc<App>) -> Result<Reloaded, String> {
        let mut now = self.now.lock().await;
        let before = now.config.clone();
        // Programs may be asked for secrets.
        let config = tokio::task::spawn_blocking(move || before.again()).await;
        let config = config.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        let changes = config.changes_since(&now.config);
        let warnings = config.warnings.clone();
        if changes.is_empty() && config.unresolved == now.config.unresolved && now.kept.stands(&config) {
            return Ok(Reloaded { warnings, ..Reloaded::default() });
        }
        let loaded = load_again(&config, &now.kept, &changes).map_err(|error| error.to_string())?;
        let reloaded = Reloaded { changed: changes.names().to_vec(), restart_needed: changes.for_restart(), warnings };
        let Made { helm, api, http, kept, .. } = make(&config, loaded);
        if let Some(guard) = self.guard.get() {
            guard.allow(&config.serving.allowed_hosts, &config.serving.allowed_origins);
        }
        *now = Now { config, kept };
        app.conductor.set_up(helm);
        let before = app.set_up(api);
        let is_wanted = {
            let mut warm = self.warm.lock().unwrap_or_else(PoisonError::into_inner);
            telemetry::connect(&http);
            warm.http = http;
            warm.is_wanted
        };
        if is_wanted {
            self.keep_warm();
        }
        let after = app.setup().codex.app_server.clone();
        if let Some(server) = before.codex.app_server.clone().filter(|old| !is_same(old, after.as_ref())) {
            tokio::spawn(close(Arc::clone(app), server));
        }
        Ok(reloaded)
    }
}

#[async_trait]
impl Reload for Reloader {
    async fn reload(&self) -> Result<Reloaded, String> {
        let app = self.app.upgrade().ok_or("the daemon ends")?;
        let outcome = self.read(&app).await;
        match &outcome {
            Ok(Reloaded { changed, restart_needed, .. }) => {
                tracing::info!(?changed, ?restart_needed, "the configuration was read again");
            }
            Err(error) => tracing::error!(error, "the configuration is bad, and the one before it stays in use"),
        }
        app.tell_reloaded(&outcome);
        outcome
    }
}

fn is_same(old: &Arc<AppServer>, new: Option<&Arc<AppServer>>) -> bool {
    new.is_some_and(|new| Arc::ptr_eq(old, new))
}

/// Ends the link to an app-server that is no longer wanted, once the turns are over that may run there.
async fn close(app: Arc<App>, server: Arc<AppServer>) {
    app.conductor.settled().await;
    server.close().await;
}

impl Stamp {
    fn of(file: &Path) -> Option<Self> {
        let metadata = std::fs::metadata(file).ok()?;
        Some(Self { modified: metadata.modified().ok(), bytes: metadata.len() })
    }
}
