//! Turns that run in the app-server: its threads are those of Helm's sessions, kept ready between turns.
//!
//! ```text
//!  mod     the engine: begin, take up, warm          wire    what the app-server says, read
//!  slot    each session's threads, and who is in     fold    notifications of a turn to happenings; pure
//!  ready   threads started, resumed, freed           book    questions and answers of a turn; pure
//!  start   the beginning of a turn                   thread  what is sent, written; pure
//!  run     a turn at work, port: as Helm sees it     deed    what Codex did by itself
//!  recover what became of it meanwhile               terms   what it runs with, as far as it is known; pure
//!  late    one that was not confirmed                steer   what is said to it meanwhile
//!  stop    the end before its time                   errors  why it failed
//! ```

mod book;
mod deed;
pub(super) mod errors;
pub(super) mod fold;
mod late;
mod port;
mod ready;
mod recover;
mod run;
mod slot;
mod start;
mod steer;
pub(super) mod stop;
mod terms;
pub(super) mod thread;
mod warm;
pub(super) mod wire;

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use async_trait::async_trait;
use tokio_util::task::AbortOnDropHandle;

use super::app_server::AppServer;
use super::hub::Hub;
use super::link::Link;
use crate::config::{AppServerUrl, Config, Sandbox};
use crate::model::{Engine, ErrorKind, Place, ProviderError, Run, Task, Thread};
use crate::policy::Redactor;
use run::Turning;
use slot::Slots;
use thread::Ground;

#[derive(Clone)]
pub struct Settings {
    /// The plugin's name.
    pub id: &'static str,
    /// The widest one that turns may have.
    pub sandbox: Sandbox,
    /// Where all turns work.
    pub cwd: Option<String>,
    /// Otherwise they work where their clients are, if the app-server is on this machine, and if that is not known where it
    /// chooses.
    pub is_here: bool,
    /// What is used when nobody names a model, if that is set.
    pub default_model: Option<String>,
    pub redactor: Redactor,
}

pub struct CodexEngine {
    inner: Arc<Inner>,
    /// Once there is something to keep ready.
    rewarm: OnceLock<AbortOnDropHandle<()>>,
}

struct Inner {
    id: &'static str,
    server: Arc<AppServer>,
    ground: Ground,
    redactor: Redactor,
    default_model: Option<String>,
    /// As the app-server said it last.
    last_model: Mutex<Option<String>>,
    slots: Slots,
}

impl Settings {
    pub fn from_config(id: &'static str, config: &Config, redactor: Redactor) -> Self {
        let server = &config.codex.app_server;
        let is_here = match &server.url {
            None | Some(AppServerUrl::Unix(_)) => true,
            Some(AppServerUrl::WebSocket(url) | AppServerUrl::Http(url)) => match url.host() {
                Some(url::Host::Domain(name)) => name == "localhost",
                Some(url::Host::Ipv4(address)) => address.is_loopback(),
                Some(url::Host::Ipv6(address)) => address.is_loopback(),
                None => false,
            },
        };
        let cwd = server.cwd.as_ref().map(|cwd| cwd.display().to_string());
        let default_model = config.codex.default_model.clone().or_else(|| config.model_default.clone());
        Self { id, sandbox: server.sandbox, cwd, is_here, default_model, redactor }
    }
}

impl CodexEngine {
    /// Reaches out to nobody yet.
    pub fn new(server: Arc<AppServer>, settings: Settings) -> Self {
        let Settings { id, sandbox, cwd, is_here, default_model, redactor } = settings;
        let ground = Ground { sandbox, cwd, is_here };
        let (last_model, slots) = Default::default();
        let inner = Arc::new(Inner { id, server, ground, redactor, default_model, last_model, slots });
        Self { inner, rewarm: OnceLock::new() }
    }

    fn at_work(&self) -> &Arc<Inner> {
        let rewarm = || AbortOnDropHandle::new(tokio::spawn(warm::again(Arc::clone(&self.inner))));
        self.rewarm.get_or_init(rewarm);
        &self.inner
    }
}

#[async_trait]
impl Engine for CodexEngine {
    fn id(&self) -> &str {
        self.inner.id
    }

    fn default_model(&self) -> Option<String> {
        let last = || self.inner.last_model.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.inner.default_model.clone().or_else(last)
    }

    async fn warm(&self, place: Place) -> Option<Thread> {
        self.at_work().warm(self.inner.modelled(place)).await
    }

    async fn begin(&self, mut task: Task) -> Result<Box<dyn Run>, ProviderError> {
        if task.messages.is_empty() {
            return Err(ProviderError::new(ErrorKind::InvalidRequest, "there is nothing to answer"));
        }
        let inner = self.at_work();
        task.place = inner.modelled(task.place);
        let mut turn = Turning::new(Arc::clone(inner), inner.slots.of(&task.place), task.place.clone());
        turn.start(task);
        Ok(Box::new(turn))
    }

    async fn take_up(&self, place: Place) -> Result<Option<Box<dyn Run>>, ProviderError> {
        let turn = self.at_work().take_up(self.inner.modelled(place)).await?;
        Ok(turn.map(|turn| Box::new(turn) as Box<dyn Run>))
    }
}

impl Inner {
    fn link(&self) -> &Link {
        self.server.link()
    }

    fn hub(&self) -> &Arc<Hub> {
        self.server.hub()
    }

    /// With the model that is set, if nobody names another.
    fn modelled(&self, mut place: Place) -> Place {
        place.model = place.model.take().or_else(|| self.default_model.clone());
        place
    }

    fn told_model(&self, model: Option<&String>) {
        if let Some(model) = model {
            *self.last_model.lock().unwrap_or_else(PoisonError::into_inner) = Some(model.clone());
        }
    }
}
