//! `config`: where the configuration is, whether it can be used, and what holds. Keys are never shown.

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::cli::exit::{Exit, UsageError};
use crate::cli::origin::{Row, rows, unused};
use crate::cli::table::Table;
use crate::cli::terminal::{Style, Terminal};
use crate::config::{Config, ConfigError, Sources};
use crate::daemon;

#[derive(Args)]
pub struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// Print where the configuration file is, or would be
    Path,
    /// Print every setting with its value and where that comes from
    Show {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Read the configuration, say every fault of it, and whether it can be used
    Check {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// What `config check` found.
#[derive(Serialize)]
struct Report {
    ok: bool,
    file: Option<String>,
    faults: Vec<Fault>,
    warnings: Vec<String>,
}

#[derive(Serialize)]
struct Fault {
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
}

pub fn run(args: &ConfigArgs, sources: Sources, terminal: &Terminal) -> anyhow::Result<Exit> {
    match args.command {
        ConfigCommand::Path => {
            let nowhere = || {
                UsageError::new("there is no place for a configuration file", "Set HOME, or name a file with --config.")
            };
            terminal.print_line(&sources.file()?.ok_or_else(nowhere)?.display().to_string())?;
        }
        ConfigCommand::Check { json } => return report(&examine(sources), json, terminal),
        ConfigCommand::Show { json } => {
            let (rows, unread) = rows(&Config::read(sources.clone())?, &sources)?;
            unread.iter().for_each(|error| terminal.note(&format!("warning: {}", unused(error))));
            show(&rows, json, terminal)?;
        }
    }
    Ok(Exit::Done)
}

fn examine(sources: Sources) -> Report {
    let place = sources.file();
    let file = place.as_ref().ok().and_then(|file| Some(file.as_ref()?.display().to_string()));
    let failed = |faults: Vec<Fault>, warnings| Report { ok: false, file: file.clone(), faults, warnings };
    let config = match Config::examine(sources.clone()) {
        Ok((_, faults)) if faults.is_empty() => Config::load(sources),
        Ok((config, faults)) => return failed(faults.into_iter().map(Fault::from).collect(), config.warnings),
        Err(fault) => Err(fault),
    };
    let config = match config {
        Ok(config) => config,
        Err(fault) => return failed(vec![fault.into()], Vec::new()),
    };
    let unresolved = config.unresolved.iter().map(|secret| Fault {
        fix: Some(secret.fix.clone()).filter(|fix| !fix.is_empty()),
        ..Fault::of(secret.to_string())
    });
    let faults: Vec<Fault> = unresolved.chain(daemon::faults(&config).into_iter().map(Fault::of)).collect();
    Report { ok: faults.is_empty(), file, faults, warnings: config.warnings }
}

fn report(report: &Report, json: bool, terminal: &Terminal) -> anyhow::Result<Exit> {
    let exit = if report.ok { Exit::Done } else { Exit::Usage };
    if json {
        terminal.print_json(report)?;
        return Ok(exit);
    }
    let name = terminal.error.paint(Style::Bad, "open-think:");
    for fault in &report.faults {
        terminal.note(&format!("{name} {}", terminal.error.foreign(&fault.message)));
        if let Some(fix) = &fault.fix {
            terminal.note(&format!("hint: {}", terminal.error.foreign(fix)));
        }
    }
    for warning in &report.warnings {
        terminal.note(&format!("warning: {}", terminal.error.foreign(warning)));
    }
    match &report.file {
        Some(file) if report.ok && std::path::Path::new(file).is_file() => {
            terminal.print_line(&format!("{file} is good."))?;
        }
        Some(file) if report.ok => terminal.print_line(&format!("There is no {file}; the defaults hold."))?,
        None if report.ok => terminal.print_line("There is no place for a file; the defaults hold.")?,
        _ => {}
    }
    Ok(exit)
}

fn show(rows: &[Row], json: bool, terminal: &Terminal) -> anyhow::Result<()> {
    if json {
        return terminal.print_json(&rows);
    }
    let mut table = Table::new(&["setting", "from", "value"]);
    for row in rows {
        table.row([row.name.to_owned(), row.from.name().to_owned(), row.shown()]);
    }
    Ok(table.print(terminal)?)
}

impl Fault {
    fn of(message: String) -> Self {
        Self { file: None, line: None, message, fix: None }
    }
}

impl From<ConfigError> for Fault {
    fn from(error: ConfigError) -> Self {
        let (file, line) = error.place.clone().map(|(file, line)| (file.display().to_string(), line)).unzip();
        Self { file, line, ..Self::of(error.to_string()) }
    }
}
