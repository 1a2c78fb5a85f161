//! `serve`: the daemon that all clients of the user share.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use crate::cli::exit::{Exit, UsageError};
use crate::cli::terminal::Terminal;
use crate::config::{Config, Sources};
use crate::daemon::{Address, Claim, Daemon, Sealed, log};

#[derive(Args)]
pub struct ServeArgs {
    /// Where to listen instead: unix://PATH
    #[arg(long, value_name = "ADDRESS")]
    listen: Vec<String>,
}

/// Few threads: a daemon mostly waits, and each thread costs memory; but on one alone a client whose frames take long
/// to read, or a skill's schema that takes long to check, would hold up the turns of all others.
const THREADS: usize = 2;

pub fn run(args: &ServeArgs, sources: Sources, terminal: &Terminal) -> anyhow::Result<Exit> {
    let address = address(args, &sources)?;
    let settings = Sealed::new(sources.given());
    let config = Config::load(sources)?;
    if log::start(&config).is_ok() {
        log::take_panics();
    }
    runtime()?.block_on(async {
        let claim = Claim::take(&address).await?;
        let daemon = Arc::new(Daemon::open(&config).await?);
        let listening = claim.listen()?;
        daemon.record(&address, settings).write(&address)?;
        terminal.note(&format!("open-think: listening on unix://{} (Ctrl-C ends)", address.socket().display()));
        // As a task: to wake the future that the runtime itself waits for takes a system call each time.
        tokio::spawn(daemon.serve_socket(listening)).await?
    })?;
    Ok(Exit::Done)
}

fn address(args: &ServeArgs, sources: &Sources) -> anyhow::Result<Address> {
    let mut address = None;
    for listen in &args.listen {
        let path = listen.strip_prefix("unix://").filter(|path| path.starts_with('/')).map(PathBuf::from);
        let hint = "As in --listen unix:///home/me/open-think.sock, with the whole path.";
        let path = path.ok_or_else(|| UsageError::new(format!("'{listen}' is no address to listen on"), hint))?;
        if address.replace(Address::at(&path)?).is_some() {
            return Err(UsageError::new("there is one socket: --listen unix://PATH was given twice", "").into());
        }
    }
    Ok(match address {
        Some(address) => address,
        None => Address::of(sources)?,
    })
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(THREADS).enable_all().build()
}
