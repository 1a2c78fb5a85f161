//! `--stdio`, `--pipe` and `--socket`: serves one client, by way of the shared daemon or in this process.

use std::ffi::OsString;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use tokio::net::{TcpStream, UnixStream};

use crate::cli::exit::Exit;
use crate::cli::running::other_settings;
use crate::cli::shim::{self, End, Opener};
use crate::cli::terminal::Terminal;
use crate::config::{Config, Sources};
use crate::daemon::{Address, Daemon, Launch, log, parent};
use crate::rpc;
use crate::transport::{self, FrameLimits, Restore, Transport, byte_stream, never};

/// Where the client is.
#[derive(Clone, Debug)]
pub enum Way {
    Stdio,
    /// It listens on a socket of this path.
    Pipe(PathBuf),
    /// It listens on a port of this machine.
    Socket(u16),
}

/// `parent` is the process that the client says has started this one.
pub fn run(
    way: &Way,
    in_process: bool,
    parent: Option<i64>,
    sources: Sources,
    terminal: &Terminal,
) -> anyhow::Result<Exit> {
    if matches!(way, Way::Stdio) && terminal.input_is_terminal() {
        terminal.note("open-think: waiting for a JSON-RPC client on standard input (Ctrl-D ends; --help for people)");
    }
    if in_process { alone(way, sources, terminal) } else { shared(way, parent, sources, terminal) }
}

fn shared(way: &Way, parent: Option<i64>, sources: Sources, terminal: &Terminal) -> anyhow::Result<Exit> {
    let opener = Opener { address: Address::of(&sources)?, launch: launch(&sources)? };
    let flags: Vec<_> = sources.given().filter(|(name, _)| is_flag(&sources, name)).collect();
    let runtime = super::runtime()?;
    let (way, error) = (way.clone(), *terminal);
    let end = runtime.block_on(async {
        // As a task: to wake the future that the runtime itself waits for takes a system call each time.
        tokio::spawn(async move {
            let link = tokio::select! {
                link = opener.open() => link?,
                // Nobody waits for it any more.
                () = parent::orphaned() => return Ok(End::Gone),
            };
            // Who only has another environment is served as it is; who gave flags must know that they count for nothing.
            if let Some(note) = other_settings(&opener.address, flags.into_iter()) {
                error.note(&format!("open-think: {note}"));
            }
            let limit = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
            let limits = FrameLimits {
                frame_bytes: limit(link.hello.frame_bytes),
                header_bytes: limit(link.hello.header_bytes),
            };
            let (client, _restore) = way.client(limits).await?;
            anyhow::Ok(shim::run(client, link, opener, parent).await?)
        })
        .await?
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
        End::Lost(error) => {
            terminal.note(&format!("open-think: {error:#}"));
            Exit::Unavailable
        }
    })
}

fn is_flag(sources: &Sources, name: &str) -> bool {
    sources.flags.settings.iter().any(|(flag, _)| flag.eq_ignore_ascii_case(name))
}

fn alone(way: &Way, sources: Sources, terminal: &Terminal) -> anyhow::Result<Exit> {
    let config = Config::load(sources)?;
    // Without a log the client is still served; the error would only be noise in an editor.
    if log::start(&config).is_ok() {
        log::take_panics();
    }
    let runtime = super::runtime()?;
    let way = way.clone();
    let end = runtime.block_on(async {
        let daemon = Arc::new(Daemon::open(&config).await?);
        // As above.
        tokio::spawn(async move {
            let (client, _restore) = way.client(daemon.frame_limits()).await?;
            daemon.serve_alone(client).await
        })
        .await?
    });
    runtime.shutdown_background();
    Ok(match end? {
        rpc::End::InputEnded | rpc::End::Gone | rpc::End::Stopped | rpc::End::Exit(0) => Exit::Done,
        rpc::End::Exit(_) => Exit::Failed,
        rpc::End::Broken(fault) => {
            terminal.note(&format!("open-think: {fault}"));
            Exit::Usage
        }
    })
}

impl Way {
    async fn client(&self, limits: FrameLimits) -> anyhow::Result<(Transport, Option<Restore>)> {
        Ok(match self {
            Self::Stdio => {
                let (transport, restore) = transport::stdio(limits).context("standard input cannot be read")?;
                (transport, Some(restore))
            }
            Self::Pipe(path) => {
                let stream = UnixStream::connect(path).await;
                let stream = stream.with_context(|| format!("no client listens on {}", path.display()))?;
                (transport::unix(stream, limits), None)
            }
            Self::Socket(port) => {
                let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, *port)).await;
                let stream = stream.with_context(|| format!("no client listens on port {port} of this machine"))?;
                stream.set_nodelay(true)?;
                let (reader, writer) = stream.into_split();
                (byte_stream(reader, writer, never(), limits), None)
            }
        })
    }
}

/// The daemon that this process would start: of the same address, with the same settings.
pub fn launch(sources: &Sources) -> anyhow::Result<Launch> {
    let program = std::env::current_exe().context("this program cannot be found")?;
    // One that was replaced meanwhile is started as it is now.
    let program = match program.to_str().and_then(|path| path.strip_suffix(" (deleted)")) {
        Some(path) => path.into(),
        None => program,
    };
    let mut args: Vec<OsString> = Vec::new();
    let mut flag = |name: &str, value: Option<OsString>| {
        args.extend(value.map(|value| [name.into(), value]).into_iter().flatten());
    };
    // It works in another directory.
    let absolute = |path: Option<PathBuf>| path.map(|path| std::path::absolute(&path).unwrap_or(path).into_os_string());
    flag("--config", absolute(sources.named_config_file()));
    flag("--state-dir", absolute(sources.named_state_dir()));
    flag("--profile", sources.profile()?.map(Into::into));
    for (name, value) in &sources.flags.settings {
        flag("--set", Some(format!("{name}={value}").into()));
    }
    Ok(Launch { program, args })
}
