//! The system's keyring, through the program that the system brings for it: `secret-tool` of libsecret, macOS's
//! `security`.
//!
//! No library, because none fits: the one that speaks D-Bus in pure Rust brings some fifty crates and a second async
//! runtime, the other one libdbus, and a call of either cannot be given up when a locked keyring asks its user for a
//! password on a screen that nobody sees. A program can be ended. No secret stands in its arguments.

use std::path::PathBuf;
use std::time::Duration;

use super::super::{Environment, Platform, Secret};
use super::bounded::{Failure, Output, Program};

/// For one access. A keyring that is locked asks its user, who may not be there.
const LIMIT: Duration = Duration::from_secs(2);

/// Under which name entries are kept, unless a reference says another.
const SERVICE: &str = "open-think";

/// What `security` ends with when there is no such entry.
const NOT_FOUND: i32 = 44;

pub struct Keyring<'a> {
    platform: Platform,
    environment: &'a Environment,
}

/// Why the keyring cannot be used, and what mends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyringFault {
    pub why: String,
    pub fix: String,
}

pub struct KeyringEntry {
    service: String,
    account: String,
}

impl<'a> Keyring<'a> {
    pub fn new(platform: Platform, environment: &'a Environment) -> Self {
        Self { platform, environment }
    }

    /// Whether it answers; an entry that is not there is asked for.
    pub fn probe(&self) -> Result<(), KeyringFault> {
        self.get(&KeyringEntry::ours("probe".to_owned())).map(|_| ())
    }

    pub fn get(&self, KeyringEntry { service, account }: &KeyringEntry) -> Result<Option<Secret>, KeyringFault> {
        let output = match self.platform {
            Platform::MacOs => {
                self.run(&["security", "find-generic-password", "-s", service, "-a", account, "-w"], "")?
            }
            _ => self.run(&["secret-tool", "lookup", "service", service, "account", account], "")?,
        };
        if self.is_missing(&output) {
            return Ok(None);
        }
        refused(&output)?;
        let text = String::from_utf8_lossy(&output.bytes).trim().to_owned();
        Secret::checked(text)
            .map(Some)
            .map_err(|what| KeyringFault::new(&format!("what the keyring keeps {what}"), "Put it there again."))
    }

    /// Read back: some keep nothing and say nothing.
    pub fn put(&self, entry: &KeyringEntry, secret: &Secret) -> Result<(), KeyringFault> {
        let KeyringEntry { service, account } = entry;
        let output = match self.platform {
            Platform::MacOs => {
                let [service, account, value] = [service, account, secret.expose()].map(quoted);
                let line = format!("add-generic-password -U -s {service} -a {account} -w {value}\n");
                self.run(&["security", "-i"], &line)?
            }
            _ => {
                let label = format!("--label={SERVICE}: {account}");
                let words = ["secret-tool", "store", &label, "service", service, "account", account];
                self.run(&words, secret.expose())?
            }
        };
        refused(&output)?;
        match self.get(entry)? {
            Some(kept) if kept.expose() == secret.expose() => Ok(()),
            _ => Err(KeyringFault::new("the keyring did not keep it", "Unlock it and try again.")),
        }
    }

    /// Whether there was one.
    pub fn delete(&self, KeyringEntry { service, account }: &KeyringEntry) -> Result<bool, KeyringFault> {
        let output = match self.platform {
            Platform::MacOs => self.run(&["security", "delete-generic-password", "-s", service, "-a", account], "")?,
            _ => self.run(&["secret-tool", "clear", "service", service, "account", account], "")?,
        };
        if self.is_missing(&output) {
            return Ok(false);
        }
        refused(&output).map(|()| true)
    }

    fn is_missing(&self, output: &Output) -> bool {
        match self.platform {
            Platform::MacOs => output.status.code() == Some(NOT_FOUND),
            // It fails in the same way as for all else, but has nothing to say.
            _ => output.status.code() == Some(1) && output.said.is_empty(),
        }
    }

    fn run(&self, words: &[&str], input: &str) -> Result<Output, KeyringFault> {
        self.reachable()?;
        let command: Vec<String> = words.iter().copied().map(str::to_owned).collect();
        let program = Program { command: &command, environment: self.environment, limit: LIMIT };
        program.run(input).map_err(|failure| match failure {
            Failure::NotStarted(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let why = format!("there is no program {} to ask the keyring with", words[0]);
                KeyringFault::new(&why, "Install it (Debian: libsecret-tools; Fedora, Arch: libsecret).")
            }
            Failure::NotStarted(error) => KeyringFault::new(&format!("{} cannot be run: {error}", words[0]), ""),
            Failure::TimedOut => {
                let why = format!("the keyring did not answer within {} seconds", LIMIT.as_secs());
                KeyringFault::new(&why, "Unlock it; where nobody can, the secret file serves.")
            }
            Failure::TooMuch => KeyringFault::new("what the keyring keeps there is no key", "Put it there again."),
        })
    }

    /// Without a session's bus there is no keyring, and looking for one takes time.
    fn reachable(&self) -> Result<(), KeyringFault> {
        let named = self.environment.get("DBUS_SESSION_BUS_ADDRESS").is_some_and(|value| !value.is_empty());
        if named || self.platform == Platform::MacOs {
            return Ok(());
        }
        let customary = || PathBuf::from(format!("/run/user/{}", nix::unistd::getuid()));
        let runtime = self.environment.get("XDG_RUNTIME_DIR").map_or_else(customary, PathBuf::from);
        if runtime.join("bus").exists() {
            return Ok(());
        }
        let fix = "Where no desktop runs there is none; the secret file serves instead.";
        Err(KeyringFault::new("there is no session bus, and so no keyring", fix))
    }
}

impl KeyringFault {
    fn new(why: &str, fix: &str) -> Self {
        Self { why: why.to_owned(), fix: fix.to_owned() }
    }
}

impl KeyringEntry {
    pub fn ours(account: String) -> Self {
        Self { service: SERVICE.to_owned(), account }
    }

    /// `account`, or `service/account` for what others keep.
    pub fn named(name: &str) -> Self {
        match name.rsplit_once('/') {
            Some((service, account)) => Self { service: service.to_owned(), account: account.to_owned() },
            None => Self::ours(name.to_owned()),
        }
    }
}

fn refused(output: &Output) -> Result<(), KeyringFault> {
    let refused = |how: String| {
        let fix = "Unlock the keyring, or start one; where there is none, the secret file serves.";
        KeyringFault::new(&format!("the keyring {how}"), fix)
    };
    output.ending().map_or(Ok(()), |how| Err(refused(how)))
}

/// As `security` reads its lines.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
