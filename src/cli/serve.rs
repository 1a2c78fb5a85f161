//! `serve`: the daemon that all clients of the user share.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use crate::cli::exit::{Exit, UsageError};
use crate::cli::terminal::Terminal;
use crate::config::{Config, Listen, Sources};
use crate::daemon::{Address, Claim, Daemon, HttpRecord, Sealed, log};
use crate::http;

#[derive(Args)]
pub struct ServeArgs {
    /// Where to listen: unix://PATH instead of the usual socket, http://127.0.0.1:PORT beside it
    #[arg(long, value_name = "ADDRESS")]
    listen: Vec<String>,
}

/// Few threads: a daemon mostly waits, and each thread costs memory; but on one alone a client whose frames take long
/// to read, or a skill's schema that takes long to check, would hold up the turns of all others.
const THREADS: usize = 2;

pub fn run(args: &ServeArgs, sources: Sources, terminal: &Terminal) -> anyhow::Result<Exit> {
    let given = Given::read(args)?;
    let address = match &given.socket {
        Some(path) => Address::at(path)?,
        None => Address::of(&sources)?,
    };
    let settings = Sealed::new(sources.given());
    let config = Config::load(sources)?;
    if log::start(&config).is_ok() {
        log::take_panics();
    }
    runtime()?.block_on(async {
        let claim = Claim::take(&address).await?;
        let daemon = Arc::new(Daemon::open(&config).await?);
        let http = match given.http.or(config.serving.listen) {
            Some(listen) => Some(http::open(&config, listen).await?),
            None => None,
        };
        let listening = claim.listen()?;
        let told = http.as_ref().map(|http| HttpRecord { url: http.url.clone(), token_file: http.token_file.clone() });
        daemon.record(&address, told, settings).write(&address)?;
        terminal.note(&format!("open-think: listening on unix://{} (Ctrl-C ends)", address.socket().display()));
        if let Some(http) = http {
            terminal.note(&format!("open-think: and on {}, token in {}", http.url, http.token_file.display()));
            tokio::spawn(Arc::clone(&daemon).serve_http(http));
        }
        // As a task: to wake the future that the runtime itself waits for takes a system call each time.
        tokio::spawn(daemon.serve_socket(listening)).await?
    })?;
    Ok(Exit::Done)
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
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(THREADS).enable_all().build()
}
