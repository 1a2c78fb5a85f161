//! Why a provider could not answer.

use std::time::Duration;

/// The message is one sentence for people, already free of secrets; `kind` is what code branches on.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct ProviderError {
    pub kind: ErrorKind,
    pub message: String,
    /// The HTTP status upstream answered with, when it answered.
    pub status: Option<u16>,
    pub retryable: bool,
    /// When upstream asked to be left alone until.
    pub retry_after: Option<Duration>,
    /// What the user can do about it.
    pub hint: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// 401, 403: the credential is missing, wrong or not enough.
    Auth,
    /// Out of credit or quota: waiting a moment does not help.
    Quota,
    RateLimited,
    /// Overloaded, unavailable or failing on its own account.
    Unavailable,
    Timeout,
    /// The connection could not be made or broke before an answer.
    Network,
    /// Upstream finds fault with the request.
    InvalidRequest,
    ModelNotFound,
    ContextTooLong,
    ContentBlocked,
    /// The answer broke off.
    Truncated,
    /// The answer was not what the protocol says.
    Protocol,
    HostNotAllowed,
    /// The cap on spending is reached; nothing was sent.
    SpendCap,
    /// The provider lacks a setting.
    Config,
}

impl ProviderError {
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        use ErrorKind::{Network, RateLimited, Timeout, Truncated, Unavailable};
        let retryable = matches!(kind, RateLimited | Unavailable | Timeout | Network | Truncated);
        let message = message.into();
        Self { kind, message, status: None, retryable, retry_after: None, hint: None }
    }

    pub fn with_status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    pub fn with_retry_after(mut self, retry_after: Option<Duration>) -> Self {
        self.retry_after = retry_after;
        self
    }

    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub fn retryable(mut self, retryable: bool) -> Self {
        self.retryable = retryable;
        self
    }
}
