//! `service`: has systemd or launchd start the daemon for its user. Writes and removes their files; they themselves are
//! told with `--now` only, and else it is said what to run.

mod manager;
mod units;

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Subcommand};
use serde::Serialize;

use crate::cli::exit::{Exit, UsageError};
use crate::cli::terminal::Terminal;
use crate::config::Sources;
use units::{Unit, units};

#[derive(Args)]
pub struct ServiceArgs {
    #[command(subcommand)]
    command: ServiceCommand,
}

#[derive(Subcommand)]
enum ServiceCommand {
    /// Write the files by which systemd, or launchd on macOS, starts the daemon when it is needed
    Install {
        /// Have it take effect at once
        #[arg(long)]
        now: bool,
    },
    /// Remove these files
    Uninstall {
        /// Stop the service first
        #[arg(long)]
        now: bool,
    },
    /// Say whether they are there and in use
    Status {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// Of one file.
#[derive(Serialize)]
struct Standing {
    path: PathBuf,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// As `install` would write it.
    Current,
    /// Another program's, an older version's, or changed by hand.
    Other,
    Missing,
}

pub fn run(args: &ServiceArgs, sources: &Sources, terminal: &Terminal) -> anyhow::Result<Exit> {
    match args.command {
        ServiceCommand::Install { now } => install(sources, now, terminal),
        ServiceCommand::Uninstall { now } => uninstall(sources, now, terminal),
        ServiceCommand::Status { json } => status(sources, json, terminal),
    }
}

fn install(sources: &Sources, now: bool, terminal: &Terminal) -> anyhow::Result<Exit> {
    customary(sources)?;
    for unit in wanted(sources)? {
        let kept = write(&unit).with_context(|| format!("{} cannot be written", unit.path.display()))?;
        terminal.print_line(&format!("wrote {}", unit.path.display()))?;
        if let Some(kept) = kept {
            terminal.note(&format!("Another one stood there; it is kept as {}.", kept.display()));
        }
    }
    let commands = manager::started(sources.platform, &uid_domain(), &paths(sources)?);
    let rest = "The files are in order. Run this where a session of yours is open, to have them take effect.";
    follow(commands, now, "To have it take effect", rest, terminal)
}

/// Gives the path of what stood there before, if that was another.
fn write(unit: &Unit) -> std::io::Result<Option<PathBuf>> {
    unit.path.parent().map_or(Ok(()), fs::create_dir_all)?;
    // Neither systemd nor launchd reads a file with such an end.
    let mut kept = unit.path.clone().into_os_string();
    kept.push(".old");
    let kept = PathBuf::from(kept);
    let is_other = unit.state() == State::Other;
    if is_other {
        fs::rename(&unit.path, &kept)?;
    }
    fs::write(&unit.path, &unit.text)?;
    Ok(is_other.then_some(kept))
}

fn uninstall(sources: &Sources, now: bool, terminal: &Terminal) -> anyhow::Result<Exit> {
    let paths = paths(sources)?;
    let (before, after) = manager::stopped(sources.platform, &uid_domain());
    let stay = "The files stay. Run this where a session of yours is open, or without --now, which only removes them.";
    if now && follow(before.clone(), true, "", stay, terminal)? == Exit::Failed {
        return Ok(Exit::Failed);
    }
    for path in &paths {
        match fs::remove_file(path) {
            Ok(()) => terminal.print_line(&format!("removed {}", path.display()))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| format!("{} cannot be removed", path.display())),
        }
    }
    let rest = if now { after } else { before.into_iter().chain(after).collect() };
    follow(rest, now, "To stop what runs", "The files are removed.", terminal)
}

fn status(sources: &Sources, json: bool, terminal: &Terminal) -> anyhow::Result<Exit> {
    let files = standing(sources)?;
    let active = manager::active(sources.platform)?;
    let installed = files.iter().all(|file| file.state != State::Missing);
    if json {
        terminal.print_json(&serde_json::json!({"installed": installed, "active": active.ok(), "files": files}))?;
        return Ok(Exit::Done);
    }
    for file in &files {
        let state = match file.state {
            State::Current => "is as it should be",
            State::Other => "is there, and not as this program writes it; open-think service install does",
            State::Missing => "is not there; open-think service install writes it",
        };
        terminal.print_line(&format!("{} {state}", file.path.display()))?;
    }
    match active {
        Ok(state) => terminal.print_line(&format!("{} is {state}", manager::name(sources.platform)))?,
        Err(why) => terminal.note(&format!("Nobody can be asked whether it is in use: {why}.")),
    }
    Ok(Exit::Done)
}

/// Runs the commands, or says which they are; `failed` is said where one does not do its work.
fn follow(
    commands: Vec<Vec<String>>,
    now: bool,
    purpose: &str,
    failed: &str,
    terminal: &Terminal,
) -> anyhow::Result<Exit> {
    if !now {
        terminal.note(&format!("{purpose}, run:"));
        commands.iter().for_each(|command| terminal.note(&format!("  {}", command.join(" "))));
        return Ok(Exit::Done);
    }
    for command in &commands {
        if let Err(why) = manager::run(command)? {
            terminal.note(&format!("{}: {why}", command.join(" ")));
            terminal.note(failed);
            return Ok(Exit::Failed);
        }
        terminal.print_line(&format!("ran {}", command.join(" ")))?;
    }
    Ok(Exit::Done)
}

/// How each file stands; of none if there is no place for them.
pub fn states(sources: &Sources) -> Vec<State> {
    standing(sources).unwrap_or_default().into_iter().map(|file| file.state).collect()
}

fn standing(sources: &Sources) -> anyhow::Result<Vec<Standing>> {
    Ok(wanted(sources)?.into_iter().map(|unit| Standing { state: unit.state(), path: unit.path }).collect())
}

impl Unit {
    fn state(&self) -> State {
        match fs::read(&self.path) {
            Ok(text) if text == self.text.as_bytes() => State::Current,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => State::Missing,
            Ok(_) | Err(_) => State::Other,
        }
    }
}

fn wanted(sources: &Sources) -> anyhow::Result<Vec<Unit>> {
    let program = std::env::current_exe().context("this program's own file cannot be found")?;
    let nowhere = || UsageError::new("there is no place for a service", "Set HOME; on Windows there is no service.");
    Ok(units(sources, &program).ok_or_else(nowhere)?)
}

fn paths(sources: &Sources) -> anyhow::Result<Vec<PathBuf>> {
    Ok(wanted(sources)?.into_iter().map(|unit| unit.path).collect())
}

/// The service is that of the daemon which everybody finds; one with a configuration of its own is another.
fn customary(sources: &Sources) -> anyhow::Result<()> {
    let flags = &sources.flags;
    let profile = flags.profile.is_some() && sources.profile()?.is_some();
    if flags.config_file.is_none() && flags.state_dir.is_none() && !profile {
        return Ok(());
    }
    let hint = "Leave --config, --state-dir and --profile out; clients start such a daemon themselves.";
    Err(UsageError::new("a service is there for the customary configuration only", hint).into())
}

fn uid_domain() -> String {
    format!("gui/{}", nix::unistd::getuid())
}
