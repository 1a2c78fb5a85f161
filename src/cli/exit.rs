//! Exit codes, and the one place that prints why a command failed.

use std::process::ExitCode;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Done,
    /// The command was understood but failed.
    Failed,
    /// The command line, the configuration or the input is not what it should be.
    Usage,
    /// The turn stopped at actions that wait for approval.
    Held,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Held => 3,
        })
    }
}

#[expect(clippy::print_stderr, reason = "the process ends, and this says why")]
pub fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("open-think: {error:#}");
    let usage = error.is::<crate::config::ConfigError>() || error.is::<crate::plugins::LoadError>();
    if usage { Exit::Usage.into() } else { Exit::Failed.into() }
}
