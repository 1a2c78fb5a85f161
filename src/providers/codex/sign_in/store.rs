//! The file that the daemon's own sign-in is kept in, for its user alone, and the lock beside it.
//!
//! Whoever writes holds the lock, so that two daemons never use one refresh token. Readers need none: the file is always
//! a whole one, for a new one is put in its place. What is written is on the disk before the call returns.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind as IoErrorKind, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};
use url::Url;

use super::issuer::Endpoints;
use crate::config::{Secret, private_file};

/// In the state directory.
const FILE: &str = "codex-login.json";
const LOCK: &str = "codex-login.lock";
const VERSION: u32 = 1;
/// One that is longer is something else.
const MAX_BYTES: u64 = 1024 * 1024;
const PRIVATE_FILE: u32 = 0o600;
const PRIVATE_DIR: u32 = 0o700;
/// A little more than whoever holds the lock may wait for the issuer.
const LOCK_WAIT: Duration = Duration::from_secs(45);
const LOCK_PAUSE: Duration = Duration::from_millis(50);

pub(super) struct Store {
    directory: PathBuf,
}

/// A sign-in as it is kept.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) issuer: Url,
    pub(super) client_id: String,
    pub(super) endpoints: Endpoints,
    pub(super) access: Secret,
    pub(super) id: Option<Secret>,
    pub(super) refresh: Option<Secret>,
    /// Seconds since 1970, as the next.
    pub(super) expires_at: Option<u64>,
    pub(super) obtained_at: u64,
    /// Why it holds no more.
    pub(super) ended: Option<String>,
}

/// What changes when another file is put in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    modified: (i64, i64),
    size: u64,
}

/// Held while it lives.
pub(super) struct Lock(#[expect(dead_code, reason = "closing the file is what lets go of the lock")] File);

/// The file. No `Debug`: it holds secrets as plain text.
#[derive(Serialize, Deserialize)]
struct Content {
    version: u32,
    issuer: Url,
    client_id: String,
    endpoints: Endpoints,
    access_token: String,
    id_token: Option<String>,
    refresh_token: Option<String>,
    expires_at: Option<u64>,
    obtained_at: u64,
    ended: Option<String>,
}

/// Whether somebody has signed in, be it that the sign-in holds no more.
pub fn is_there(state_dir: &Path) -> bool {
    Store::new(state_dir).stamp().is_some()
}

impl Store {
    pub(super) fn new(directory: &Path) -> Self {
        Self { directory: directory.to_owned() }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.directory.join(FILE)
    }

    /// None if there is no file.
    pub(super) fn stamp(&self) -> Option<Stamp> {
        let metadata = fs::metadata(self.path()).ok()?;
        let modified = (metadata.mtime(), metadata.mtime_nsec());
        Some(Stamp { device: metadata.dev(), inode: metadata.ino(), modified, size: metadata.size() })
    }

    /// None if there is no file. The error is half a sentence, and quotes nothing of the file.
    pub(super) fn read(&self) -> Result<Option<Kept>, String> {
        let bytes = match self.bytes() {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == IoErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(format!("cannot be read: {error}")),
        };
        let content: Content = serde_json::from_slice(&bytes).map_err(|_| "is not what this daemon writes")?;
        if content.version != VERSION {
            return Err(format!("is of format {}, and this daemon knows format {VERSION}", content.version));
        }
        Ok(Some(content.into()))
    }

    fn bytes(&self) -> io::Result<Vec<u8>> {
        // Opening a pipe would wait for its writer.
        if !fs::metadata(self.path())?.is_file() {
            return Err(io::Error::other("it is not a file"));
        }
        let file = File::open(self.path())?;
        if file.metadata()?.mode() & 0o077 != 0 {
            file.set_permissions(fs::Permissions::from_mode(PRIVATE_FILE))?;
        }
        let mut bytes = Vec::new();
        file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(io::Error::other("it is too long"));
        }
        Ok(bytes)
    }

    /// Waits for other processes, but not for ever.
    pub(super) async fn lock(&self) -> io::Result<Lock> {
        fs::DirBuilder::new().recursive(true).mode(PRIVATE_DIR).create(&self.directory)?;
        let path = self.directory.join(LOCK);
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(PRIVATE_FILE).open(path)?;
        let until = Instant::now() + LOCK_WAIT;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Lock(file)),
                Err(TryLockError::WouldBlock) if Instant::now() < until => sleep(LOCK_PAUSE).await,
                Err(TryLockError::WouldBlock) => {
                    let wait = LOCK_WAIT.as_secs();
                    return Err(io::Error::new(IoErrorKind::TimedOut, format!("another process held it for {wait} s")));
                }
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
    }

    pub(super) fn write(&self, kept: &Kept, _lock: &Lock) -> io::Result<()> {
        let text = serde_json::to_vec_pretty(&Content::from(kept)).map_err(io::Error::other)?;
        private_file::keep(&self.path(), &text)?;
        self.sync()
    }

    /// Whether there was one.
    pub(super) fn remove(&self, _lock: &Lock) -> io::Result<bool> {
        let removed = remove(&self.path())?;
        self.sync()?;
        Ok(removed)
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.directory)?.sync_all()
    }
}

