//! `skills`: what can be run here.

use clap::Args;

use crate::cli::client::Client;
use crate::cli::exit::{Exit, UsageError};
use crate::cli::table::Table;
use crate::cli::terminal::{Style, Terminal};
use crate::config::nearest;
use crate::protocol::{Empty, SkillRow, names};

#[derive(Args)]
pub struct SkillsArgs {
    /// Show this skill alone, with the schema of its input
    #[arg(value_name = "SKILL")]
    id: Option<String>,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub async fn run(args: &SkillsArgs, terminal: &Terminal, client: &Client) -> anyhow::Result<Exit> {
    match &args.id {
        Some(id) => show(&find(client, id).await?, args.json, terminal)?,
        None => list(args.json, terminal, client).await?,
    }
    Ok(Exit::Done)
}

/// One skill, or the names that come close.
pub async fn find(client: &Client, id: &str) -> anyhow::Result<SkillRow> {
    let skills = client.call::<names::SkillsList>(&Empty {}).await?.skills;
    let hint = hint(id, &skills);
    let found = skills.into_iter().find(|skill| skill.id == id);
    Ok(found.ok_or_else(|| UsageError::new(format!("there is no skill '{id}'"), hint))?)
}

fn hint(id: &str, skills: &[SkillRow]) -> String {
    let ids: Vec<&str> = skills.iter().map(|skill| skill.id.as_str()).collect();
    let list = "open-think skills lists them.";
    nearest(id, &ids).map_or_else(|| list.to_owned(), |id| format!("Did you mean {id}? {list}"))
}

async fn list(json: bool, terminal: &Terminal, client: &Client) -> anyhow::Result<()> {
    let result = client.call::<names::SkillsList>(&Empty {}).await?;
    if json {
        return terminal.print_json(&result);
    }
    let mut table = Table::new(&["skill", "", "plugin", "what it does"]);
    for skill in result.skills {
        let danger = if skill.dangerous { "dangerous" } else { "" };
        table.row([skill.id, danger.to_owned(), skill.plugin, skill.description]);
    }
    Ok(table.print(terminal)?)
}

fn show(skill: &SkillRow, json: bool, terminal: &Terminal) -> anyhow::Result<()> {
    if json {
        return terminal.print_json(skill);
    }
    let output = terminal.output;
    let danger = if skill.dangerous { output.paint(Style::Bad, " [dangerous]") } else { String::new() };
    let tags = if skill.tags.is_empty() { String::new() } else { format!("\nTags: {}", skill.tags.join(", ")) };
    let about = format!("{}\nPlugin: {}{tags}\nInput: {:#}", skill.description, skill.plugin, skill.input_schema);
    let title = output.paint(Style::Bold, &skill.id);
    Ok(terminal.print_line(&format!("{title}{danger}\n{}", output.foreign(&about)))?)
}
