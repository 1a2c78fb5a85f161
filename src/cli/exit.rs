//! Exit codes, and how a command that failed says why.

use std::io;
use std::process::ExitCode;

use tokio::signal::unix::SignalKind;

use crate::cli::client::CallError;
use crate::cli::terminal::{Style, Terminal};
use crate::config::ConfigError;
use crate::daemon::{AddressError, Signals, StartError};
use crate::http::OpenError;
use crate::plugins::LoadError;
use crate::protocol::{Code, ErrorData};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Done,
    /// The command was understood but failed.
    Failed,
    /// The command line, the configuration or the input is not what it should be.
    Usage,
    /// The turn stopped at actions that wait for approval.
    Held,
    /// The daemon cannot be reached or started.
    Unavailable,
    /// Ctrl-C.
    Interrupted,
    /// SIGTERM.
    Terminated,
    /// SIGHUP: the terminal is gone.
    HungUp,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

impl Exit {
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Held => 3,
            Self::Unavailable => 69,
            Self::HungUp => 129,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }
}

impl Exit {
    /// What the work comes to, or a signal that asks for the end: the skills that are at work must end with the command,
    /// which they do when it ends by itself. Nothing in the work may wait without giving way.
    pub async fn or_signal(work: impl Future<Output = anyhow::Result<Self>>) -> anyhow::Result<Self> {
        let mut signals = Signals::listen()?;
        tokio::select! {
            exit = work => exit,
            signal = signals.next() => Ok(Self::of_signal(signal)),
        }
    }

    pub fn of_signal(signal: SignalKind) -> Self {
        match signal {
            signal if signal == SignalKind::terminate() => Self::Terminated,
            signal if signal == SignalKind::hangup() => Self::HungUp,
            _ => Self::Interrupted,
        }
    }
}

/// What was typed or piped in cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct UsageError {
    message: String,
    hint: String,
}

impl UsageError {
    pub fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into() }
    }
}

/// Says why, and what to do about it.
pub fn fail(error: &anyhow::Error, terminal: &Terminal) -> Exit {
    // Whoever read the output has had enough.
    let closed = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    };
    if error.chain().any(closed) {
        return Exit::Done;
    }
    let name = terminal.error.paint(Style::Bad, "open-think:");
    let message = format!("{error:#}");
    terminal.note(&format!("{name} {}", terminal.error.foreign(&message)));
    if let Some(hint) = hint(error) {
        terminal.note(&format!("hint: {}", terminal.error.foreign(&hint)));
    }
    of(error)
}

/// The same for somebody else to say.
pub fn told(error: &anyhow::Error) -> (Exit, String) {
    let hint = hint(error).map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
    (of(error), format!("{error:#}{hint}"))
}

fn of(error: &anyhow::Error) -> Exit {
    if let Some(error) = error.downcast_ref::<StartError>() {
        let usage = matches!(error, StartError::Refused { code: 2, .. });
        return if usage { Exit::Usage } else { Exit::Unavailable };
    }
    let usage = error.is::<UsageError>() || error.is::<ConfigError>() || error.is::<LoadError>();
    let usage = usage || matches!(error.downcast_ref(), Some(AddressError::Config(_)));
    let usage = usage || error.downcast_ref().is_some_and(OpenError::is_of_settings);
    let refused = error.downcast_ref::<CallError>().and_then(CallError::code);
    let bad_request = refused.is_some_and(|code| [Code::BadRequest, Code::NotFound].map(Code::number).contains(&code));
    if usage || bad_request { Exit::Usage } else { Exit::Failed }
}

fn hint(error: &anyhow::Error) -> Option<String> {
    if let Some(error) = error.downcast_ref::<UsageError>() {
        return Some(error.hint.clone()).filter(|hint| !hint.is_empty());
    }
    error.downcast_ref::<CallError>()?.data().and_then(|ErrorData { hint, .. }| hint)
}
