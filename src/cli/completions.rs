//! `completions`: what a shell can complete.

use clap::Args;
use clap_complete::Shell;

use crate::cli::exit::Exit;
use crate::cli::terminal::Terminal;

#[derive(Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

pub fn run(args: &CompletionsArgs, terminal: &Terminal) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::args::command(), "open-think", &mut script);
    terminal.print(&String::from_utf8(script)?)?;
    Ok(Exit::Done)
}
