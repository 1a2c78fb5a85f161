//! `approve`: decides actions that a turn suggested or held, and goes on with that turn.

use clap::Args;
use serde_json::Value;

use crate::cli::ask::Display;
use crate::cli::client::{Client, Inbound};
use crate::cli::exit::{Exit, UsageError};
use crate::cli::terminal::Terminal;
use crate::cli::{input, turn};
use crate::protocol::{ApproveParams, DEFAULT_SESSION, Decision, Wait, names};

#[derive(Args)]
pub struct ApproveArgs {
    /// The actions, by the ids that `ask` printed
    #[arg(value_name = "ACTION_ID", required = true)]
    action_ids: Vec<String>,

    /// Refuse them instead; the model hears of it
    #[arg(long)]
    deny: bool,

    /// Run the action with this input instead, a JSON object or `-` for standard input; with one action only
    #[arg(long, value_name = "JSON", conflicts_with = "deny")]
    input: Option<String>,

    /// Decide and stop there, without telling the model
    #[arg(long)]
    no_continue: bool,

    /// The conversation that they belong to
    #[arg(long, value_name = "NAME", default_value = DEFAULT_SESSION)]
    session: String,

    #[command(flatten)]
    display: Display,
}

pub async fn run(
    args: ApproveArgs,
    terminal: &Terminal,
    client: &Client,
    inbound: &mut Inbound,
) -> anyhow::Result<Exit> {
    let input: Option<Value> = input::json(args.input.as_deref())?;
    if input.is_some() && args.action_ids.len() > 1 {
        return Err(UsageError::new("--input goes with a single action", "").into());
    }
    let params = ApproveParams {
        session_name: args.session.clone(),
        action_ids: args.action_ids,
        decision: if args.deny { Decision::Deny } else { Decision::Approve },
        input,
        resume: !args.no_continue,
        stream: true,
        wait: Wait::End,
        include_raw: false,
        detach: false,
        work_done_token: None,
    };
    let mut view = args.display.view(terminal);
    let turn = (args.session.as_str(), &params);
    let ended = turn::run::<names::ConductorApprove>(client, inbound, terminal, &mut view, turn).await?;
    args.display.report(terminal, ended)
}
