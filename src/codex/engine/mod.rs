//! Turns that run in the app-server: its threads are those of Helm's sessions, kept ready between turns.
//!
//! ```text
//!  mod     the engine: begin, take up, warm          wire    what the app-server says, read
//!  slot    each session's threads, and who is in     fold    notifications of a turn to happenings; pure
//!  ready   threads started, resumed, freed           book    questions and answers of a turn; pure
//!  start   the beginning of a turn                   thread  what is sent, written; pure
//!  run     a turn at work, port: as Helm sees it     deed    what Codex did by itself
//!  recover what became of it meanwhile               errors  why it failed
//! ```

mod book;
mod deed;
pub(super) mod errors;
pub(super) mod fold;
mod port;
mod ready;
mod recover;
mod run;
mod slot;
mod start;
pub(super) mod thread;
mod warm;
pub(super) mod wire;

#[cfg(test)]
mod book_tests;
#[cfg(test)]
mod fold_tests;

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio_util::task::AbortOnDropHandle;

use super::hub::Hub;
use super::link::Link;
use crate::config::Sandbox;
use crate::model::{Engine, ErrorKind, Place, ProviderError, Run, Task, Thread};
use crate::policy::Redactor;
use run::Turning;
use slot::Slots;
use thread::Ground;

/// For asking when a limit ends that is reached.
const LIMITS: Duration = Duration::from_secs(3);

#[derive(Clone)]
pub struct Settings {
    /// The plugin's name.
    pub id: &'static str,
    /// The widest one that turns may have.
    pub sandbox: Sandbox,
    /// Where turns work; of the app-server's own choosing if there is none.
    pub cwd: Option<String>,
    /// What is used when nobody names a model, if that is set.
    pub default_model: Option<String>,
    pub redactor: Redactor,
}

pub struct CodexEngine {
    inner: Arc<Inner>,
    /// Once there is something to make ready again.
    rewarm: OnceLock<AbortOnDropHandle<()>>,
}

struct Inner {
    id: &'static str,
    link: Link,
    hub: Arc<Hub>,
    ground: Ground,
    redactor: Redactor,
    default_model: Option<String>,
    /// As the app-server said it last.
    last_model: Mutex<Option<String>>,
    slots: Slots,
}

impl CodexEngine {
    /// Reaches out to nobody yet. The hub is the one that listens to the link.
    pub fn new(link: Link, hub: Arc<Hub>, settings: Settings) -> Self {
        let inner = Arc::new(Inner {
            id: settings.id,
            link,
            hub,
            ground: Ground { sandbox: settings.sandbox, cwd: settings.cwd },
            redactor: settings.redactor,
            default_model: settings.default_model,
            last_model: Mutex::default(),
            slots: Slots::default(),
        });
        Self { inner, rewarm: OnceLock::new() }
    }

    fn rewarm(&self) {
        let begin = || AbortOnDropHandle::new(tokio::spawn(warm::again(Arc::clone(&self.inner))));
        self.rewarm.get_or_init(begin);
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
        self.rewarm();
        self.inner.warm(place).await
    }

    async fn begin(&self, mut task: Task) -> Result<Box<dyn Run>, ProviderError> {
        self.rewarm();
        if task.messages.is_empty() {
            return Err(ProviderError::new(ErrorKind::InvalidRequest, "there is nothing to answer"));
        }
        task.place.model = task.place.model.take().or_else(|| self.inner.default_model.clone());
        let slot = self.inner.slots.of(&task.place);
        let mut turn = Turning::new(Arc::clone(&self.inner), slot, task.place.clone());
        turn.start(task);
        Ok(Box::new(turn))
    }

    async fn take_up(&self, place: Place) -> Result<Option<Box<dyn Run>>, ProviderError> {
        self.rewarm();
        let turn = self.inner.take_up(place).await?;
        Ok(turn.map(|turn| Box::new(turn) as Box<dyn Run>))
    }
}

impl Inner {
    fn told_model(&self, model: Option<&String>) {
        if let Some(model) = model {
            *self.last_model.lock().unwrap_or_else(PoisonError::into_inner) = Some(model.clone());
        }
    }

    /// Says of a limit when it ends, where the app-server knows.
    async fn explain(&self, error: ProviderError) -> ProviderError {
        if error.kind != ErrorKind::Quota || error.retry_after.is_some() {
            return error;
        }
        let nothing = RawValue::NULL;
        let limits = self.link.request("account/rateLimits/read", nothing, Some(LIMITS)).await;
        let limits = limits.ok().and_then(|limits| serde_json::from_str::<Value>(limits.get()).ok());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let after = limits.and_then(|limits| errors::reset_after(&limits, now));
        error.with_retry_after(after)
    }
}
