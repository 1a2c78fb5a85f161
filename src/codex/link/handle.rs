//! The link as others see it.

use std::ffi::OsStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jsonrpsee::types::ErrorObjectOwned;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};
use tokio::sync::watch;
use tokio::time::timeout;

use super::driver::Driver;
use super::program::variable;
use super::shared::Shared;
use super::socket::MAX_MESSAGE;
use super::state::{Limits, Machine};
use super::way::{Way, way};
use super::{Endpoint, Fault, FaultKind, LinkError, Listener, State, Status};
use crate::config::Config;
use crate::policy::{HostPolicy, Redactor};
use crate::providers::http::Http;
use crate::rpc::{Id, frame};

#[derive(Clone)]
pub struct Settings {
    /// Or why there is none.
    pub endpoint: Result<Endpoint, Fault>,
    /// What a request may take that says nothing of it.
    pub timeout: Duration,
    /// For a shim.
    pub http: Http,
    pub redactor: Redactor,
}

impl Settings {
    /// None if no app-server is configured.
    pub fn from_config(config: &Config, policy: &HostPolicy, redactor: Redactor) -> Option<Self> {
        let endpoint = Endpoint::from_config(config, policy)?;
        for name in &config.codex.app_server.env {
            // What it is given by name may be a key, and come back in what it says.
            if let Some(value) = variable(&config.environment, name).and_then(OsStr::to_str) {
                redactor.learn(value);
            }
        }
        let http = Http::new(policy.clone(), config.http.clone(), redactor.clone());
        Some(Self { endpoint, timeout: config.codex.app_server.timeout, http, redactor })
    }
}

/// Cheap to clone; all clones share the one connection, which ends with the last of them.
#[derive(Clone)]
pub struct Link {
    handle: Arc<Handle>,
}

struct Handle {
    shared: Arc<Shared>,
    timeout: Duration,
    redactor: Redactor,
    /// Until somebody needs it.
    driver: Mutex<Option<Driver>>,
}

impl Link {
    /// Reaches out to nobody yet.
    pub fn open(settings: Settings, listener: Arc<dyn Listener>) -> Self {
        let Settings { endpoint, timeout, http, redactor } = settings;
        let limits = match &endpoint {
            // It says nothing by itself, pongs included.
            Ok(Endpoint::Http { .. }) => Limits { settle: Duration::ZERO, ping_every: None, ..Limits::default() },
            _ => Limits::default(),
        };
        Self::over(way(endpoint, http, redactor.clone()), limits, timeout, redactor, listener)
    }

    pub(super) fn over(
        way: Box<dyn Way>,
        limits: Limits,
        timeout: Duration,
        redactor: Redactor,
        listener: Arc<dyn Listener>,
    ) -> Self {
        let shared = Arc::new(Shared::new());
        let driver = Driver::new(shared.clone(), listener, redactor.clone(), way, Machine::new(limits));
        Self { handle: Arc::new(Handle { shared, timeout, redactor, driver: Mutex::new(Some(driver)) }) }
    }

    /// Parameters and result are passed on as they are; errors hold no secret of ours. While the link is down this waits for the attempt under way, or
    /// the next one, and shares its fate. A future that is dropped leaves nothing behind.
    pub async fn request(
        &self,
        method: &str,
        params: &RawValue,
        timeout_after: Option<Duration>,
    ) -> Result<Box<RawValue>, LinkError> {
        let after = timeout_after.unwrap_or(self.handle.timeout);
        let shared = &self.handle.shared;
        let number = shared.number();
        let frame = frame::request(&Id::ours(number), method, object(params));
        if frame.len() > MAX_MESSAGE {
            return Err(too_long(frame.len()));
        }
        let answer = shared.ask(number, frame)?;
        self.handle.start();
        let mut forget = Forget { shared, number, is_settled: false };
        match timeout(after, answer).await {
            Ok(outcome) => {
                forget.is_settled = true;
                let outcome = outcome.unwrap_or_else(|_| Err(LinkError::Down(super::shared::closing())));
                outcome.map_err(|error| without_secrets(error, &self.handle.redactor))
            }
            Err(_) => Err(forget.late(after)),
        }
    }

