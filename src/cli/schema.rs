//! `schema`: what this program speaks. It opens nothing.

use clap::{Args, ValueEnum};

use crate::cli::exit::Exit;
use crate::cli::terminal::Terminal;
use crate::protocol::{json_schema, openapi, openrpc, typescript};

#[derive(Args)]
pub struct SchemaArgs {
    /// The form
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Json)]
    format: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// JSON Schema, with the method table beside the definitions
    Json,
    /// OpenRPC, as `rpc.discover` gives it
    Openrpc,
    /// OpenAPI, as `/openapi.json` gives it
    Openapi,
    /// Types of TypeScript
    Ts,
}

pub fn run(args: &SchemaArgs, terminal: &Terminal) -> anyhow::Result<Exit> {
    let schema = match args.format {
        Format::Json => json_schema(),
        Format::Openrpc => openrpc(),
        Format::Openapi => openapi(),
        Format::Ts => {
            terminal.print(&typescript())?;
            return Ok(Exit::Done);
        }
    };
    // Always for eyes: it is read, kept in files and compared.
    terminal.print_line(&serde_json::to_string_pretty(&schema)?)?;
    Ok(Exit::Done)
}
