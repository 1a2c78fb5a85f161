//! What can go wrong with the file, and the sentence that says so with the way out.

use std::io;
use std::path::Path;

use rusqlite::ErrorCode;

use super::StoreError;

#[derive(Debug)]
pub(super) enum Fault {
    Sqlite(rusqlite::Error),
    Io(io::Error),
    /// The file's format is not one that this program knows.
    Newer {
        found: usize,
        known: usize,
    },
    NoSession(String),
    /// The action of this id is not held any more.
    Decided(String),
    /// The thread is gone.
    Stopped,
}

impl Fault {
    pub(super) fn at(self, path: &Path) -> StoreError {
        let path = path.display();
        StoreError::Failed(match self {
            Self::Decided(id) => return StoreError::Decided(id),
            Self::Newer { found, known } => format!(
                "The sessions file {path} has format {found}, and this open-think knows formats up to {known}. \
                 Update open-think, or move the file away to start anew."
            ),
            Self::NoSession(name) => {
                format!("The session '{name}' is not in the sessions file {path}; it may have been deleted meanwhile.")
            }
            Self::Stopped => format!(
                "The sessions file {path} is closed after a fault inside open-think. Restart the daemon; its log says more."
            ),
            Self::Io(error) => format!("The sessions file {path} cannot be opened: {}", io_reason(&error)),
            Self::Sqlite(error) => sqlite_sentence(&path.to_string(), &error),
        })
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

fn io_reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "the disk is full. Free some space, or set another state directory.".to_owned()
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "its directory is not writable for this user. Change that, or set another state directory.".to_owned()
        }
        io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
            "a part of its path is a file, not a directory. Check the state directory.".to_owned()
        }
        _ => format!("{error}. Check the path, or set another state directory."),
    }
}

fn sqlite_sentence(path: &str, error: &rusqlite::Error) -> String {
    let file = format!("The sessions file {path}");
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => format!(
            "{file} cannot be written: the disk is full. Free some space, or set another state directory. \
             Nothing of the last change was kept; it can be tried again."
        ),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => format!(
            "{file} cannot be written: the file or its directory is read-only for this user. \
             Change that, or set another state directory."
        ),
        Some(ErrorCode::CannotOpen) => format!(
            "{file} cannot be opened: check that it is a file, that its directory exists, and that this user may \
             read and write both."
        ),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed) => format!(
            "{file} is locked by another process. Try again, or end the program that holds it \
             (`fuser {path}` names it)."
        ),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            format!(
                "{file} is damaged or is not a sessions file. Move it away, with the files beside it that start with its name, to start anew."
            )
        }
        Some(ErrorCode::SystemIoFailure) => {
            format!("{file} cannot be read or written ({error}). Check the disk and its free space, then try again.")
        }
        Some(_) => format!("{file} could not take the change: {error}."),
        None => {
            let reason = match error {
                rusqlite::Error::FromSqlConversionFailure(_, _, reason) => reason.to_string(),
                other => other.to_string(),
            };
            format!(
                "{file} holds a row that this open-think cannot read ({reason}). Update open-think, or delete the session."
            )
        }
    }
}
