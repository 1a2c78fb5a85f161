//! When the first path fails: whether the second may fare better, and what is told if it does not.

use serde_json::{Value, json};

use super::doors::Path;
use crate::model::{ErrorKind, Metadata, ProviderError};

#[derive(Clone, Copy)]
enum Status {
    Any,
    Is(u16),
    /// Some status of a server that fails.
    Failing,
    /// Any, as against none at all.
    Some,
}

/// Failures that are the path's own. Everything else (a request that is at fault, a rate or a cap that is reached,
/// content that is blocked, time that is up, an answer that broke off) is the same on every path, or has cost
/// something already.
const OF_THE_PATH: [(ErrorKind, Status); 10] = [
    // The token lacks the permission, is none, or the vendor's key behind it is wrong (10000, 2009).
    (ErrorKind::Auth, Status::Any),
    // Not on Unified Billing, or out of credit: a stored key may do on the other (2021).
    (ErrorKind::Quota, Status::Is(402)),
    // The run path has a catalogue of its own, with names of its own (7003).
    (ErrorKind::ModelNotFound, Status::Is(404)),
    (ErrorKind::InvalidRequest, Status::Is(404)),
    (ErrorKind::InvalidRequest, Status::Is(405)),
    (ErrorKind::Network, Status::Any),
    (ErrorKind::HostNotAllowed, Status::Any),
    (ErrorKind::Unavailable, Status::Failing),
    (ErrorKind::Timeout, Status::Failing),
    // A page of something in between.
    (ErrorKind::Protocol, Status::Some),
];

pub(super) fn is_of_the_path(error: &ProviderError) -> bool {
    OF_THE_PATH.iter().any(|(kind, status)| *kind == error.kind && status.fits(error.status))
}

impl Status {
    fn fits(self, status: Option<u16>) -> bool {
        match (self, status) {
            (Self::Any, _) | (Self::Some, Some(_)) => true,
            (Self::Is(wanted), Some(status)) => wanted == status,
            (Self::Failing, Some(status)) => status >= 500,
            (Self::Is(_) | Self::Failing | Self::Some, None) => false,
        }
    }
}

/// Which way an answer came, and which one it could not come.
pub(super) fn metadata(path: Path, failed: &[(Path, ProviderError)]) -> Metadata {
    let mut metadata = Metadata::from_iter([("path".to_owned(), json!(path.name()))]);
    if !failed.is_empty() {
        metadata.insert("pathErrors".to_owned(), failed.iter().map(row).collect());
    }
    metadata
}

fn row((path, error): &(Path, ProviderError)) -> Value {
    let mut row = json!({ "path": path.name(), "error": error.message });
    if let Some(status) = error.status {
        row["status"] = json!(status);
    }
    row
}

/// The last one decides what kind of failure it is; its message tells of those before.
pub(super) fn join(failed: &[(Path, ProviderError)], path: Path, mut last: ProviderError) -> ProviderError {
    let Some((first_path, first)) = failed.first() else { return last };
    last.message = format!("{} path: {}; {} path: {}", first_path.name(), first.message, path.name(), last.message);
    last.hint = last.hint.or_else(|| first.hint.clone());
    last
}
