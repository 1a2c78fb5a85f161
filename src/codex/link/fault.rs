//! Why there is no connection, and why a request has no answer.

use std::sync::Arc;
use std::time::Duration;

use jsonrpsee::types::ErrorObjectOwned;

/// The message is one sentence for people, free of secrets; the hint says what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    pub kind: FaultKind,
    pub message: String,
    pub hint: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// There is no Codex CLI to start.
    NotInstalled,
    /// The child could not be started, or ended before it was ready.
    ChildFailed,
    NothingListening,
    HostNotAllowed,
    WrongToken,
    /// Too old to speak this protocol, or no app-server at all.
    WrongVersion,
    /// Its configuration is broken, so that it would run with defaults instead.
    BadConfiguration,
    /// It did not connect, upgrade, initialise or answer a ping in time.
    TimedOut,
    /// The connection broke.
    Broken,
    /// It does not speak the protocol.
    Protocol,
    /// The daemon stops, or the link was closed.
    Closed,
}

impl FaultKind {
    /// Whether trying again is useless until somebody has done something about it.
    pub fn is_final(self) -> bool {
        matches!(
            self,
            Self::NotInstalled | Self::HostNotAllowed | Self::WrongToken | Self::WrongVersion | Self::BadConfiguration
        )
    }

    /// As `codex.status` and `doctor` name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotInstalled => "not-installed",
            Self::ChildFailed => "child-failed",
            Self::NothingListening => "nothing-listening",
            Self::HostNotAllowed => "host-not-allowed",
            Self::WrongToken => "wrong-token",
            Self::WrongVersion => "wrong-version",
            Self::BadConfiguration => "bad-configuration",
            Self::TimedOut => "timed-out",
            Self::Broken => "broken",
            Self::Protocol => "protocol",
            Self::Closed => "closed",
        }
    }
}

impl Fault {
    pub fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None }
    }

    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Why a request over the link has no result.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LinkError {
    /// The app-server's own answer.
    #[error("{}", .0.message())]
    Rpc(ErrorObjectOwned),
    /// It was not sent, for there is no connection.
    #[error("{0}")]
    Down(Arc<Fault>),
    /// It was sent, and the connection broke before the answer: it may have been done.
    #[error("the connection to the Codex app-server broke before the answer: {0}")]
    Lost(Arc<Fault>),
    #[error("the Codex app-server did not answer within {} ms", .after.as_millis())]
    TimedOut { after: Duration },
    #[error("{waiting} requests wait for the Codex app-server already")]
    Overloaded { waiting: usize },
}
