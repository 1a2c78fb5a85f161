//! What a program may see of the daemon's environment and of its client's: where things are and how the user speaks, and
//! what the skill names. Keys and tokens stay behind.

use std::ffi::OsString;

use crate::config::{Environment, is_of_clients, names_secret};

pub(super) type Variables = Vec<(OsString, OsString)>;

const HARMLESS: [&str; 9] = ["PATH", "HOME", "LANG", "TERM", "TMPDIR", "USER", "LOGNAME", "SHELL", "TZ"];

/// What it sees of the daemon's.
#[derive(Clone, Default)]
pub(super) struct Own {
    harmless: Vec<(String, OsString)>,
    /// Named by the skill: its client changes nothing about them.
    passed: Vec<(String, OsString)>,
}

impl Own {
    pub(super) fn of(all: &Environment, pass: &[String]) -> Self {
        let is_passed = |name: &str| pass.iter().any(|passed| passed == name);
        let is_harmless = |name: &str| HARMLESS.contains(&name) || name.starts_with("LC_");
        let kept = all.iter().filter(|(name, _)| is_passed(name) || is_harmless(name));
        let kept = kept.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let (passed, harmless) = kept.partition(|(name, _)| is_passed(name));
        Self { harmless, passed }
    }

    /// For the program of a client with such an environment: whoever started the daemon is nobody to it.
    pub(super) fn with(&self, client: &[(String, String)]) -> Variables {
        let tells = |name: &str| client.iter().any(|(told, _)| told == name);
        let stays = |name: &str| client.is_empty() || !is_of_clients(name) || name == "PATH" && !tells(name);
        let is_passed = |name: &str| self.passed.iter().any(|(passed, _)| passed == name);
        let own = self.harmless.iter().filter(|(name, _)| stays(name)).chain(&self.passed);
        let own = own.map(|(name, value)| (name.into(), value.clone()));
        let told = client.iter().filter(|(name, _)| !is_passed(name));
        own.chain(told.map(|(name, value)| (name.into(), value.into()))).collect()
    }

    /// The values that must not come back in a result, judged by their names.
    pub(super) fn secrets(&self) -> impl Iterator<Item = String> {
        let secret = self.harmless.iter().chain(&self.passed).filter(|(name, _)| names_secret(name));
        secret.map(|(_, value)| value.to_string_lossy().into_owned())
    }
}
