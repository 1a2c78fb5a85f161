//! Signing in to ChatGPT by device code: by the daemon itself where it has an OAuth client, else through the app-server.
//!
//! A client asks how far it is; nothing goes out between. A client that is gone loses nothing: what was granted is kept,
//! and told to whoever asks with the same code. There are a few sign-ins at most, and each is forgotten when it expires.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::codex::link::LinkError;
use crate::codex::{AppServer, DeviceLogin};
use crate::model::{ErrorKind, ProviderError};
use crate::providers::codex::sign_in::{Due, Ended, Flow, Fresh, OwnLogin, Pending, Polled, SignedOut, View};
use crate::providers::codex::{Access, Codex, Owner, Tokens};

/// Under way at once, or over and not forgotten.
pub const PLACES: usize = 8;
/// Of a sign-in through the app-server, which says neither.
const INTERVAL: Duration = Duration::from_secs(2);
const LIFETIME: Duration = Duration::from_secs(15 * 60);

pub struct SignIn {
    own: Arc<OwnLogin>,
    client_id: Option<String>,
    /// What calls are made by, unless it is the app-server; none while nothing is configured.
    codex: Option<Arc<Codex>>,
    app_server: Option<Arc<AppServer>>,
    /// By the code that the client has.
    entries: Mutex<BTreeMap<String, Entry>>,
    places: Arc<Semaphore>,
}

struct Entry {
    flow: Flow,
    with: With,
    /// Who it was, once somebody has signed in.
    now: Option<Now>,
    _place: OwnedSemaphorePermit,
}

#[derive(Clone)]
enum With {
    Issuer(Box<Pending>),
    AppServer(Arc<DeviceLogin>),
}

/// What a client shows its user.
#[derive(Clone, Debug)]
pub struct Begun {
    /// For [`SignIn::poll`]: our own, which nobody else understands.
    pub device_code: String,
    pub user_code: String,
    pub page: String,
    pub whole_page: Option<String>,
    pub interval: Duration,
    pub lifetime: Duration,
}

#[derive(Clone, Debug)]
pub enum Started {
    Begun(Begun),
    /// There is neither an OAuth client nor an app-server.
    NotConfigured,
}

#[derive(Clone, Debug)]
pub enum Refused {
    /// All places are taken.
    Full,
    Failed(ProviderError),
}

/// How far a sign-in is.
#[derive(Clone, Debug)]
pub enum Progress {
    NotConfigured,
    Waiting {
        /// Whether this was asked before it was time.
        too_soon: bool,
        wait: Duration,
        left: Duration,
        /// Why nobody knows, if so.
        trouble: Option<ProviderError>,
    },
    SignedIn(Now),
    Denied,
    /// Or never heard of.
    Expired,
    Failed(ProviderError),
}

/// A sign-in that holds.
#[derive(Clone, Debug, Default)]
pub struct Now {
    /// `daemon`, `codex-cli`, `settings` or `app-server`.
    pub owner: &'static str,
    pub account: Option<String>,
    pub email: Option<String>,
    pub plan: Option<String>,
    /// Seconds since 1970.
    pub expires_at: Option<u64>,
    pub kept_in: Option<PathBuf>,
    /// Why it is not the one that calls are made with, and what to do about it.
    pub unused: Option<&'static str>,
}