fn remove(path: &Path) -> io::Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == IoErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

impl From<Content> for Kept {
    fn from(content: Content) -> Self {
        let Content { issuer, client_id, endpoints, expires_at, obtained_at, ended, .. } = content;
        Self {
            issuer,
            client_id,
            endpoints,
            access: Secret::new(content.access_token),
            id: content.id_token.map(Secret::new),
            refresh: content.refresh_token.map(Secret::new),
            expires_at,
            obtained_at,
            ended,
        }
    }
}

impl From<&Kept> for Content {
    fn from(kept: &Kept) -> Self {
        let plain = |secret: &Secret| secret.expose().to_owned();
        Self {
            version: VERSION,
            issuer: kept.issuer.clone(),
            client_id: kept.client_id.clone(),
            endpoints: kept.endpoints.clone(),
            access_token: plain(&kept.access),
            id_token: kept.id.as_ref().map(plain),
            refresh_token: kept.refresh.as_ref().map(plain),
            expires_at: kept.expires_at,
            obtained_at: kept.obtained_at,
            ended: kept.ended.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;

    use tempfile::TempDir;
    use tokio::time::Instant;
    use url::Url;

    use super::super::issuer::{Dialect, Endpoints};
    use super::{FILE, Kept, Store};
    use crate::config::Secret;
    use crate::config::private_file::beside;

    fn kept(access: &str) -> Kept {
        let url = |text: &str| Url::parse(text).unwrap();
        let endpoints =
            Endpoints { token: url("https://a.example/oauth/token"), revoke: None, dialect: Dialect::Rfc8628 };
        Kept {
            issuer: url("https://a.example"),
            client_id: "app".to_owned(),
            endpoints,
            access: Secret::new(access),
            id: None,
            refresh: Some(Secret::new("rt-1")),
            expires_at: Some(9),
            obtained_at: 1,
            ended: None,
        }
    }

    fn mode(path: &std::path::Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[tokio::test]
    async fn what_is_kept_is_private_and_comes_back() {
        let home = TempDir::new().unwrap();
        let directory = home.path().join("state");
        let store = Store::new(&directory);
        assert!(store.read().unwrap().is_none() && store.stamp().is_none());
        let lock = store.lock().await.unwrap();
        store.write(&kept("at-1"), &lock).unwrap();
        let first = store.stamp();
        let back = store.read().unwrap().expect("a sign-in");
        assert_eq!((back.access.expose(), back.expires_at), ("at-1", Some(9)));
        assert_eq!(back.endpoints, kept("").endpoints);
        assert_eq!((mode(&directory), mode(&store.path())), (0o700, 0o600));
        assert!(!format!("{back:?}").contains("rt-1"));
        // One that died while it wrote.
        fs::write(beside(&store.path(), "new"), "{").unwrap();
        store.write(&kept("at-2"), &lock).unwrap();
        assert!(store.stamp() != first && mode(&store.path()) == 0o600 && !beside(&store.path(), "new").exists());
        fs::set_permissions(store.path(), fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(store.read().unwrap().expect("a sign-in").access.expose(), "at-2");
        assert_eq!(mode(&store.path()), 0o600, "it is made private again");
        assert!(store.remove(&lock).unwrap() && !store.remove(&lock).unwrap());
    }

    #[test]
    fn another_file_is_said_to_be_another_without_being_quoted() {
        let home = TempDir::new().unwrap();
        let store = Store::new(home.path());
        let check = |content: &str, expected: &str| {
            fs::write(home.path().join(FILE), content).unwrap();
            assert_eq!(store.read().unwrap_err(), expected);
        };
        check("at-secret", "is not what this daemon writes");
        let newer = serde_json::to_string(&super::Content { version: 2, ..(&kept("a")).into() }).unwrap();
        check(&newer, "is of format 2, and this daemon knows format 1");
        fs::remove_file(home.path().join(FILE)).unwrap();
        fs::create_dir(home.path().join(FILE)).unwrap();
        assert_eq!(store.read().unwrap_err(), "cannot be read: it is not a file");
    }

    #[tokio::test(start_paused = true)]
    async fn the_lock_is_waited_for_but_not_for_ever() {
        let home = TempDir::new().unwrap();
        let (store, other) = (Store::new(home.path()), Store::new(home.path()));
        let lock = store.lock().await.unwrap();
        let begun = Instant::now();
        let error = other.lock().await.err().expect("it is held");
        assert!(error.to_string().contains("another process held it"), "{error}");
        assert!(begun.elapsed() >= Duration::from_secs(45));
        drop(lock);
        other.lock().await.unwrap();
    }
}
