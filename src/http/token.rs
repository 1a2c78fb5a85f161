//! The bearer token: 32 random bytes in a file that only its user can read, made once and kept.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use nix::unistd::Uid;
use ring::rand::{SecureRandom, SystemRandom};

use crate::config::Secret;
use crate::config::private_file::{beside, create};

const FILE: &str = "http-token";
const BYTES: usize = 32;
/// Of what is in the file, which its user may have written.
const SHORTEST: usize = 32;
const LONGEST: u64 = 4096;

#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    #[error("the token in {0} cannot be read or made: {1}")]
    Io(PathBuf, io::Error),
    #[error("other users may read the token in {0}: run chmod 600 '{0}', or rm '{0}' if they may have read it")]
    Open(PathBuf),
    #[error("the token's file {0} is not a plain file of yours: look what it is, and run rm '{0}'")]
    Foreign(PathBuf),
    #[error("what is in {0} is no token of {SHORTEST} characters or more: run rm '{0}', and another is made")]
    NoToken(PathBuf),
    #[error("the system gives no random bytes for a token")]
    NoRandom,
}

/// The token, and where it is kept.
pub fn load_or_make(state_dir: &Path) -> Result<(Secret, PathBuf), TokenError> {
    let path = state_dir.join(FILE);
    let failed = |error| TokenError::Io(path.clone(), error);
    loop {
        match open(&path) {
            Ok(file) => return Ok((read(file, &path)?, path)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) if error.raw_os_error() == Some(nix::errno::Errno::ELOOP as i32) => {
                return Err(TokenError::Foreign(path));
            }
            Err(error) => return Err(failed(error)),
        }
        // Another process may make one as well: whichever is there first is the one.
        make(&path)?;
    }
}

fn open(path: &Path) -> io::Result<File> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)
}

fn read(mut file: File, path: &Path) -> Result<Secret, TokenError> {
    let failed = |error| TokenError::Io(path.to_owned(), error);
    let facts = file.metadata().map_err(failed)?;
    if !facts.is_file() || facts.uid() != Uid::effective().as_raw() {
        return Err(TokenError::Foreign(path.to_owned()));
    }
    if facts.mode() & 0o077 != 0 {
        return Err(TokenError::Open(path.to_owned()));
    }
    let mut text = String::new();
    if facts.len() > LONGEST || file.read_to_string(&mut text).is_err() {
        return Err(TokenError::NoToken(path.to_owned()));
    }
    let token = text.trim();
    match token.len() >= SHORTEST && token.bytes().all(|byte| byte.is_ascii_graphic()) {
        true => Ok(Secret::new(token)),
        false => Err(TokenError::NoToken(path.to_owned())),
    }
}

/// Never half written under its name.
fn make(path: &Path) -> Result<(), TokenError> {
    let failed = |error| TokenError::Io(path.to_owned(), error);
    let new = beside(path, &format!("new.{}", std::process::id()));
    let token = random()?;
    let written = || -> io::Result<()> {
        let mut file = create(&new)?;
        writeln!(file, "{token}")?;
        file.sync_all()?;
        match fs::hard_link(&new, path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        }
    };
    let made = written();
    // What is left of it is in nobody's way.
    let _ = fs::remove_file(&new);
    made.map_err(failed)
}

/// In hexadecimal digits.
fn random() -> Result<String, TokenError> {
    let mut bytes = [0; BYTES];
    SystemRandom::new().fill(&mut bytes).map_err(|_| TokenError::NoRandom)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn it_is_made_once_private_and_kept() {
        let home = tempfile::TempDir::new().unwrap();
        let (first, path) = load_or_make(home.path()).unwrap();
        let (second, _) = load_or_make(home.path()).unwrap();
        assert_eq!(first.expose(), second.expose());
        assert_eq!(first.expose().len(), 2 * BYTES);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1, "nothing else is left there");
        let other = tempfile::TempDir::new().unwrap();
        assert_ne!(load_or_make(other.path()).unwrap().0.expose(), first.expose());
    }

    #[track_caller]
    fn check(path: &Path, wanted: &str) {
        let error = load_or_make(path.parent().unwrap()).unwrap_err().to_string();
        assert!(error.contains(wanted) && error.contains(&path.display().to_string()), "{error}");
    }

    #[test]
    fn one_that_others_can_read_or_have_put_there_is_refused_with_the_way_out() {
        let home = tempfile::TempDir::new().unwrap();
        let (_, path) = load_or_make(home.path()).unwrap();
        set_mode(&path, 0o640);
        check(&path, "run chmod 600 '");
        set_mode(&path, 0o600);
        fs::write(&path, "short").unwrap();
        check(&path, "run rm '");
        fs::write(&path, "a token with spaces that is long enough for one").unwrap();
        check(&path, "run rm '");
        fs::remove_file(&path).unwrap();
        symlink("/etc/hostname", &path).unwrap();
        check(&path, "is not a plain file of yours");
    }
}
