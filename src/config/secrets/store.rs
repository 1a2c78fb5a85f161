//! What `open-think secret put` keeps: each secret in the system's keyring, or where there is none in `secrets.json` in
//! the state directory, which only its owner may read. That file says of every secret where it is, so that nobody asks
//! a keyring that keeps nothing.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use nix::fcntl::OFlag;
use serde_json::{Value, json};

use super::super::{Secret, private_file};
use super::{Fault, Keyring, KeyringEntry, KeyringFault};

const FILE: &str = "secrets.json";

/// Of that file, in bytes: more than all settings can hold.
const LONGEST: usize = 4 * 1024 * 1024;

/// Another process writes for a moment at most.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(20);

pub struct SecretStore {
    state_dir: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeper {
    Keyring,
    File,
}

/// Where one is kept.
#[derive(Clone, Debug)]
pub enum Kept {
    Keyring,
    File(Secret),
}

/// What went wrong with the file; it names the file, and never what is in it.
#[derive(Debug, thiserror::Error)]
#[error("{why}")]
pub struct StoreError {
    why: String,
    pub fix: String,
}

impl SecretStore {
    pub fn new(state_dir: &Path) -> Self {
        Self { state_dir: state_dir.to_owned() }
    }

    pub fn file(&self) -> PathBuf {
        self.state_dir.join(FILE)
    }

    /// The entry of the keyring: another state directory has its own.
    pub fn entry(&self, setting: &str) -> KeyringEntry {
        KeyringEntry::ours(format!("{setting}@{}", self.state_dir.display()))
    }

    /// By the name of the setting.
    pub fn kept(&self) -> Result<BTreeMap<String, Kept>, StoreError> {
        let path = self.file();
        let shown = path.display();
        let (why, fix) = match private(&path, LONGEST) {
            Ok(text) => match parse(&text) {
                Some(kept) => return Ok(kept),
                None => (format!("{shown} is not what open-think writes"), None),
            },
            Err(Unread::Missing) => return Ok(BTreeMap::new()),
            Err(Unread::NoFile) => {
                let fix = format!("Look what it is, run mv '{shown}' '{shown}.old', and put the secrets again.");
                (format!("{shown} is no file"), Some(fix))
            }
            Err(Unread::TooLong) => (format!("{shown} is longer than what open-think writes"), None),
            Err(Unread::Fault(Fault { why, fix })) => (why, Some(fix)),
        };
        Err(StoreError { why, fix: fix.unwrap_or_else(|| format!("Run rm '{shown}', and put the secrets again.")) })
    }

    /// Into the keyring if it takes it, else into the file. Says which, and why not the keyring.
    pub fn put(
        &self,
        setting: &str,
        secret: &Secret,
        keyring: &Keyring<'_>,
    ) -> Result<(Keeper, Option<KeyringFault>), StoreError> {
        let entry = self.entry(setting);
        let fault = keyring.put(&entry, secret).err();
        let (kept, keeper) = match &fault {
            None => (Kept::Keyring, Keeper::Keyring),
            Some(_) => (Kept::File(secret.clone()), Keeper::File),
        };
        let before = self.change(|all| all.insert(setting.to_owned(), kept))?;
        if fault.is_some() && matches!(before, Some(Kept::Keyring)) {
            // The old one is no longer looked at; a keyring that does not answer keeps it.
            let _ = keyring.delete(&entry);
        }
        Ok((keeper, fault))
    }

    /// Where it was. One that the keyring does not give up is forgotten all the same, and the fault told.
    pub fn delete(
        &self,
        setting: &str,
        keyring: &Keyring<'_>,
    ) -> Result<Option<(Keeper, Option<KeyringFault>)>, StoreError> {
        Ok(match self.change(|all| all.remove(setting))? {
            None => None,
            Some(Kept::File(_)) => Some((Keeper::File, None)),
            Some(Kept::Keyring) => Some((Keeper::Keyring, keyring.delete(&self.entry(setting)).err())),
        })
    }

