//! `serve`: the daemon that all clients of the user share.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;

use crate::cli::exit::{self, Exit, UsageError};
use crate::cli::terminal::Terminal;
use crate::config::{Config, Listen, Sources};
use crate::daemon::{
    Address, Claim, Daemon, HttpRecord, Inherited, Notice, Report, Sealed, Signals, detach, launch, log, raise,
};
use crate::http::{self, Opened};

#[derive(Args)]
pub struct ServeArgs {
    /// Where to listen: unix://PATH instead of the usual socket, http://127.0.0.1:PORT beside it
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
        serve(args, sources, Inherited::take()?, |address, http| {
            terminal.note(&format!("open-think: listening on unix://{} (Ctrl-C ends)", address.socket().display()));
            if let Some(http) = http {
                terminal.note(&format!("open-think: and on {}, token in {}", http.url, http.token_file.display()));
            }
            Ok(())
        })?;
        return Ok(Exit::Done);
    }
    detach();
    let served = serve(args, sources, None, |_, _| Ok(Report::Ready.send()?));
    let Err(error) = served else { return Ok(Exit::Done) };
    let (exit, text) = exit::told(&error);
    tracing::error!("{text}");
    // One that was ready has nobody left to tell.
    let _ = Report::Failed { code: exit.code(), text }.send();
    Ok(exit)
}

/// `ready` is called when clients can connect.
fn serve(
    args: &ServeArgs,
    sources: Sources,
    inherited: Option<Inherited>,
    ready: impl FnOnce(&Address, Option<&HttpRecord>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let given = Given::read(args)?;
    let customary = match &given.socket {
        Some(path) => Address::at(path)?,
        None => Address::of(&sources)?,
    };
    let address = match &inherited {
        Some(inherited) => inherited.address(&customary, given.socket.as_deref())?,
        None => customary.clone(),
    };
    let settings = Sealed::new(sources.given());
    let config = Config::load(sources)?;
    if log::start(&config).is_ok() {
        log::take_panics();
    }
    prepare(&address, &customary);
    // One thread, as for a single client: what is told to a client keeps its order without anybody's doing, no frame hops
    // between threads, and each thread would cost memory. Nothing in the daemon computes for long, and what would block,
    // as the disk does, has threads of its own.
    let runtime = super::runtime()?;
    let served = runtime.block_on(async {
        let claim = Claim::take(&address, inherited).await?;
        let daemon = Arc::new(Daemon::open(&config).await?);
        let (http, fault) = given.open(&config).await?;
        let mut listening = claim.listen()?;
        let told = http.as_ref().map(|http| HttpRecord { url: http.url.clone(), token_file: http.token_file.clone() });
        listening.tell(daemon.record(&address, fault.map_or(Ok(told.clone()), Err), settings))?;
        let signals = Signals::listen().context("signals cannot be listened for")?;
        ready(&address, told.as_ref())?;
        Notice::Ready.send();
        if let Some(http) = http {
            tokio::spawn(Arc::clone(&daemon).serve_http(http));
        }
        tokio::spawn(daemon.serve_socket(listening, Some(signals))).await?;
        Ok(())
    });
    // A program that is asked for a secret, as the configuration is read again, must not hold up the end.
    runtime.shutdown_background();
    served
}

/// What there is to say before anything is opened, and room for it.
fn prepare(address: &Address, customary: &Address) {
    if address != customary {
        let (socket, customary) = (address.socket().display(), customary.socket().display());
        tracing::warn!(
            %socket,
            %customary,
            "the socket that was passed to this process is not where clients look: set ListenStream= to the customary one"
        );
    }
    match raise() {
        Ok(limit) => tracing::debug!(limit, "files and connections that may be open"),
        Err(error) => tracing::warn!(%error, "the limit of open files stays as it is"),
    }
}

/// What `--listen` names.
#[derive(Default)]
struct Given {
    socket: Option<PathBuf>,
    http: Option<Listen>,
}

impl Given {
    fn read(args: &ServeArgs) -> Result<Self, UsageError> {
        let mut given = Self::default();
        for text in &args.listen {
            let wrong = |hint: &str| UsageError::new(format!("'{text}' is no address to listen on"), hint);
            let again =
                |what: &str| UsageError::new(format!("there is one {what}: --listen was given twice for it"), "");
            if text.starts_with("http") {
                let listen = text.parse().map_err(|why: String| wrong(&format!("It {why}.")))?;
                if given.http.replace(listen).is_some() {
                    return Err(again("address for HTTP"));
                }
                continue;
            }
            let path = text.strip_prefix("unix://").filter(|path| path.starts_with('/')).map(PathBuf::from);
            let hint = "As in --listen unix:///home/me/open-think.sock or --listen http://127.0.0.1:7878.";
            if given.socket.replace(path.ok_or_else(|| wrong(hint))?).is_some() {
                return Err(again("socket"));
            }
        }
        Ok(given)
    }

    /// Who names an address is told when it cannot be had. One that the configuration names takes the daemon away from
    /// nobody: it says why it does not listen there.
    async fn open(&self, config: &Config) -> anyhow::Result<(Option<Opened>, Option<String>)> {
        if let Some(listen) = self.http {
            return Ok((Some(http::open(config, listen).await?), None));
        }
        let Some(listen) = config.serving.listen else { return Ok((None, None)) };
        match http::open(config, listen).await {
            Ok(opened) => Ok((Some(opened), None)),
            Err(error) => {
                tracing::error!(%error, "HTTP is off");
                Ok((None, Some(error.to_string())))
            }
        }
    }
}
