//! `status`: the daemon, who is connected to it, and what is at work.

use clap::Args;

use crate::cli::client::Client;
use crate::cli::exit::Exit;
use crate::cli::table::Table;
use crate::cli::terminal::Terminal;
use crate::protocol::{ChildRow, ConnectionRow, Empty, LiveSession, ProviderWarmth, StatusResult, names};

#[derive(Args)]
pub struct StatusArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub async fn run(args: &StatusArgs, terminal: &Terminal, client: &Client) -> anyhow::Result<Exit> {
    let status = client.call::<names::DaemonStatus>(&Empty {}).await?;
    if args.json {
        terminal.print_json(&status)?;
        return Ok(Exit::Done);
    }
    let is_other = status.pid != std::process::id();
    if !is_other {
        terminal.note("No daemon runs; this is what one would say that was started like this command. `open-think serve` starts one, and so does an editor.");
    }
    terminal.print_line(&terminal.output.foreign(&facts(&status, is_other)))?;
    providers(&status.providers, terminal)?;
    if is_other {
        let at = status.started_at.saturating_add(status.uptime_ms);
        connections(&status.connections, at, terminal)?;
        sessions(&status.sessions, terminal)?;
        children(&status.children, at, terminal)?;
    }
    Ok(Exit::Done)
}

/// `is_running` says whether it is a process of its own.
fn facts(status: &StatusResult, is_running: bool) -> String {
    let none = || "none".to_owned();
    let list = |items: &[String]| if items.is_empty() { none() } else { items.join(", ") };
    let memory = status.memory_bytes.map(|bytes| format!("{:.1} MiB", bytes as f64 / (1024.0 * 1024.0)));
    let spent = status.usage.as_ref().map(|usage| {
        let tokens = usage.input_tokens.saturating_add(usage.output_tokens);
        format!("{} calls, {tokens} tokens, ${}", usage.calls, usage.cost_usd)
    });
    let idle = match status.idle_timeout_ms {
        0 => "never".to_owned(),
        limit => format!("after {} with no client and nothing to do", span(limit)),
    };
    let codex = status.codex.as_ref().map(|codex| match codex.pid {
        Some(pid) => format!("{} (process {pid})", codex.state),
        None => codex.state.clone(),
    });
    let rows = [
        ("version", Some(format!("{} (protocol {})", status.version, status.protocol_version))),
        ("process", is_running.then(|| format!("{}, for {}", status.pid, span(status.uptime_ms)))),
        ("memory", Some(memory.unwrap_or_else(|| "not known".to_owned()))),
        ("socket", status.socket.clone()),
        ("http", status.http.clone().or_else(|| Some(format!("off: {}", status.http_fault.as_ref()?)))),
        ("token", status.http_token_file.clone()),
        ("ends", is_running.then_some(idle)),
        ("provider", Some(status.default_provider.clone().unwrap_or_else(none))),
        ("app-server", codex),
        ("plugins", Some(list(&status.enabled_plugins))),
        ("skills", Some(status.skills.to_string())),
        ("hosts", Some(list(&status.allowed_hosts))),
        ("spent today", Some(spent.unwrap_or_else(|| "not known".to_owned()))),
        ("configuration", Some(status.config_file.clone())),
        ("state", Some(status.state_dir.clone())),
        ("log", Some(status.log_file.clone())),
    ];
    let line = |(name, value): (&str, Option<String>)| value.map(|value| format!("{name:<15}{value}"));
    rows.into_iter().filter_map(line).collect::<Vec<_>>().join("\n")
}

fn providers(rows: &[ProviderWarmth], terminal: &Terminal) -> anyhow::Result<()> {
    let mut table = Table::new(&["provider", "way there", "why"]);
    for row in rows {
        table.row([row.id.clone(), row.state.clone(), row.why.clone().unwrap_or_default()]);
    }
    print(rows.len(), &table, terminal)
}

fn connections(rows: &[ConnectionRow], now: u64, terminal: &Terminal) -> anyhow::Result<()> {
    let mut table = Table::new(&["client", "way", "process", "for", "asks", "watches", "works in"]);
    for row in rows {
        let version = row.version.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
        let name = row.name.as_ref().map_or_else(|| "-".to_owned(), |name| format!("{name}{version}"));
        let pid = row.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string());
        table.row([
            name,
            row.via.clone(),
            pid,
            span(now.saturating_sub(row.since)),
            row.in_flight.to_string(),
            row.subscriptions.len().to_string(),
            row.cwd.clone().unwrap_or_else(|| "-".to_owned()),
        ]);
    }
    print(rows.len(), &table, terminal)
}

fn sessions(rows: &[LiveSession], terminal: &Terminal) -> anyhow::Result<()> {
    let mut table = Table::new(&["running", "waiting", "held", "watched by", "session"]);
    for row in rows {
        let running = if row.running { "yes" } else { "no" }.to_owned();
        let counts = [row.queued, row.held, row.subscribers].map(|count| count.to_string());
        let [queued, held, subscribers] = counts;
        table.row([running, queued, held, subscribers, row.session_name.clone()]);
    }
    print(rows.len(), &table, terminal)
}

fn children(rows: &[ChildRow], now: u64, terminal: &Terminal) -> anyhow::Result<()> {
    let mut table = Table::new(&["process", "kind", "for", "name"]);
    for row in rows {
        table.row([row.pid.to_string(), row.kind.clone(), span(now.saturating_sub(row.since)), row.name.clone()]);
    }
    print(rows.len(), &table, terminal)
}

fn print(rows: usize, table: &Table, terminal: &Terminal) -> anyhow::Result<()> {
    if rows > 0 {
        terminal.print_line("")?;
        table.print(terminal)?;
    }
    Ok(())
}

/// As a person says it, in one unit or two.
fn span(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::span;

    #[test]
    fn times_are_said_as_people_say_them() {
        let said = [999, 59_999, 60_000, 3_600_000, 5_430_000, 90_000_000].map(span);
        assert_eq!(said, ["0 s", "59 s", "1 min", "1 h 0 min", "1 h 30 min", "1 d 1 h"]);
    }
}
