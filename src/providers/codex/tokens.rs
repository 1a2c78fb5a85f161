//! The tokens of a ChatGPT subscription: whose they are, how long they hold, and where newer ones come from.
//!
//! They are somebody else's. They are read and used, never refreshed: a second refresher would sign the first one out.

use std::path::PathBuf;
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use super::auth_file::{self, Login};
use super::claims::Claims;
use crate::config::Secret;
use crate::model::{ErrorKind, ProviderError};
use crate::policy::Redactor;

#[derive(Clone, Debug)]
pub struct Tokens {
    pub access: Secret,
    /// The account that pays.
    pub account: Option<String>,
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
            plan: of_id.plan.or(of_access.plan),
            expires_at: of_access.expires_at,
        }
    }

    fn expired_by(&self, now: SystemTime) -> Option<SystemTime> {
        let expiry = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(self.expires_at?))?;
        (expiry <= now).then_some(expiry)
    }
}

/// The tokens in use, and their source.
pub struct TokenSource {
    current: RwLock<Tokens>,
    /// Where the Codex CLI keeps its own; none if they are settings, of which there are no newer ones.
    home: Option<PathBuf>,
    redactor: Redactor,
}

impl TokenSource {
    pub fn new(tokens: Tokens, home: Option<PathBuf>, redactor: Redactor) -> Self {
        Self { current: RwLock::new(tokens), home, redactor }
    }

    pub fn current(&self) -> Tokens {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn is_a_file(&self) -> bool {
        self.home.is_some()
    }

    /// Those in use, or newer ones if those have expired.
    pub(super) async fn valid(&self) -> Result<Tokens, ProviderError> {
        let tokens = self.current();
        if tokens.expired_by(SystemTime::now()).is_none() {
            return Ok(tokens);
        }
        self.newest().await
    }

    /// Reads them again, if they come from a file.
    pub(super) async fn newest(&self) -> Result<Tokens, ProviderError> {
        let tokens = match &self.home {
            Some(home) => self.read_again(home.clone()).await?,
            None => self.current(),
        };
        match tokens.expired_by(SystemTime::now()) {
            None => Ok(tokens),
            Some(expiry) => {
                let when = httpdate::fmt_http_date(expiry);
                let message = format!("the access token of the ChatGPT subscription expired on {when}");
                Err(ProviderError::new(ErrorKind::Auth, message).with_hint(self.sign_in_hint()))
            }
        }
    }

    /// What to do when the tokens hold no more.
    pub(super) fn sign_in_hint(&self) -> &'static str {
        match self.home {
            Some(_) => "run `codex login` again",
            None => "run `codex login` again, and set CODEX_ACCESS_TOKEN and CODEX_ID_TOKEN to the new tokens",
        }
    }

    async fn read_again(&self, home: PathBuf) -> Result<Tokens, ProviderError> {
        let redactor = self.redactor.clone();
        let read = tokio::task::spawn_blocking(move || auth_file::read(&home, &redactor));
        match read.await {
            Ok(Ok(Login::Tokens(tokens))) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = tokens.clone();
                Ok(tokens)
            }
            Ok(Ok(Login::Key(_))) => {
                let message = "the Codex CLI has signed out of the ChatGPT subscription and uses an API key now";
                let error = ProviderError::new(ErrorKind::Auth, message);
                Err(error.with_hint("run `codex login` again, or start the daemon again to use that key"))
            }
            Ok(Err(fault)) => Err(fault),
            Err(_) => Err(ProviderError::new(ErrorKind::Auth, "the sign-in of the Codex CLI could not be read")),
        }
    }
}
