//! What systemd's and launchd's own programs are asked, as commands, and how they are run: with an end to their time.

use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use super::units::{LABEL, SERVICE, SOCKET};
use crate::config::Platform;

/// systemd waits for a service to stop for this long and a little more.
const LIMIT: Duration = Duration::from_secs(60);

type Commands = Vec<Vec<String>>;

/// After the files were written.
pub fn started(platform: Platform, domain: &str, files: &[PathBuf]) -> Commands {
    match platform {
        Platform::MacOs => {
            let files = files.iter().map(|file| file.display().to_string());
            files.map(|file| words(&["launchctl", "bootstrap", domain, &file])).collect()
        }
        _ => vec![
            words(&["systemctl", "--user", "daemon-reload"]),
            words(&["systemctl", "--user", "enable", "--now", SOCKET]),
        ],
    }
}

/// Before the files are removed, and after.
pub fn stopped(platform: Platform, domain: &str) -> (Commands, Commands) {
    match platform {
        Platform::MacOs => (vec![words(&["launchctl", "bootout", &format!("{domain}/{LABEL}")])], Vec::new()),
        _ => (
            vec![words(&["systemctl", "--user", "disable", "--now", SOCKET, SERVICE])],
            vec![words(&["systemctl", "--user", "daemon-reload"])],
        ),
    }
}

/// What is asked for its state.
pub fn name(platform: Platform) -> &'static str {
    if platform == Platform::MacOs { LABEL } else { SOCKET }
}

/// In the manager's own word, or why it has none to say.
pub fn active(platform: Platform) -> std::io::Result<Result<String, String>> {
    let command = match platform {
        Platform::MacOs => words(&["launchctl", "list", LABEL]),
        _ => words(&["systemctl", "--user", "is-active", SOCKET]),
    };
    let Some(output) = output(&command)? else { return Ok(Err(missing(&command))) };
    if platform == Platform::MacOs {
        return Ok(Ok(if output.status.success() { "loaded" } else { "not loaded" }.to_owned()));
    }
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    Ok(if said.is_empty() { Err(complaint(&output)) } else { Ok(said) })
}

/// The inner error says why it failed, as a sentence without an end.
pub fn run(command: &[String]) -> std::io::Result<Result<(), String>> {
    let Some(output) = output(command)? else { return Ok(Err(missing(command))) };
    Ok(if output.status.success() { Ok(()) } else { Err(complaint(&output)) })
}

fn missing(command: &[String]) -> String {
    format!("there is no {}, or it did not end in time", command.first().map_or("", String::as_str))
}

fn complaint(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    said.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("it failed").to_owned()
}

fn output(command: &[String]) -> std::io::Result<Option<Output>> {
    let Some((program, arguments)) = command.split_first() else { return Ok(None) };
    crate::cli::runtime()?.block_on(async {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
        match timeout(LIMIT, command.output()).await {
            Ok(Ok(output)) => Ok(Some(output)),
            Ok(Err(error)) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            Ok(Err(_)) | Err(_) => Ok(None),
        }
    })
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().copied().map(str::to_owned).collect()
}
