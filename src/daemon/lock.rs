//! A lock on a file that the system takes back when the process ends, however it ends.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;

/// Held until it is dropped; the file goes with it.
#[derive(Debug)]
pub struct Lock {
    /// Children do not get it: like every file that std opens it is closed when a program is started.
    file: File,
    path: PathBuf,
}

impl Lock {
    /// None while somebody else holds it.
    pub fn try_take(path: &Path) -> io::Result<Option<Self>> {
        loop {
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(false).mode(0o600).custom_flags(OFlag::O_NOFOLLOW.bits());
            let file = options.open(path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error),
            }
            // Whoever held it before has removed the file that we opened meanwhile: others lock another one.
            if is_at(&file, path)? {
                return Ok(Some(Self { file, path: path.to_owned() }));
            }
        }
    }

    /// Whether others who lock the path meet this lock. Somebody may have removed the file.
    pub fn is_there(&self) -> bool {
        is_at(&self.file, &self.path).unwrap_or_default()
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // A file that stays is no lock. One that somebody else has put there is theirs.
        if self.is_there() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let ours = file.metadata()?;
    match fs::symlink_metadata(path) {
        Ok(found) => Ok((found.dev(), found.ino()) == (ours.dev(), ours.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn one_holds_it_and_a_file_that_was_left_behind_holds_nobody_up() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("a.lock");
        fs::write(&path, "").expect("a file");
        let held = Lock::try_take(&path).expect("it can be locked").expect("it is free");
        assert!(Lock::try_take(&path).expect("it can be looked at").is_none());
        drop(held);
        assert!(!path.exists());
        let held = Lock::try_take(&path).expect("it can be locked").expect("it is free");
        assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);
        drop(held);
    }

    #[test]
    fn one_whose_file_is_gone_leaves_the_next_one_alone() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("a.lock");
        let lost = Lock::try_take(&path).expect("it can be locked").expect("it is free");
        assert!(lost.is_there());
        fs::remove_file(&path).expect("it is there");
        assert!(!lost.is_there());
        let next = Lock::try_take(&path).expect("it can be locked").expect("nobody holds this one");
        drop(lost);
        assert!(next.is_there());
    }

    #[test]
    fn a_link_is_not_followed() {
        let directory = tempfile::tempdir().expect("a directory");
        let (path, target) = (directory.path().join("a.lock"), directory.path().join("target"));
        std::os::unix::fs::symlink(&target, &path).expect("a link");
        assert!(Lock::try_take(&path).is_err());
        assert!(!target.exists());
    }
}
