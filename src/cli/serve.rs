//! `serve`: the daemon that all clients of the user share.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;

use crate::cli::exit::{self, Exit, UsageError};
use crate::cli::terminal::Terminal;
use crate::config::{Config, Sources};
use crate::daemon::{Address, Claim, Daemon, Report, Sealed, Signals, detach, launch, log};

#[derive(Args)]
pub struct ServeArgs {
    /// Where to listen instead: unix://PATH
    #[arg(long, value_name = "ADDRESS")]
    listen: Vec<String>,

    /// Start the daemon in the background and end
    #[arg(long, hide = true, conflicts_with = "detached")]
    launch: bool,

    /// Be that daemon
    #[arg(long, hide = true)]
    detached: bool,
}

pub fn run(args: &ServeArgs, sources: Sources, terminal: &Terminal) -> anyhow::Result<Exit> {
    if args.launch {
        let detached = |arg: OsString| if arg == "--launch" { "--detached".into() } else { arg };
        launch(std::env::args_os().skip(1).map(detached))?;
        return Ok(Exit::Done);
    }
    if !args.detached {
        serve(args, sources, |address| {
            terminal.note(&format!("open-think: listening on unix://{} (Ctrl-C ends)", address.socket().display()));
            Ok(())
        })?;
        return Ok(Exit::Done);
    }
    detach();
    let served = serve(args, sources, |_| Ok(Report::Ready.send()?));
    let Err(error) = served else { return Ok(Exit::Done) };
    let (exit, text) = exit::told(&error);
    tracing::error!("{text}");
    // One that was ready has nobody left to tell.
    let _ = Report::Failed { code: exit.code(), text }.send();
    Ok(exit)
}

/// `ready` is called when clients can connect.
fn serve(args: &ServeArgs, sources: Sources, ready: impl FnOnce(&Address) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let address = address(args, &sources)?;
    let settings = Sealed::new(sources.given());
    let config = Config::load(sources)?;
    if log::start(&config).is_ok() {
        log::take_panics();
    }
    // One thread, as for a single client: what is told to a client keeps its order without anybody's doing, no frame hops
    // between threads, and each thread would cost memory. Nothing in the daemon computes for long, and what would block,
    // as the disk does, has threads of its own.
    super::runtime()?.block_on(async {
        let claim = Claim::take(&address).await?;
        let daemon = Arc::new(Daemon::open(&config).await?);
        let listening = claim.listen()?;
        daemon.record(&address, settings).write(&address)?;
        let signals = Signals::listen().context("signals cannot be listened for")?;
        ready(&address)?;
        tokio::spawn(daemon.serve_socket(listening, Some(signals))).await?;
        Ok(())
    })
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
