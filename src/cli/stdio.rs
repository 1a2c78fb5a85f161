//! `--stdio`: serves the client that started this process.

use crate::cli::exit::Exit;
use crate::cli::terminal::Terminal;
use crate::config::Config;
use crate::daemon::{Daemon, log};
use crate::rpc::End;

pub fn run(config: &Config, terminal: &Terminal) -> anyhow::Result<Exit> {
    if terminal.input_is_terminal() {
        terminal.note("open-think: waiting for a JSON-RPC client on standard input (Ctrl-D ends; --help for people)");
    }
    // Without a log the client is still served; the error would only be noise in an editor.
    if log::start(config).is_ok() {
        log::take_panics();
    }
    let runtime = super::runtime()?;
    let end = runtime.block_on(async {
        let daemon = Daemon::open(config).await?;
        // As a task: to wake the future that the runtime itself waits for takes a system call each time.
        tokio::spawn(async move { daemon.serve_stdio().await }).await?
    });
    // A read of a terminal cannot be stopped, and must not hold up the end.
    runtime.shutdown_background();
    Ok(match end? {
        End::InputEnded | End::Gone | End::Stopped | End::Exit(0) => Exit::Done,
        End::Exit(_) => Exit::Failed,
        End::Broken(fault) => {
            terminal.note(&format!("open-think: {fault}"));
            Exit::Usage
        }
    })
}
