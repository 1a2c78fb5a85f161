//! What `doctor` finds out without opening anything: the secrets, the log, the service, and the shared daemon, which is
//! asked who it is.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::cli::client::Client;
use crate::cli::doctor::{Finding, Level};
use crate::cli::running::hello_of;
use crate::cli::service::{State, states};
use crate::config::{Config, Keyring, SecretStore, Sources};
use crate::daemon::{Address, Program, Record, StartError, connect, log};
use crate::protocol::HelloResult;

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

pub fn log_file(state_dir: &Path) -> Finding {
    let path = log::path(state_dir);
    let shown = path.display();
    let metadata = match fs::metadata(&path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
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

/// Whether one runs and answers, and what stands in its way.
pub async fn shared_daemon(sources: &Sources) -> Finding {
    match ask(sources).await {
        Ok(finding) => finding,
        Err(error) => {
            let finding = Finding::new("daemon", Level::Fail, &format!("{error:#}"));
            match error.downcast_ref() {
                Some(StartError::NotConnected { path, .. }) => {
                    finding.mended_by(&format!("Run ls -l '{}' and mend its rights.", path.display()))
                }
                _ => finding,
            }
        }
    }
}

async fn ask(sources: &Sources) -> anyhow::Result<Finding> {
    let address = Address::of(sources)?;
    let socket = address.socket();
    if socket.parent().is_some_and(|directory| fs::symlink_metadata(directory).is_ok()) {
        address.prepare()?;
    }
    let shown = socket.display();
    if let Some(stream) = connect(&address).await? {
        let (client, _inbound) = Client::dial(stream).await?;
        if let Some(hello) = hello_of(&client, &address).await? {
            return Ok(running(&hello, Record::read(&address), &shown.to_string()));
        }
    }
    Ok(Finding::new("daemon", Level::Info, &format!("none runs at {shown}; clients start it")))
}

/// What it says of itself goes before what it has written down.
fn running(hello: &HelloResult, record: Option<Record>, socket: &str) -> Finding {
    const OWN: &str = env!("CARGO_PKG_VERSION");
    let HelloResult { version, pid, .. } = hello;
    if let Some(why) = Program::this().refusal(hello) {
        return Finding::new("daemon", Level::Warn, &why);
    }
    if version != OWN {
        let message = format!("{version} runs at {socket} (process {pid}), and this program is {OWN}");
        return Finding::new("daemon", Level::Warn, &message).mended_by("Run open-think restart.");
    }
    if let Some(why) = record.as_ref().and_then(|record| record.http_fault.as_ref()) {
        let message = format!("{version} runs at {socket} (process {pid}) without HTTP: {why}");
        return Finding::new("daemon", Level::Warn, &message).mended_by("Once that is mended, run open-think restart.");
    }
    let http = record.and_then(|record| record.http).map(|http| format!(" and {}", http.url)).unwrap_or_default();
    Finding::new("daemon", Level::Ok, &format!("{version} runs at {socket}{http} (process {pid})"))
}
