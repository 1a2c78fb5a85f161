//! What `doctor` finds out without opening anything: the secrets, the log, the service.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::cli::doctor::{Finding, Level};
use crate::cli::service::{State, states};
use crate::config::{Config, Keyring, SecretStore, Sources};
use crate::daemon::log;

/// Those that could not be had, and where they are kept.
pub fn secrets(config: &Config, sources: &Sources) -> Vec<Finding> {
    let unresolved = config.unresolved.iter();
    let mut findings: Vec<Finding> = unresolved
        .map(|secret| Finding::new("secrets", Level::Warn, &secret.to_string()).mended_by(&secret.fix))
        .collect();
    let store = SecretStore::new(&config.state_dir);
    let kept = match store.kept() {
        Ok(kept) if kept.is_empty() => "none is kept".to_owned(),
        Ok(kept) => format!("kept: {}", kept.into_keys().collect::<Vec<_>>().join(", ")),
        // What cannot be read was told of when the configuration was read.
        Err(_) => "what is kept cannot be read".to_owned(),
    };
    findings.push(match Keyring::new(sources.platform, &config.environment).probe() {
        Ok(()) => Finding::new("secrets", Level::Ok, &format!("the system's keyring keeps them; {kept}")),
        Err(fault) => {
            let file = store.file();
            let message = format!("{} keeps them, because {}; {kept}", file.display(), fault.why);
            Finding::new("secrets", Level::Info, &message).mended_by(&fault.fix)
        }
    });
    findings
}

pub fn log_file(config: &Config) -> Finding {
    let path = log::path(config);
    let shown = path.display();
    let metadata = match fs::metadata(&path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Finding::new("log", Level::Ok, &format!("{shown} is not begun"));
        }
        Err(error) => {
            let fix = format!("Run ls -l '{shown}' and mend its rights.");
            return Finding::new("log", Level::Warn, &format!("{shown} cannot be looked at: {error}")).mended_by(&fix);
        }
    };
    if metadata.permissions().mode() & 0o077 != 0 {
        let fix = format!("Run chmod 600 '{shown}'.");
        return Finding::new("log", Level::Warn, &format!("other users may read {shown}")).mended_by(&fix);
    }
    match fs::OpenOptions::new().append(true).open(&path) {
        Ok(_) => Finding::new("log", Level::Ok, &format!("{shown} is written to ({} KiB)", metadata.len() / 1024)),
        Err(error) => {
            let fix = format!("Run chmod 600 '{shown}', or remove it.");
            Finding::new("log", Level::Warn, &format!("{shown} cannot be written to: {error}")).mended_by(&fix)
        }
    }
}

/// Nothing where there can be none.
pub fn service(sources: &Sources) -> Option<Finding> {
    let states = states(sources);
    let any = |state| states.contains(&state);
    let fix = "Run open-think service install --now.";
    Some(match states.is_empty() {
        true => return None,
        false if states.iter().all(|state| *state == State::Current) => {
            Finding::new("service", Level::Ok, "it is installed for this program")
        }
        false if !any(State::Current) && !any(State::Other) => {
            let message = "none is installed; clients start the daemon themselves";
            Finding::new("service", Level::Info, message)
                .mended_by("To have it wait for them, run open-think service install --now.")
        }
        false => {
            let message = "its files are not as this program writes them: they may start another one";
            Finding::new("service", Level::Warn, message).mended_by(fix)
        }
    })
}
