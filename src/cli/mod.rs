//! The command line: one file a command.
//!
//! Commands speak to the daemon as any other client does, over a connection; for now the daemon is in the process.

mod args;
mod client;
mod exit;
mod stdio;

use std::process::ExitCode;

use clap::Parser;

use crate::config::{Config, Sources};
use args::{Args, Command};
use exit::Exit;

/// Reads the command line, does what it says, and says how it went.
pub fn run() -> ExitCode {
    let args = Args::parse();
    match dispatch(args) {
        Ok(exit) => exit.into(),
        Err(error) => exit::fail(&error),
    }
}

fn dispatch(args: Args) -> anyhow::Result<Exit> {
    let config = Config::load(Sources::from_process(args.overrides()))?;
    match args.command {
        _ if args.stdio => stdio::run(&config),
        None => Ok(Exit::Usage),
        Some(Command::Stdio) => stdio::run(&config),
    }
}

/// One thread is enough for one client, and spares each message a hop.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}
