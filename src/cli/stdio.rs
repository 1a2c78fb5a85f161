//! `--stdio`: serves the client that started this process.

use crate::cli::exit::Exit;
use crate::config::Config;
use crate::daemon::{Daemon, log};
use crate::rpc::End;

pub fn run(config: &Config) -> anyhow::Result<Exit> {
    // Without a log the client is still served; the error would only be noise in an editor.
    let _ = log::start(config);
    let runtime = super::runtime()?;
    let end = runtime.block_on(async { Daemon::open(config).await?.serve_stdio().await });
    // A read of a terminal cannot be stopped, and must not hold up the end.
    runtime.shutdown_background();
    Ok(match end? {
        End::InputEnded | End::Gone | End::Stopped | End::Exit(0) => Exit::Done,
        End::Exit(_) => Exit::Failed,
        End::Broken(fault) => {
            say(&fault.to_string());
            Exit::Usage
        }
    })
}

#[expect(clippy::print_stderr, reason = "one line for whoever started us with something else than a client")]
fn say(text: &str) {
    eprintln!("open-think: {text}");
}
