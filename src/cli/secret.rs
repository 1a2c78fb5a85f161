//! `secret`: keeps keys in the system's keyring, or where there is none in a file that only its owner reads. No key ever
//! stands in the arguments, where other users could see it, or is shown. A daemon that runs sees the file change.

use clap::{Args, Subcommand};

use crate::cli::exit::{Exit, UsageError};
use crate::cli::origin::{Layer, Row, rows, unused};
use crate::cli::table::Table;
use crate::cli::terminal::Terminal;
use crate::cli::{hidden, input};
use crate::config::{
    Config, Keeper, Keyring, KeyringFault, Reference, SETTINGS, Secret, SecretStore, Setting, Sources, StoreError,
    nearest,
};

#[derive(Args)]
pub struct SecretArgs {
    #[command(subcommand)]
    command: SecretCommand,
}

#[derive(Subcommand)]
enum SecretCommand {
    /// Keep a secret, read from standard input or asked for
    Put {
        /// The setting, as ANTHROPIC_API_KEY
        name: String,
    },
    /// List the secrets and where each comes from
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Forget a secret that was kept
    Delete {
        /// The setting, as ANTHROPIC_API_KEY
        name: String,
    },
}

pub fn run(args: &SecretArgs, sources: Sources, terminal: &Terminal) -> anyhow::Result<Exit> {
    let config = Config::read(sources.clone())?;
    let store = SecretStore::new(&config.state_dir);
    let keyring = Keyring::new(sources.platform, &config.environment);
    match &args.command {
        SecretCommand::Put { name } => {
            let setting = find(name)?;
            let secret = match given(setting, terminal)? {
                Ok(secret) => secret,
                Err(exit) => return Ok(exit),
            };
            let (keeper, fault) = store.put(setting.name, &secret, &keyring).map_err(usable)?;
            terminal.print_line(&kept(setting, keeper, fault.as_ref(), &store))?;
            let (rows, _) = rows(&config, &sources)?;
            if let Some(row) = rows.iter().find(|row| row.name == setting.name && !is_kept(row)) {
                let from = row.from.name();
                terminal.note(&format!("It is not used yet: {} is set in the {from}, which goes before.", row.name));
            }
        }
        SecretCommand::List { json } => {
            let (rows, unread) = rows(&config, &sources)?;
            list(&rows, unread.as_ref(), *json, terminal)?;
            if unread.is_some() {
                return Ok(Exit::Failed);
            }
        }
        SecretCommand::Delete { name } => {
            let setting = find(name)?;
            let Some((keeper, fault)) = store.delete(setting.name, &keyring).map_err(usable)? else {
                let hint = "open-think secret list says where it comes from.";
                return Err(UsageError::new(format!("{} is not kept", setting.name), hint).into());
            };
            terminal.print_line(&format!("{} is forgotten.", setting.name))?;
            if let (Keeper::Keyring, Some(KeyringFault { why, fix })) = (keeper, fault) {
                terminal.note(&format!("It may still be in the keyring: {why}. {fix}"));
            }
        }
    }
    Ok(Exit::Done)
}

fn is_kept(row: &Row) -> bool {
    matches!(row.from, Layer::Keyring | Layer::SecretFile)
}

fn find(name: &str) -> Result<&'static Setting, UsageError> {
    let mut secrets = SETTINGS.iter().filter(|setting| setting.is_secret());
    let names: Vec<&str> = secrets.clone().map(|setting| setting.name).collect();
    let hint = || match nearest(name, &names) {
        Some(near) => format!("Did you mean {near}? open-think secret list names all."),
        None => format!("The secrets are {}.", names.join(", ")),
    };
    let unknown = || UsageError::new(format!("there is no secret with the name '{name}'"), hint());
    secrets.find(|setting| setting.name.eq_ignore_ascii_case(name)).ok_or_else(unknown)
}

/// The inner error says how it was given up.
fn given(setting: &Setting, terminal: &Terminal) -> anyhow::Result<Result<Secret, Exit>> {
    let text = if terminal.input_is_terminal() {
        match hidden::ask(&format!("{} (it is not shown): ", setting.name), terminal)? {
            Ok(text) => text,
            Err(exit) => return Ok(Err(exit)),
        }
    } else {
        input::standard_input()?
    };
    let text = text.trim();
    if text.is_empty() {
        let hint = format!("As in: open-think secret put {} < FILE", setting.name);
        return Err(UsageError::new("no secret was given", hint).into());
    }
    if let Some(kind) = Reference::kind(text) {
        let hint = "References stand in the configuration file or the environment; here belongs the secret itself.";
        return Err(UsageError::new(format!("what was given is a reference ({kind}:)"), hint).into());
    }
    let unfit = |what| UsageError::new(format!("what was given {what}"), "Give the key alone.");
    Ok(Ok(Secret::checked(text.to_owned()).map_err(unfit)?))
}

fn kept(setting: &Setting, keeper: Keeper, fault: Option<&KeyringFault>, store: &SecretStore) -> String {
    let name = setting.name;
    match (keeper, fault) {
        (Keeper::File, Some(fault)) => {
            let file = store.file();
            format!("{name} is kept in {}, which only you can read: {}.", file.display(), fault.why)
        }
        _ => format!("{name} is kept in the system's keyring."),
    }
}

fn list(rows: &[Row], unread: Option<&StoreError>, json: bool, terminal: &Terminal) -> anyhow::Result<()> {
    if let Some(error) = unread {
        terminal.note(&format!("open-think: {}", unused(error)));
    }
    let secrets: Vec<&Row> = rows.iter().filter(|row| row.value.as_deref() == Some("***")).collect();
    let all: Vec<&Row> = rows
        .iter()
        .filter(|row| SETTINGS.iter().any(|setting| setting.name == row.name && setting.is_secret()))
        .collect();
    if json {
        return terminal.print_json(&all);
    }
    if secrets.is_empty() && unread.is_none() {
        terminal.note("No secret is set. `open-think secret put NAME` keeps one, where NAME is one of these:");
    }
    let mut table = Table::new(&["secret", "from", "about"]);
    for row in all {
        let from = match (row.from, row.via) {
            (Layer::Default, _) => "-".to_owned(),
            (from, Some(via)) => format!("{} ({via}:)", from.name()),
            (from, None) => from.name().to_owned(),
        };
        table.row([row.name.to_owned(), from, row.about.to_owned()]);
    }
    Ok(table.print(terminal)?)
}

fn usable(error: StoreError) -> UsageError {
    UsageError::new(error.to_string(), error.fix)
}
