//! `invoke`: runs one skill, without a model.

use clap::Args;
use serde_json::Value;

use crate::cli::client::{CallError, Client};
use crate::cli::exit::{Exit, UsageError};
use crate::cli::spinner::Spinner;
use crate::cli::terminal::Terminal;
use crate::cli::{input, question, skills};
use crate::protocol::{Code, SkillInvokeParams, SkillInvokeResult, names};

#[derive(Args)]
pub struct InvokeArgs {
    /// The skill, as `open-think skills` lists them
    #[arg(value_name = "SKILL")]
    skill: String,

    /// Its input, a JSON object; `-` reads it from standard input
    #[arg(value_name = "JSON")]
    json: Option<String>,

    /// One member of the input; may be repeated
    #[arg(long, short, value_name = "NAME=VALUE", value_parser = input::pair)]
    input: Vec<(String, String)>,

    /// Run it although it is dangerous, without being asked
    #[arg(long)]
    confirm: bool,
}

pub async fn run(args: &InvokeArgs, terminal: &Terminal, client: &Client) -> anyhow::Result<Exit> {
    // Before signals are listened for: this waits without giving way.
    let json = input::json(args.json.as_deref())?;
    Exit::or_signal(invoked(args, json, terminal, client)).await
}

async fn invoked(args: &InvokeArgs, json: Option<Value>, terminal: &Terminal, client: &Client) -> anyhow::Result<Exit> {
    let skill = skills::find(client, &args.skill).await?;
    let input = input::merged(json, &args.input, &skill.input_schema)?;
    let mut params = SkillInvokeParams { skill: skill.id, input: Some(input), confirm: args.confirm };
    let mut answer = invoke(client, terminal, &params).await;
    if needs_word(&answer) {
        params.confirm = agreed(*terminal, &params).await?;
        if !params.confirm {
            return Ok(Exit::Failed);
        }
        answer = invoke(client, terminal, &params).await;
    }
    terminal.print_json(&answer?.data)?;
    Ok(Exit::Done)
}

async fn invoke(
    client: &Client,
    terminal: &Terminal,
    params: &SkillInvokeParams,
) -> Result<SkillInvokeResult, CallError> {
    let mut spinner = Spinner::new(terminal);
    spinner.show(params.skill.clone());
    client.call::<names::SkillsInvoke>(params).await
}

fn needs_word(answer: &Result<SkillInvokeResult, CallError>) -> bool {
    answer.as_ref().is_err_and(|error| error.code() == Some(Code::ApprovalRequired.number()))
}

async fn agreed(terminal: Terminal, params: &SkillInvokeParams) -> anyhow::Result<bool> {
    let skill = &params.skill;
    if !terminal.can_ask() {
        let message = format!("the skill {skill} is dangerous and nobody can be asked");
        return Err(UsageError::new(message, "Add --confirm to run it all the same.").into());
    }
    let input = params.input.as_ref().map(Value::to_string).unwrap_or_default();
    let question = format!("{skill} is dangerous. Run it with {input}?");
    let question = terminal.error.foreign(&question).into_owned();
    // On a thread of its own, so that Ctrl-C is heard meanwhile.
    Ok(tokio::task::spawn_blocking(move || question::confirm(&terminal, &question)).await?)
}