    /// The same, with types, and the time that a request usually has.
    pub async fn call<R: DeserializeOwned>(&self, method: &str, params: &impl Serialize) -> Result<R, LinkError> {
        let params = to_raw_value(params).map_err(|error| strange(method, "parameters", &error))?;
        let result = self.request(method, &params, None).await?;
        serde_json::from_str(result.get()).map_err(|error| strange(method, "result", &error))
    }

    /// Answers what the server has asked over this connection. False if it has not, if that is answered, if it cannot
    /// take as much, or if the connection is gone: it is asked again then, once its thread is resumed.
    pub fn respond(&self, id: &Id, outcome: Result<&RawValue, &ErrorObjectOwned>) -> bool {
        let frame = frame::answer(Some(id), outcome);
        frame.len() <= MAX_MESSAGE && self.handle.shared.answer(id, frame)
    }

    pub fn status(&self) -> Status {
        self.handle.shared.status()
    }

    pub fn changes(&self) -> watch::Receiver<State> {
        self.handle.shared.changes()
    }

    /// What the server answered to `initialize`, on the connection that is up or was last.
    pub fn initialize_result(&self) -> Option<Arc<RawValue>> {
        self.handle.shared.initialized()
    }

    /// Connects ahead of need.
    pub fn wake(&self) {
        self.handle.shared.order(|orders| orders.wanted = true);
        self.handle.start();
    }

    /// Connects anew, at once, whatever the link has come to.
    pub fn reconnect(&self) {
        self.handle.shared.order(|orders| orders.again = true);
        self.handle.start();
    }

    /// What is in flight may end within a bound, then the connection does, and a child of ours with it.
    pub async fn close(&self) {
        self.handle.close();
        self.handle.shared.ended.cancelled().await;
    }
}

impl Handle {
    fn start(&self) {
        if let Some(driver) = self.take_driver() {
            tokio::spawn(driver.run());
        }
    }

    fn close(&self) {
        // One that never ran ends by being dropped.
        if self.take_driver().is_none() {
            self.shared.order(|orders| orders.close = true);
        }
    }

    fn take_driver(&self) -> Option<Driver> {
        self.driver.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.close();
    }
}

/// A request that timed out or was dropped.
struct Forget<'a> {
    shared: &'a Shared,
    number: u64,
    is_settled: bool,
}

impl Forget<'_> {
    /// Why there is no answer: one that never went out is not the server's fault.
    fn late(mut self, after: Duration) -> LinkError {
        self.is_settled = true;
        match self.shared.forget(self.number) {
            (true, Some(fault)) => LinkError::Down(fault),
            _ => LinkError::TimedOut { after },
        }
    }
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        if !self.is_settled {
            self.shared.forget(self.number);
        }
    }
}

/// A peer may say what it was sent.
fn without_secrets(error: LinkError, redactor: &Redactor) -> LinkError {
    let LinkError::Rpc(told) = &error else { return error };
    let data = told.data().map(RawValue::get);
    if !redactor.finds(told.message()) && !data.is_some_and(|data| redactor.finds(data)) {
        return error;
    }
    let mut data: Option<Value> = data.and_then(|data| serde_json::from_str(data).ok());
    data.iter_mut().for_each(|data| redactor.redact_json(data));
    LinkError::Rpc(ErrorObjectOwned::owned(told.code(), redactor.redact(told.message()), data))
}

/// The server takes no request without an object.
fn object(params: &RawValue) -> &str {
    match params.get() {
        "null" => "{}",
        text => text,
    }
}

fn too_long(bytes: usize) -> LinkError {
    let message = format!("a request of {bytes} bytes is more than the {MAX_MESSAGE} that the Codex app-server takes");
    LinkError::Down(Arc::new(Fault::new(FaultKind::Protocol, message)))
}

fn strange(method: &str, what: &str, error: &serde_json::Error) -> LinkError {
    let message = format!("the {what} of {method} are not as expected of a Codex app-server: {error}");
    LinkError::Down(Arc::new(Fault::new(FaultKind::Protocol, message)))
}
