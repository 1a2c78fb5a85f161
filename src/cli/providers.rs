//! `providers`: the ways to a model.

use clap::Args;

use crate::cli::client::Client;
use crate::cli::exit::Exit;
use crate::cli::table::Table;
use crate::cli::terminal::Terminal;
use crate::protocol::{DiscoveredRow, Empty, ProviderRow, ProvidersModelsParams, names};

#[derive(Args)]
pub struct ProvidersArgs {
    /// List the models of this provider instead, which asks it over the network
    #[arg(value_name = "PROVIDER")]
    models_of: Option<String>,

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