    fn change<T>(&self, change: impl FnOnce(&mut BTreeMap<String, Kept>) -> T) -> Result<T, StoreError> {
        let failed = |error: io::Error| StoreError {
            why: format!("{} cannot be written: {error}", self.file().display()),
            fix: format!("Look at the rights and the space of '{}'.", self.state_dir.display()),
        };
        DirBuilder::new().recursive(true).mode(0o700).create(&self.state_dir).map_err(failed)?;
        let _lock = lock(&self.state_dir.join("secrets.lock")).map_err(failed)?;
        let mut all = self.kept()?;
        let (before, result) = (all.len(), change(&mut all));
        let text = text(&all);
        // What could not be read again is not written; to forget one is always possible.
        if text.len() > LONGEST && all.len() >= before {
            let why = format!("{} would become longer than {} KiB", self.file().display(), LONGEST / 1024);
            return Err(StoreError {
                why,
                fix: "Run open-think secret delete for those that are too long.".to_owned(),
            });
        }
        private_file::keep(&self.file(), text.as_bytes()).map_err(failed)?;
        Ok(result)
    }
}

fn parse(text: &str) -> Option<BTreeMap<String, Kept>> {
    let document: Value = serde_json::from_str(text).ok()?;
    let rows = document.get("secrets")?.as_object()?.iter();
    rows.map(|(name, row)| {
        let kept = match row.get("in")?.as_str()? {
            "keyring" => Kept::Keyring,
            "file" => Kept::File(Secret::checked(row.get("value")?.as_str()?.to_owned()).ok()?),
            _ => return None,
        };
        Some((name.clone(), kept))
    })
    .collect()
}

fn text(all: &BTreeMap<String, Kept>) -> String {
    let row = |kept: &Kept| match kept {
        Kept::Keyring => json!({"in": "keyring"}),
        Kept::File(secret) => json!({"in": "file", "value": secret.expose()}),
    };
    let rows: serde_json::Map<String, Value> = all.iter().map(|(name, kept)| (name.clone(), row(kept))).collect();
    format!("{:#}\n", json!({"version": 1, "secrets": rows}))
}

fn lock(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
    for _ in 0..TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(fs::TryLockError::WouldBlock) => thread::sleep(PAUSE),
            Err(fs::TryLockError::Error(error)) => return Err(error),
        }
    }
    Err(io::Error::new(io::ErrorKind::TimedOut, "another process is writing it"))
}

/// Why a file that only we may read is not read.
pub(super) enum Unread {
    Missing,
    NoFile,
    TooLong,
    /// What mends it is the same for every file.
    Fault(Fault),
}

/// A file that only we may read, as text of so many bytes at most.
pub(super) fn private(path: &Path, longest: usize) -> Result<String, Unread> {
    use std::os::unix::fs::MetadataExt;
    let shown = path.display();
    let unread = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Unread::Missing,
        _ => Unread::Fault(Fault::new(
            format!("{shown} cannot be read: {error}"),
            format!("Run ls -l '{shown}' and mend its rights."),
        )),
    };
    // A pipe in its place would hold us up.
    let file = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path).map_err(unread)?;
    let metadata = file.metadata().map_err(unread)?;
    let refuse = |why: String, fix: String| Err(Unread::Fault(Fault::new(why, fix)));
    if !metadata.is_file() {
        return Err(Unread::NoFile);
    }
    if metadata.uid() != nix::unistd::getuid().as_raw() {
        let fix = format!("Run sudo chown {} '{shown}', or keep it in a file of your own.", nix::unistd::getuid());
        return refuse(format!("{shown} belongs to another user"), fix);
    }
    if metadata.mode() & 0o077 != 0 {
        return refuse(format!("other users may read or write {shown}"), format!("Run chmod 600 '{shown}'."));
    }
    let mut text = String::new();
    file.take(longest as u64 + 1).read_to_string(&mut text).map_err(unread)?;
    if text.len() > longest { Err(Unread::TooLong) } else { Ok(text) }
}
