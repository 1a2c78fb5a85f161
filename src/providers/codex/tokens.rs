//! The tokens of a ChatGPT subscription: whose they are, how long they hold, and where newer ones come from.
//!
//! Those of the daemon's own sign-in are refreshed. All others are somebody else's: they are read and used, never
//! refreshed, for a second refresher would sign the first one out.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use super::auth_file::{self, Login};
use super::claims::Claims;
use super::sign_in::OwnLogin;
use crate::config::Secret;
use crate::model::{ErrorKind, ProviderError};
use crate::policy::Redactor;

#[derive(Clone, Debug)]
pub struct Tokens {
    pub access: Secret,
    /// The account that pays.
    pub account: Option<String>,
    /// Of the user.
    pub email: Option<String>,
    pub plan: Option<String>,
    /// Seconds since 1970.
    pub expires_at: Option<u64>,
}

impl Tokens {
    /// `account` is what is known of it beside what the tokens say.
    pub fn new(access: Secret, id: Option<&Secret>, account: Option<String>) -> Self {
        let of_access = Claims::of(access.expose());
        let of_id = id.map(|id| Claims::of(id.expose())).unwrap_or_default();
        Self {
            access,
            account: account.or(of_id.account).or(of_access.account),
            email: of_id.email.or(of_access.email),
            plan: of_id.plan.or(of_access.plan),
            expires_at: of_access.expires_at,
        }
    }

    fn expired_by(&self, now: SystemTime) -> Option<SystemTime> {
        let expiry = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(self.expires_at?))?;
        (expiry <= now).then_some(expiry)
    }
}

/// Whose sign-in it is, and who refreshes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Whoever made the settings.
    Settings,
    CodexCli,
    Daemon,
}

impl Owner {
    /// As clients see it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Settings => "settings",
            Self::CodexCli => "codex-cli",
            Self::Daemon => "daemon",
        }
    }
}

/// The tokens in use, and their source.
pub enum TokenSource {
    Settings(Tokens),
    CodexCli(CliLogin),
    /// The daemon's own sign-in, and the Codex CLI's while there is none.
    Own {
        own: Arc<OwnLogin>,
        cli: Option<CliLogin>,
    },
}

/// The sign-in of the Codex CLI, in the directory where it is kept.
pub struct CliLogin {
    home: PathBuf,
    /// As they were read last; none if they never were.
    current: RwLock<Option<Tokens>>,
    redactor: Redactor,
}

impl TokenSource {
    /// None if nobody is signed in, or the sign-in has ended.
    pub fn current(&self) -> Option<Tokens> {
        match self {
            Self::Settings(tokens) => Some(tokens.clone()),
            Self::CodexCli(cli) => cli.current(),
            Self::Own { own, .. } => match self.cli() {
                Some(cli) => cli.current(),
                None => own.tokens().ok(),
            },
        }
    }

    pub fn owner(&self) -> Owner {
        match self {
            Self::Settings(_) => Owner::Settings,
            _ if self.cli().is_some() => Owner::CodexCli,
            _ => Owner::Daemon,
        }
    }

    /// How the sign-in stands, as far as can be told without asking anybody; none if nobody is signed in.
    pub fn standing(&self) -> Option<Result<Tokens, ProviderError>> {
        match self {
            // An access token that has expired is refreshed when it is used.
            Self::Own { own, .. } if self.cli().is_none() => own.is_there().then(|| own.tokens()),
            _ => self.current().map(|tokens| unexpired(tokens, self.sign_in_hint())),
        }
    }

    /// Whether the daemon's own sign-in is one that counts.
    pub fn may_be_own(&self) -> bool {
        matches!(self, Self::Own { .. })
    }

    /// Why nobody is signed in, if so, with what to do about it. A sign-in that has ended is one that fails when it is used.
    pub fn lack(&self) -> Option<ProviderError> {
        let Self::Own { own, cli } = self else { return None };
        let is_there = own.is_there() || cli.as_ref().is_some_and(|cli| cli.current().is_some());
        if is_there { None } else { own.tokens().err() }
    }

    /// Those in use, or newer ones if those have expired.
    pub(super) async fn valid(&self) -> Result<Tokens, ProviderError> {
        match self {
            Self::Settings(tokens) => unexpired(tokens.clone(), self.sign_in_hint()),
            Self::CodexCli(cli) => cli.valid().await,
            Self::Own { own, .. } => match self.cli() {
                Some(cli) => cli.valid().await,
                None => own.valid().await,
            },
        }
    }

    /// Those to ask with after these were refused; none if there are no others.
    pub(super) async fn after_refusal(&self, refused: &Tokens) -> Result<Option<Tokens>, ProviderError> {
        match self {
            Self::Settings(_) => Ok(None),
            Self::CodexCli(cli) => cli.newest().await.map(Some),
            Self::Own { own, .. } => match self.cli() {
                Some(cli) => cli.newest().await.map(Some),
                None => own.after_refusal(refused).await,
            },
        }
    }

    /// What to do when the tokens hold no more.
    pub(super) fn sign_in_hint(&self) -> &'static str {
        match self.owner() {
            Owner::Settings => {
                "run `codex login` again, and set CODEX_ACCESS_TOKEN and CODEX_ID_TOKEN to the new tokens"
            }
            Owner::CodexCli => "run `codex login` again",
            Owner::Daemon => "run `open-think login codex` again",
        }
    }

    /// The sign-in of the Codex CLI, if it is the one that counts.
    fn cli(&self) -> Option<&CliLogin> {
        match self {
            Self::Settings(_) => None,
            Self::CodexCli(cli) => Some(cli),
            Self::Own { own, cli } => cli.as_ref().filter(|_| !own.is_there()),
        }
    }
}

impl CliLogin {
    /// `tokens` are those that were read there, if they could be.
    pub fn new(home: PathBuf, tokens: Option<Tokens>, redactor: Redactor) -> Self {
        Self { home, current: RwLock::new(tokens), redactor }
    }

    fn current(&self) -> Option<Tokens> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn valid(&self) -> Result<Tokens, ProviderError> {
        match self.current().filter(|tokens| tokens.expired_by(SystemTime::now()).is_none()) {
            Some(tokens) => Ok(tokens),
            None => self.newest().await,
        }
    }

    /// Reads them again.
    async fn newest(&self) -> Result<Tokens, ProviderError> {
        let (home, redactor) = (self.home.clone(), self.redactor.clone());
        let read = tokio::task::spawn_blocking(move || auth_file::read(&home, &redactor));
        let tokens = match read.await {
            Ok(Ok(Login::Tokens(tokens))) => tokens,
            Ok(Ok(Login::Key(_))) => {
                let message = "the Codex CLI has signed out of the ChatGPT subscription and uses an API key now";
                let error = ProviderError::new(ErrorKind::Auth, message);
                return Err(error.with_hint("run `codex login` again, or start the daemon again to use that key"));
            }
            Ok(Err(fault)) => return Err(fault),
            Err(_) => {
                return Err(ProviderError::new(ErrorKind::Auth, "the sign-in of the Codex CLI could not be read"));
            }
        };
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(tokens.clone());
        unexpired(tokens, "run `codex login` again")
    }
}

fn unexpired(tokens: Tokens, hint: &str) -> Result<Tokens, ProviderError> {
    let Some(expiry) = tokens.expired_by(SystemTime::now()) else { return Ok(tokens) };
    let when = httpdate::fmt_http_date(expiry);
    let message = format!("the access token of the ChatGPT subscription expired on {when}");
    Err(ProviderError::new(ErrorKind::Auth, message).with_hint(hint))
}
