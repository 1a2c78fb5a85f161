//! `providers` and `status`: the ways to a model, and the daemon itself.

use clap::Args;

use crate::cli::client::Client;
use crate::cli::exit::Exit;
use crate::cli::table::Table;
use crate::cli::terminal::Terminal;
use crate::protocol::{DiscoveredRow, Empty, ProviderRow, ProvidersModelsParams, StatusResult, names};

#[derive(Args)]
pub struct ProvidersArgs {
    /// List the models of this provider instead, which asks it over the network
    #[arg(value_name = "PROVIDER")]
    models_of: Option<String>,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub struct StatusArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub async fn run(args: &ProvidersArgs, terminal: &Terminal, client: &Client) -> anyhow::Result<Exit> {
    match &args.models_of {
        Some(provider) => models(provider, args.json, terminal, client).await?,
        None => list(args.json, terminal, client).await?,
    }
    Ok(Exit::Done)
}

async fn list(json: bool, terminal: &Terminal, client: &Client) -> anyhow::Result<()> {
    let result = client.call::<names::ProvidersList>(&Empty {}).await?;
    if json {
        return terminal.print_json(&result);
    }
    let mut table = Table::new(&["provider", "enabled", "configured", "model", "how it stands"]);
    let yes = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
    for row in result.providers {
        let standing = standing(&row);
        let model = row.default_model.unwrap_or_else(|| "-".to_owned());
        table.row([row.id, yes(row.enabled), yes(row.configured), model, standing]);
    }
    table.print(terminal)?;
    for server in result.discovered {
        let DiscoveredRow { name, url, hint, .. } = server;
        terminal.note(&format!("{name} answers at {url} and is not used; to use it, {hint}."));
    }
    Ok(())
}

fn standing(row: &ProviderRow) -> String {
    let mut parts = Vec::new();
    if row.default {
        parts.push("Answers unless another is named.".to_owned());
    }
    let after = row.latency_ms.map(|latency| format!(" after {latency} ms")).unwrap_or_default();
    let error = row.last_error.as_deref().unwrap_or("no reason given");
    match (row.healthy, row.state.as_str()) {
        (Some(false), _) => parts.push(format!("It failed: {error}")),
        (_, "failed") => parts.push(format!("There is no connection: {error}")),
        (Some(true), _) => parts.push(format!("It answered{after} when last asked.")),
        (None, "warm") => parts.push(format!("It is connected, and answered{after}.")),
        (None, "connecting") => parts.push("It is being connected to.".to_owned()),
        (None, _) => {}
    }
    parts.extend(row.hint.clone());
    if row.configured && !row.enabled {
        parts.push("ENABLED_PLUGINS leaves it out.".to_owned());
    }
    parts.join(" ")
}

async fn models(provider: &str, json: bool, terminal: &Terminal, client: &Client) -> anyhow::Result<()> {
    let params = ProvidersModelsParams { provider: provider.to_owned() };
    let result = client.call::<names::ProvidersModels>(&params).await?;
    if json {
        return terminal.print_json(&result);
    }
    if result.models.is_empty() {
        terminal.note(&format!("{provider} has no models to choose from."));
        return Ok(());
    }
    let mut table = Table::new(&["model", "name"]);
    for model in result.models {
        table.row([model.id, model.name.unwrap_or_default()]);
    }
    Ok(table.print(terminal)?)
}

pub async fn status(args: &StatusArgs, terminal: &Terminal, client: &Client) -> anyhow::Result<Exit> {
    let status = client.call::<names::DaemonStatus>(&Empty {}).await?;
    if args.json {
        terminal.print_json(&status)?;
    } else {
        if status.pid == std::process::id() {
            terminal.note("No daemon runs; this is what one would say that was started like this command.");
        }
        terminal.print_line(&terminal.output.foreign(&told(&status)))?;
    }
    Ok(Exit::Done)
}

fn told(status: &StatusResult) -> String {
    let none = || "none".to_owned();
    let list = |items: &[String]| if items.is_empty() { none() } else { items.join(", ") };
    let memory = status.memory_bytes.map(|bytes| format!("{} MiB", bytes / (1024 * 1024)));
    let spent = status.usage.as_ref().map(|usage| {
        let tokens = usage.input_tokens.saturating_add(usage.output_tokens);
        format!("{} calls, {tokens} tokens, ${}", usage.calls, usage.cost_usd)
    });
    let rows = [
        ("version", format!("{} (protocol {})", status.version, status.protocol_version)),
        ("memory", memory.unwrap_or_else(|| "not known".to_owned())),
        ("provider", status.default_provider.clone().unwrap_or_else(none)),
        ("plugins", list(&status.enabled_plugins)),
        ("skills", status.skills.to_string()),
        ("hosts", list(&status.allowed_hosts)),
        ("spent today", spent.unwrap_or_else(|| "not known".to_owned())),
        ("configuration", status.config_file.clone()),
        ("state", status.state_dir.clone()),
        ("log", status.log_file.clone()),
    ];
    rows.map(|(name, value)| format!("{name:<15}{value}")).join("\n")
}
