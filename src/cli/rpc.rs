//! `rpc`: any method of the protocol, for scripts and for finding out.

use clap::Args;
use serde_json::value::RawValue;

use crate::cli::client::{CallError, Client};
use crate::cli::exit::{Exit, UsageError};
use crate::cli::input;
use crate::cli::terminal::Terminal;

#[derive(Args)]
pub struct RpcArgs {
    /// The method, as `open-think schema` lists them
    #[arg(value_name = "METHOD")]
    method: String,

    /// Its parameters, a JSON object; `-` reads them from standard input
    #[arg(value_name = "JSON", default_value = "{}")]
    params: String,
}

/// The result on standard output, or the error object on standard error.
pub async fn run(args: &RpcArgs, terminal: &Terminal, client: &Client) -> anyhow::Result<Exit> {
    let text = if args.params == "-" { input::standard_input()? } else { args.params.clone() };
    let params: Box<RawValue> = serde_json::from_str(text.trim()).map_err(|error| {
        UsageError::new(format!("the parameters are not JSON: {error}"), "In a shell, put them in single quotes.")
    })?;
    if !params.get().starts_with('{') {
        let hint = r#"As in '{"sessionName":"conductor:default"}'."#;
        return Err(UsageError::new("the parameters must be a JSON object", hint).into());
    }
    Exit::or_signal(call(&args.method, &params, terminal, client)).await
}

async fn call(method: &str, params: &RawValue, terminal: &Terminal, client: &Client) -> anyhow::Result<Exit> {
    match client.raw(method, params.get()).await {
        Ok(result) if terminal.output.is_terminal => {
            terminal.print_json(&serde_json::from_str::<serde_json::Value>(result.get())?)?;
            Ok(Exit::Done)
        }
        // As it came: numbers keep their digits.
        Ok(result) => {
            terminal.print_line(result.get())?;
            Ok(Exit::Done)
        }
        Err(CallError::Refused(error)) => {
            terminal.note(&serde_json::to_string(&error)?);
            Ok(Exit::Failed)
        }
        Err(error) => Err(error.into()),
    }
}
