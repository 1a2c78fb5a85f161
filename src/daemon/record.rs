//! What a daemon leaves beside its socket, for those who want to know of it without asking.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};

use super::address::{Address, hex};
use crate::config::Secret;
use crate::config::private_file::{self, beside};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    pub pid: u32,
    pub version: String,
    pub protocol_version: String,
    pub build: String,
    /// Unix milliseconds.
    pub started_at: u64,
    pub socket: PathBuf,
    pub state_dir: PathBuf,
    pub config_file: PathBuf,
    pub log_file: PathBuf,
    pub http: Option<HttpRecord>,
    /// Why nobody listens for HTTP although it was to be, with the way out.
    #[serde(default)]
    pub http_fault: Option<String>,
    /// What the flags and the environment of whoever started it gave.
    #[serde(default)]
    pub settings: Sealed,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpRecord {
    pub url: String,
    pub token_file: PathBuf,
}

/// Settings that can be compared and not be read: digests under a key of their own.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Sealed {
    salt: String,
    digests: BTreeMap<String, String>,
}

impl Record {
    pub fn read(address: &Address) -> Option<Self> {
        serde_json::from_slice(&fs::read(address.record()).ok()?).ok()
    }

    /// Whole or not at all, and for the user alone.
    pub fn write(&self, address: &Address) -> io::Result<()> {
        private_file::write(&address.record(), &serde_json::to_vec_pretty(self)?)
    }
}

/// Of this process alone, until it is renamed.
pub(super) fn temporary(path: &Path) -> PathBuf {
    beside(path, &std::process::id().to_string())
}

impl Sealed {
    pub fn new<'a>(settings: impl IntoIterator<Item = (&'a str, Secret)>) -> Self {
        let mut salt = [0; 16];
        if SystemRandom::new().fill(&mut salt).is_err() {
            // Nothing can be compared then, and everything counts as different.
            return Self::default();
        }
        let salt = hex(&salt);
        let digests = settings.into_iter().map(|(name, value)| (name.to_owned(), digest(&salt, name, &value)));
        Self { digests: digests.collect(), salt }
    }

    /// The names of those that are not the same here.
    pub fn differing<'a>(&self, settings: impl IntoIterator<Item = (&'a str, Secret)>) -> Vec<&'a str> {
        let differs = |(name, value): &(&'a str, Secret)| {
            self.digests.get(*name).is_none_or(|held| *held != digest(&self.salt, name, value))
        };
        settings.into_iter().filter(differs).map(|(name, _)| name).collect()
    }
}

fn digest(salt: &str, name: &str, value: &Secret) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, salt.as_bytes());
    hex(hmac::sign(&key, format!("{name}={}", value.expose()).as_bytes()).as_ref())
}

#[cfg(test)]
impl Record {
    pub(super) fn of(address: &Address, pid: u32) -> Self {
        Self {
            pid,
            version: "1.0.0".into(),
            protocol_version: "1.0".into(),
            build: "1.1".into(),
            started_at: 1,
            socket: address.socket().to_owned(),
            state_dir: "/s".into(),
            config_file: "/c".into(),
            log_file: "/l".into(),
            http: None,
            http_fault: None,
            settings: Sealed::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn it_is_for_the_user_alone_and_tells_no_secret() {
        let directory = tempfile::tempdir().expect("a directory");
        let address = Address::at(&directory.path().join("a.sock")).expect("short");
        let settings = Sealed::new([("A_KEY", Secret::new("quince"))]);
        let record = Record { settings, ..Record::of(&address, 7) };
        record.write(&address).expect("it can be written");
        record.write(&address).expect("and again");
        let mode = fs::metadata(address.record()).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let text = fs::read_to_string(address.record()).expect("text");
        assert!(text.contains("A_KEY") && !text.contains("quince"), "{text}");
        assert_eq!(Record::read(&address).expect("a record").pid, 7);
        assert_eq!(fs::read_dir(directory.path()).expect("a directory").count(), 1);
    }

    #[test]
    fn settings_are_compared_by_name_and_value() {
        let sealed = Sealed::new([("A_KEY", Secret::new("quince")), ("B_KEY", Secret::new("medlar"))]);
        let differing = |name, value| sealed.differing([(name, Secret::new(value))]);
        assert_eq!(differing("A_KEY", "quince"), [] as [&str; 0]);
        assert_eq!(differing("A_KEY", "medlar"), ["A_KEY"]);
        assert_eq!(differing("C_KEY", "quince"), ["C_KEY"]);
        let again = Sealed::new([("A_KEY", Secret::new("quince"))]);
        assert_ne!(again.digests["A_KEY"], sealed.digests["A_KEY"], "one salt for all");
    }
}
