//! `sessions`: the conversations kept on disk.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{Args, Subcommand};
use serde_json::Value;

use crate::cli::client::Client;
use crate::cli::exit::{Exit, UsageError};
use crate::cli::question;
use crate::cli::table::Table;
use crate::cli::terminal::{Style, Terminal};
use crate::cli::view::shortened;
use crate::protocol::{Empty, SessionMessage, SessionMessagesParams, SessionParams, names};

#[derive(Args)]
pub struct SessionsArgs {
    #[command(subcommand)]
    command: Option<SessionsCommand>,

    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum SessionsCommand {
    /// List them, the one used last first (as without a command)
    List,
    /// Show what was said in one
    Show {
        #[arg(value_name = "NAME")]
        name: String,
        /// At most this many messages, the newest
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
    },
    /// Delete one with its messages and actions, for good
    Delete {
        #[arg(value_name = "NAME")]
        name: String,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
}

pub async fn run(args: SessionsArgs, terminal: &Terminal, client: &Client) -> anyhow::Result<Exit> {
    match args.command.unwrap_or(SessionsCommand::List) {
        SessionsCommand::List => list(args.json, terminal, client).await,
        SessionsCommand::Show { name, limit } => show(name, limit, args.json, terminal, client).await,
        SessionsCommand::Delete { name, yes } => delete(name, yes, args.json, terminal, client).await,
    }
}

async fn list(json: bool, terminal: &Terminal, client: &Client) -> anyhow::Result<Exit> {
    let result = client.call::<names::SessionsList>(&Empty {}).await?;
    if json {
        terminal.print_json(&result)?;
    } else if result.sessions.is_empty() {
        terminal.note("There are no sessions yet; open-think ask begins one.");
    } else {
        let mut table = Table::new(&["used", "messages", "held", "session"]);
        for session in result.sessions {
            let held = if session.held_count == 0 { String::new() } else { session.held_count.to_string() };
            table.row([ago(session.updated_at), session.message_count.to_string(), held, session.session_name]);
        }
        table.print(terminal)?;
    }
    Ok(Exit::Done)
}

async fn show(name: String, limit: u32, json: bool, terminal: &Terminal, client: &Client) -> anyhow::Result<Exit> {
    let session = client.call::<names::SessionsGet>(&SessionParams { session_name: name.clone() }).await?;
    let params = SessionMessagesParams { session_name: name, limit: Some(limit), before: None };
    let result = client.call::<names::SessionsMessages>(&params).await?;
    if json {
        terminal.print_json(&result)?;
        return Ok(Exit::Done);
    }
    for message in &result.messages {
        terminal.print_line(&shown(message, terminal))?;
    }
    let held = session.held_actions.iter();
    for action in held {
        let input = action.input.as_ref().map(shortened).unwrap_or_default();
        let row = format!("held: {} {} {input}", action.id, action.skill);
        terminal.print_line(&terminal.output.paint(Style::Warning, &terminal.output.foreign(&row)))?;
    }
    Ok(Exit::Done)
}

async fn delete(name: String, yes: bool, json: bool, terminal: &Terminal, client: &Client) -> anyhow::Result<Exit> {
    if !yes {
        if !terminal.can_ask() {
            return Err(UsageError::new("nobody can be asked whether to delete it", "Add --yes to delete it.").into());
        }
        if !question::confirm(terminal, &format!("Delete the session {name} for good?")) {
            return Ok(Exit::Failed);
        }
    }
    let params = SessionParams { session_name: name.clone() };
    let result = client.call::<names::SessionsDelete>(&params).await?;
    if json {
        terminal.print_json(&result)?;
    } else if result.deleted {
        terminal.note(&format!("The session {name} is deleted."));
    } else {
        return Err(UsageError::new(format!("there is no session '{name}'"), "open-think sessions lists them.").into());
    }
    Ok(if result.deleted { Exit::Done } else { Exit::Failed })
}

fn shown(message: &SessionMessage, terminal: &Terminal) -> String {
    let by = message.provider.as_ref().map(|provider| format!(" · {provider}")).unwrap_or_default();
    let title = format!("{}{by} · {}", message.role, ago(message.created_at));
    let mut parts = vec![terminal.output.paint(Style::Bold, &terminal.output.foreign(&title))];
    let content = message.content.trim();
    parts.extend((!content.is_empty()).then(|| terminal.output.foreign(content).into_owned()));
    parts.extend(message.blocks.iter().map(|block| terminal.output.foreign(&shown_block(block)).into_owned()));
    parts.join("\n") + "\n"
}

fn shown_block(block: &Value) -> String {
    let skill = block["skill"].as_str().unwrap_or_default();
    match block["type"].as_str() {
        Some("tool-call") => format!("→ {skill} {}", shortened(&block["input"])),
        Some("tool-result") => {
            let mark = if block["ok"] == true { "✓" } else { "✗" };
            format!("{mark} {skill} {}", shortened(&block["content"]))
        }
        other => format!("[{}]", other.unwrap_or("block")),
    }
}

/// How long ago, roughly.
fn ago(unix_ms: u64) -> String {
    let then = UNIX_EPOCH + Duration::from_millis(unix_ms);
    roughly(SystemTime::now().duration_since(then).unwrap_or_default())
}

fn roughly(age: Duration) -> String {
    let seconds = age.as_secs();
    let (count, unit) = match seconds {
        0..60 => return "just now".to_owned(),
        60..3600 => (seconds / 60, "min"),
        3600..86_400 => (seconds / 3600, "h"),
        86_400.. => (seconds / 86_400, "d"),
    };
    format!("{count} {unit} ago")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::roughly;

    #[test]
    fn ages_are_rounded_down() {
        let cases = [(59, "just now"), (60, "1 min ago"), (7199, "1 h ago"), (86_400 * 3 + 5, "3 d ago")];
        for (seconds, expected) in cases {
            assert_eq!(roughly(Duration::from_secs(seconds)), expected);
        }
    }
}
