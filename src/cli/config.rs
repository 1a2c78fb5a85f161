//! `config`: where the configuration is, whether it can be used, and what holds. Keys are never shown.

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::cli::exit::{Exit, UsageError};
use crate::cli::table::Table;
use crate::cli::terminal::Terminal;
use crate::config::{Config, SETTINGS, Setting, Sources};
use crate::plugins;

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
    /// Read the configuration and say whether it can be used
    Check,
}

#[derive(Serialize)]
struct Row {
    name: &'static str,
    /// None when it is unset and has no default.
    value: Option<String>,
    from: Layer,
    about: &'static str,
}

#[derive(Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Layer {
    Flag,
    Environment,
    File,
    Default,
}

pub fn run(args: &ConfigArgs, sources: Sources, terminal: &Terminal) -> anyhow::Result<Exit> {
    let config = Config::load(sources.clone())?;
    match args.command {
        ConfigCommand::Path if config.file.as_os_str().is_empty() => {
            let hint = "Set HOME, or name a file with --config.";
            return Err(UsageError::new("there is no place for a configuration file", hint).into());
        }
        ConfigCommand::Path => terminal.print_line(&config.file.display().to_string())?,
        ConfigCommand::Check => check(&config, terminal)?,
        ConfigCommand::Show { json } => show(&rows(&config, &sources)?, json, terminal)?,
    }
    Ok(Exit::Done)
}

fn check(config: &Config, terminal: &Terminal) -> anyhow::Result<()> {
    plugins::load(config, None)?;
    for warning in &config.warnings {
        terminal.note(&format!("warning: {warning}"));
    }
    let file = config.file.display();
    let found = if config.file.is_file() {
        format!("{file} is good.")
    } else {
        format!("There is no {file}; the defaults hold.")
    };
    Ok(terminal.print_line(&found)?)
}

fn show(rows: &[Row], json: bool, terminal: &Terminal) -> anyhow::Result<()> {
    if json {
        return terminal.print_json(&rows);
    }
    let mut table = Table::new(&["setting", "from", "value"]);
    for row in rows {
        let value = row.value.clone().unwrap_or_else(|| "-".to_owned());
        table.row([row.name.to_owned(), row.from.name().to_owned(), value]);
    }
    Ok(table.print(terminal)?)
}

/// As [`Config::load`] lays the layers over each other; what it did not refuse needs no check here.
fn rows(config: &Config, sources: &Sources) -> anyhow::Result<Vec<Row>> {
    let text = std::fs::read_to_string(&config.file).unwrap_or_default();
    let file: toml::Table = toml::from_str(&text)?;
    Ok(SETTINGS.iter().map(|setting| row(setting, config, sources, &file)).collect())
}

fn row(setting: &'static Setting, config: &Config, sources: &Sources, file: &toml::Table) -> Row {
    let flag = sources.flags.settings.iter().rev().find(|(name, _)| name.eq_ignore_ascii_case(setting.name));
    let flag = flag.map(|(_, value)| value.clone());
    let environment = sources.env.get(setting.name).map(|value| value.to_string_lossy().into_owned());
    let in_file = setting.key().and_then(|key| file.get(&key).or_else(|| file.get(setting.name))).map(shown);
    let layers = [(Layer::Flag, flag), (Layer::Environment, environment), (Layer::File, in_file)];
    let counts = |value: &String| setting.takes_list() || !value.trim().is_empty();
    let found = layers.into_iter().find_map(|(from, value)| Some((from, value.filter(counts)?)));
    let default = || setting.default.map(str::to_owned);
    let (from, value) = match (setting.name, found) {
        // Where they are is known, whoever said so.
        ("OPEN_THINK_CONFIG", found) => {
            (place(sources.flags.config_file.is_some(), found), Some(config.file.display().to_string()))
        }
        ("OPEN_THINK_STATE_DIR", found) => {
            (place(sources.flags.state_dir.is_some(), found), Some(config.state_dir.display().to_string()))
        }
        ("OPEN_THINK_PROFILE", found) => {
            let name = sources.flags.profile.clone().or_else(|| found.clone().map(|(_, value)| value));
            (place(sources.flags.profile.is_some(), found), name)
        }
        (_, None) => (Layer::Default, default()),
        (_, Some((from, _))) if setting.is_secret() => (from, Some("***".to_owned())),
        (_, Some((from, value))) => (from, Some(value)),
    };
    Row { name: setting.name, value, from, about: setting.about }
}

fn place(flag: bool, found: Option<(Layer, String)>) -> Layer {
    if flag { Layer::Flag } else { found.map_or(Layer::Default, |(from, _)| from) }
}

fn shown(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Array(items) => items.iter().map(shown).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

impl Layer {
    fn name(self) -> &'static str {
        match self {
            Self::Flag => "flag",
            Self::Environment => "environment",
            Self::File => "file",
            Self::Default => "default",
        }
    }
}
