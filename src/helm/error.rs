//! Why a turn could not be, or could not go on.

use std::sync::Arc;

use super::Attempt;
use crate::model::ProviderError;
use crate::sessions::StoreError;

#[derive(Clone, Debug, thiserror::Error)]
pub enum HelmError {
    #[error("{message}")]
    NoProvider { message: String, hint: String },
    #[error("{error}")]
    Provider { provider: String, error: Arc<ProviderError>, attempts: Vec<Attempt> },
    #[error("all {} models failed; the last one: {error}", failed(attempts))]
    FallbacksExhausted { provider: String, error: Arc<ProviderError>, attempts: Vec<Attempt> },
    #[error("session '{session}' already has {waiting} turns waiting")]
    Overloaded { session: String, waiting: usize },
    #[error("session '{session}' is busy with a turn")]
    Busy { session: String },
    #[error("{message}")]
    BadRequest { message: String },
    #[error("parameter 'input' is empty, and action '{action}' was shown with an input")]
    EmptyInput { action: String },
    /// The engine cannot be reached in which the turn waits for a decision; it goes on waiting.
    #[error("{error}")]
    Waits { provider: String, error: Arc<ProviderError> },
    /// It was said to a turn that runs, which may have taken it or not.
    #[error("whether the running turn has taken what was said to it is not known: {why}")]
    Unheard { why: String },
    #[error("{0}")]
    Store(StoreError),
    #[error("a turn ended without an outcome")]
    Lost,
}

impl HelmError {
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::BadRequest { message: message.into() }
    }
}

/// Those of earlier calls that went well are no part of the failure.
fn failed(attempts: &[Attempt]) -> usize {
    attempts.iter().filter(|attempt| attempt.error.is_some()).count()
}

impl From<StoreError> for HelmError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Decided(_) => Self::bad_request(error.to_string()),
            StoreError::Failed(_) => Self::Store(error),
        }
    }
}
