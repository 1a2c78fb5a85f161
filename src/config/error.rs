//! Why a configuration cannot be used.
//!
//! A message names where (file and line, environment variable or flag), what is wrong and what would be right. It
//! never quotes a value: what stands in the wrong place may be a secret.

use std::path::{Path, PathBuf};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigErrorKind {
    /// The file is not there although it was named, or cannot be read.
    Unreadable,
    /// The file is not TOML.
    Syntax,
    UnknownKey,
    /// A value of the wrong type, out of bounds, or missing.
    Value,
    /// Nothing says where the state directory is.
    NoHome,
}

#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct ConfigError {
    pub kind: ConfigErrorKind,
    /// The file and the line, if it stands in one.
    pub place: Option<(PathBuf, usize)>,
    message: String,
}

impl ConfigError {
    pub(super) fn unreadable(file: &Path, why: &str) -> Self {
        let message = format!("the configuration file {} cannot be read: {why}", file.display());
        Self { kind: ConfigErrorKind::Unreadable, place: None, message }
    }

    pub(super) fn in_file(kind: ConfigErrorKind, file: &Path, line: usize, what: &str) -> Self {
        let message = format!("{}:{line}: {what}", file.display());
        Self { kind, place: Some((file.to_owned(), line)), message }
    }

    pub(super) fn in_environment(name: &str, what: &str) -> Self {
        let message = format!("the environment variable {name} {what}");
        Self { kind: ConfigErrorKind::Value, place: None, message }
    }

    pub(super) fn in_flag(kind: ConfigErrorKind, name: &str, what: &str) -> Self {
        Self { kind, place: None, message: format!("the setting {name} given on the command line {what}") }
    }

    pub(super) fn no_home(variable: &str) -> Self {
        let message = format!(
            "there is no place to keep sessions: {variable} is not set; set it, or name a directory in \
             OPEN_THINK_STATE_DIR"
        );
        Self { kind: ConfigErrorKind::NoHome, place: None, message }
    }
}