impl SignIn {
    pub fn new(
        own: Arc<OwnLogin>,
        client_id: Option<String>,
        codex: Option<Arc<Codex>>,
        app_server: Option<Arc<AppServer>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            own,
            client_id,
            codex,
            app_server,
            entries: Mutex::default(),
            places: Arc::new(Semaphore::new(PLACES)),
        })
    }

    /// Refreshes the daemon's own tokens ahead of need while the result lives, if calls are made with them.
    pub fn keep_fresh(&self) -> Option<Fresh> {
        let Access::ChatGptTokens(by_tokens) = self.codex.as_ref()?.access() else { return None };
        by_tokens.tokens().may_be_own().then(|| self.own.keep_fresh())
    }

    /// Waits for a refresh that is under way, for as long as this.
    pub async fn settle(&self, patience: Duration) {
        self.own.settle(patience).await;
    }

    /// Whose tokens calls are made with, and how they stand; none if calls are made without, or nobody is signed in.
    pub fn standing(&self) -> Option<Result<Now, ProviderError>> {
        let Access::ChatGptTokens(by_tokens) = self.codex.as_ref()?.access() else { return None };
        let source = by_tokens.tokens();
        let owner = source.owner();
        let kept_in = (owner == Owner::Daemon).then(|| self.own.path());
        let standing = source.standing()?;
        Some(standing.map(|tokens| Now { owner: owner.as_str(), kept_in, ..Now::of(tokens) }))
    }

    pub async fn start(&self) -> Result<Started, Refused> {
        if !self.is_configured() {
            return Ok(Started::NotConfigured);
        }
        let place = self.place().ok_or(Refused::Full)?;
        let device_code = uuid::Uuid::new_v4().simple().to_string();
        let (begun, with) = match (&self.client_id, &self.app_server) {
            (Some(client_id), _) => {
                let pending = self.own.issuer().begin(client_id).await.map_err(Refused::Failed)?;
                (Begun::of(device_code, &pending), With::Issuer(Box::new(pending)))
            }
            (None, Some(server)) => {
                let login = begin_there(server).await.map_err(Refused::Failed)?;
                (Begun::there(device_code, &login), With::AppServer(Arc::new(login)))
            }
            (None, None) => return Ok(Started::NotConfigured),
        };
        let flow = Flow::new(begun.interval, begun.lifetime, Instant::now());
        self.entries().insert(begun.device_code.clone(), Entry { flow, with, now: None, _place: place });
        Ok(Started::Begun(begun))
    }

    pub async fn poll(self: &Arc<Self>, code: &str) -> Progress {
        let due = {
            let mut entries = self.entries();
            let now = Instant::now();
            entries.retain(|_, entry| !entry.flow.is_forgotten(now));
            match entries.get_mut(code) {
                Some(entry) => entry.flow.due(now),
                None if !self.is_configured() => return Progress::NotConfigured,
                None => return Progress::Expired,
            }
        };
        if due == Due::Ask {
            // What was granted must not be lost with a client that hangs up.
            let (sign_in, code) = (Arc::clone(self), code.to_owned());
            let _ = tokio::spawn(async move { sign_in.ask(&code).await }).await;
        }
        let entries = self.entries();
        let Some(entry) = entries.get(code) else { return Progress::Expired };
        let View { ended, wait, left, trouble } = entry.flow.view(Instant::now());
        match ended {
            None => Progress::Waiting { too_soon: due == Due::TooSoon, wait, left, trouble },
            Some(Ended::SignedIn) => Progress::SignedIn(entry.now.clone().unwrap_or_default()),
            Some(Ended::Denied) => Progress::Denied,
            Some(Ended::Expired) => Progress::Expired,
            Some(Ended::Failed(error)) => Progress::Failed(error),
        }
    }

    /// Whether there was one that went on.
    pub async fn cancel(&self, code: &str) -> bool {
        let Some(entry) = self.entries().remove(code) else { return false };
        if let With::AppServer(login) = &entry.with {
            login.cancel().await;
        }
        !entry.flow.is_over()
    }

    /// Ends the daemon's own sign-in; none if there is none.
    pub async fn sign_out(self: &Arc<Self>) -> Result<Option<SignedOut>, ProviderError> {
        self.own.sign_out().await
    }

    async fn ask(&self, code: &str) {
        let Some(with) = self.entries().get(code).map(|entry| entry.with.clone()) else { return };
        match with {
            With::AppServer(login) => match login.outcome() {
                None => self.answered(code, Polled::Pending, With::AppServer(login)),
                Some(Ok(())) => {
                    let account = login.account().await;
                    let (email, plan) = (account.email, account.plan);
                    self.signed_in(code, Now { owner: "app-server", email, plan, ..Now::default() });
                }
                Some(Err(why)) => {
                    let message = format!("the Codex app-server did not sign in: {why}");
                    self.end(code, Ended::Failed(ProviderError::new(ErrorKind::Auth, message)));
                }
            },
            With::Issuer(mut pending) => match self.own.issuer().poll(&mut pending).await {
                Polled::Tokens(grant) => {
                    // One that was cancelled meanwhile is nobody's wish any more.
                    if !self.entries().contains_key(code) {
                        return;
                    }
                    match self.own.keep(&pending, grant).await {
                        Ok(tokens) => {
                            let (owner, kept_in) = (Owner::Daemon.as_str(), Some(self.own.path()));
                            self.signed_in(code, Now { owner, kept_in, unused: self.unused(), ..Now::of(tokens) });
                        }
                        Err(error) => self.end(code, Ended::Failed(error)),
                    }
                }
                polled => self.answered(code, polled, With::Issuer(pending)),
            },
        }
    }

    fn answered(&self, code: &str, polled: Polled, with: With) {
        if let Some(entry) = self.entries().get_mut(code) {
            entry.with = with;
            entry.flow.answered(polled, Instant::now());
        }
    }

    fn end(&self, code: &str, ended: Ended) {
        if let Some(entry) = self.entries().get_mut(code) {
            entry.flow.end(ended);
        }
    }

    fn signed_in(&self, code: &str, now: Now) {
        if let Some(entry) = self.entries().get_mut(code) {
            entry.now = Some(now);
            entry.flow.end(Ended::SignedIn);
        }
    }

    fn is_configured(&self) -> bool {
        self.client_id.is_some() || self.app_server.is_some()
    }

    fn unused(&self) -> Option<&'static str> {
        if self.app_server.is_some() {
            return Some(
                "calls go to the Codex app-server, which has a sign-in of its own: configure none to use this one",
            );
        }
        match self.codex.as_ref()?.access() {
            Access::ApiKey(_) => {
                Some("calls are made with an API key, which goes before it: unset OPENAI_API_KEY to use the sign-in")
            }
            Access::ChatGptTokens(by_tokens) if by_tokens.tokens().may_be_own() => None,
            Access::ChatGptTokens(_) => {
                Some("calls are made with CODEX_ACCESS_TOKEN, which goes before it: unset that to use the sign-in")
            }
        }
    }

    /// Sign-ins that are over give theirs up for a new one.
    fn place(&self) -> Option<OwnedSemaphorePermit> {
        let mut entries = self.entries();
        let now = Instant::now();
        entries.retain(|_, entry| !entry.flow.is_forgotten(now));
        if self.places.available_permits() == 0 {
            entries.retain(|_, entry| !entry.flow.is_over());
        }
        Arc::clone(&self.places).try_acquire_owned().ok()
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Begun {
    fn of(device_code: String, pending: &Pending) -> Self {
        Self {
            device_code,
            user_code: pending.user_code().to_owned(),
            page: pending.page().to_string(),
            whole_page: pending.whole_page().map(ToString::to_string),
            interval: pending.interval(),
            lifetime: pending.lifetime(),
        }
    }

    fn there(device_code: String, login: &DeviceLogin) -> Self {
        Self {
            device_code,
            user_code: login.user_code().to_owned(),
            page: login.page().to_owned(),
            whole_page: None,
            interval: INTERVAL,
            lifetime: LIFETIME,
        }
    }
}

impl Now {
    fn of(tokens: Tokens) -> Self {
        let Tokens { account, email, plan, expires_at, .. } = tokens;
        Self { account, email, plan, expires_at, ..Self::default() }
    }
}

async fn begin_there(server: &Arc<AppServer>) -> Result<DeviceLogin, ProviderError> {
    if server.place().transport == "http" {
        let message = "a Codex app-server behind an HTTP shim cannot say when a sign-in is complete";
        return Err(ProviderError::new(ErrorKind::Config, message).with_hint("run `codex login` where it runs"));
    }
    DeviceLogin::start(server).await.map_err(|error| link_error(&error))
}

fn link_error(error: &LinkError) -> ProviderError {
    let hint = match error {
        LinkError::Down(fault) | LinkError::Lost(fault) => fault.hint.clone(),
        _ => None,
    };
    let told = ProviderError::new(ErrorKind::Unavailable, error.to_string());
    hint.into_iter().fold(told, ProviderError::with_hint)
}
