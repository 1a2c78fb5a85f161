//! What the command line may say.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::config::Overrides;

/// A warm daemon between editors, agents and language models, spoken to in JSON-RPC.
#[derive(Parser)]
#[command(name = "open-think", version, arg_required_else_help = true)]
pub struct Args {
    /// Serve one client on standard input and output (what an editor starts)
    #[arg(long)]
    pub stdio: bool,

    /// Serve in this process instead of a shared daemon
    #[arg(long)]
    pub no_daemon: bool,

    /// The process that started this one, as some editors pass it
    #[arg(long = "clientProcessId", value_name = "PID", hide = true)]
    pub client_process_id: Option<i64>,

    /// Configuration file
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,

    /// Directory for sessions and logs
    #[arg(long, value_name = "DIR", global = true)]
    pub state_dir: Option<PathBuf>,

    #[command(subcommand)]
    pub command: Option<Command>,
}

#[derive(Subcommand)]
pub enum Command {
    /// Serve one client on standard input and output
    #[command(hide = true)]
    Stdio,
}

impl Args {
    pub fn overrides(&self) -> Overrides {
        Overrides { config_file: self.config.clone(), state_dir: self.state_dir.clone(), settings: Vec::new() }
    }
}
