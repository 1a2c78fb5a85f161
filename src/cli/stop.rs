//! `stop` and `restart`: the end of the running daemon, and another one in its place.

use std::time::Duration;

use anyhow::bail;
use clap::Args;
use tokio::time::timeout;

use crate::cli::client::Client;
use crate::cli::exit::{Exit, UsageError};
use crate::cli::running::{self, hello_of};
use crate::cli::shim::Opener;
use crate::cli::stdio;
use crate::cli::terminal::Terminal;
use crate::config::{Config, Sources};
use crate::daemon::{Address, StartError, connect, faults};
use crate::protocol::{HelloResult, StopParams, StopWhen, names};

#[derive(Args)]
pub struct StopArgs {
    /// Stop what runs, instead of waiting until it is done
    #[arg(long)]
    now: bool,
}

/// How long a daemon may take to end when it is to end at once.
const PATIENCE: Duration = Duration::from_secs(15);

pub fn stop(args: &StopArgs, sources: &Sources, terminal: &Terminal) -> anyhow::Result<Exit> {
    let address = Address::of(sources)?;
    super::runtime()?.block_on(Exit::or_signal(async {
        let Some((client, pid)) = ask(args, &address).await? else {
            terminal.note("No daemon runs.");
            return Ok(Exit::Done);
        };
        if !args.now {
            // As long as it gives to what runs; Ctrl-C ends the waiting only.
            client.ended().await;
        } else if timeout(PATIENCE, client.ended()).await.is_err() {
            bail!("the daemon does not end: kill -9 {pid} ends it");
        }
        terminal.note(&format!("The daemon (process {pid}) has ended."));
        Ok(Exit::Done)
    }))
}

pub fn restart(args: &StopArgs, sources: Sources, terminal: &Terminal) -> anyhow::Result<Exit> {
    let opener = Opener { address: Address::of(&sources)?, launch: stdio::launch(&sources)? };
    // What would keep the next one from starting is known before this one ends.
    let faults = faults(&Config::read(sources)?);
    if !faults.is_empty() {
        let hint = "Mend it; open-think config check says whether it is good. The daemon that runs goes on.";
        return Err(UsageError::new(faults.join("; "), hint).into());
    }
    super::runtime()?.block_on(Exit::or_signal(async {
        // The address is free as soon as this is answered; what runs comes to its end beside the next one.
        ask(args, &opener.address).await?;
        let link = opener.open().await?;
        terminal.note(&format!("The daemon is process {}, version {}.", link.hello.pid, link.hello.version));
        Ok(Exit::Done)
    }))
}

/// Asks the running daemon to end, if there is one.
async fn ask(args: &StopArgs, address: &Address) -> anyhow::Result<Option<(Client, u32)>> {
    let Some(stream) = connect(address).await? else { return Ok(None) };
    let (client, _inbound) = Client::dial(stream).await?;
    let Some(HelloResult { pid, .. }) = hello_of(&client, address).await? else { return Ok(None) };
    let when = if args.now { StopWhen::Now } else { StopWhen::Drain };
    let stop = timeout(running::PATIENCE, client.call::<names::DaemonStop>(&StopParams { when })).await;
    let stop = stop.map_err(|_| StartError::silent(address))??;
    if !stop.stopping {
        bail!("the daemon does not end: {}", stop.reason.unwrap_or_default());
    }
    Ok(Some((client, pid)))
}
