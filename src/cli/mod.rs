//! The command line: one file a command.
//!
//! Commands speak to the daemon as any other client does, over a connection: to the one that runs, or else to one in the
//! process.

mod approve;
mod args;
mod ask;
mod client;
mod completions;
mod config;
mod doctor;
mod examined;
mod exit;
mod flow;
mod hidden;
mod input;
mod invoke;
mod login;
mod logs;
mod origin;
mod outcome;
mod providers;
mod question;
mod rpc;
mod running;
mod schema;
mod secret;
mod serve;
mod service;
mod sessions;
mod shim;
mod skills;
mod spinner;
mod status;
mod stdio;
mod stop;
mod table;
mod terminal;
mod turn;
mod view;

use std::process::ExitCode;
use std::sync::Arc;

use clap::FromArgMatches;

use crate::config::{Config, Reference, SETTINGS, Sources};
use crate::daemon::{Daemon, log};
use args::{Args, Command};
use client::{Client, Inbound};
use exit::{Exit, UsageError};
use running::{Given, Subject};
use terminal::Terminal;

/// Reads the command line, does what it says, and says how it went.
pub fn run() -> ExitCode {
    // Help, version and faults of the command line end the process here.
    let matches = args::command().get_matches();
    let args = Args::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let sources = Sources::from_process(args.global.overrides());
    let terminal = Terminal::new(args.global.color, &sources.env);
    dispatch(args, sources, &terminal).unwrap_or_else(|error| exit::fail(&error, &terminal)).into()
}

fn dispatch(args: Args, sources: Sources, terminal: &Terminal) -> anyhow::Result<Exit> {
    refuse_secrets(&sources)?;
    if let Some(way) = args.way() {
        return stdio::run(&way, args.no_daemon, args.client_process_id, sources, terminal);
    }
    match args.command {
        None => Err(UsageError::new("no command was given", "open-think --help lists them.").into()),
        Some(Command::Serve(args)) => serve::run(&args, sources, terminal),
        Some(Command::Schema(args)) => schema::run(&args, terminal),
        Some(Command::Completions(args)) => completions::run(&args, terminal),
        Some(Command::Config(args)) => config::run(&args, sources, terminal),
        Some(Command::Secret(args)) => secret::run(&args, sources, terminal),
        Some(Command::Service(args)) => service::run(&args, &sources, terminal),
        Some(Command::Doctor(args)) => doctor::run(&args, sources, terminal),
        Some(Command::Logs(args)) => logs::run(&args, &sources, terminal),
        Some(Command::Stop(args)) => stop::stop(&args, &sources, terminal),
        Some(Command::Restart(args)) => stop::restart(&args, sources, terminal),
        Some(command) => ask_daemon(command, sources, terminal),
    }
}

/// Other users see the arguments of a process, and a daemon that is started with them has them for long.
fn refuse_secrets(sources: &Sources) -> Result<(), UsageError> {
    let is_secret =
        |name: &str| SETTINGS.iter().any(|setting| setting.is_secret() && setting.name.eq_ignore_ascii_case(name));
    let bare = |(name, value): &&(String, String)| is_secret(name) && Reference::kind(value).is_none();
    let Some((name, _)) = sources.flags.settings.iter().find(bare) else { return Ok(()) };
    let name = name.to_ascii_uppercase();
    let hint = format!(
        "Run open-think secret put {name}, set it in the environment, or refer to it as in --set {name}=file:/PATH."
    );
    Err(UsageError::new(format!("{name} is a secret, and other users can read the command line"), hint))
}

fn ask_daemon(command: Command, sources: Sources, terminal: &Terminal) -> anyhow::Result<Exit> {
    let subject = if matches!(command, Command::Status(_)) { Subject::Daemon } else { Subject::Work };
    // A fault in it is told before another daemon answers for it. Secrets are had only where the work is done here: a
    // program that gives one may ask its user for a password.
    let fault = Config::read(sources.clone()).err();
    if let Some(fault) = fault.clone().filter(|_| subject == Subject::Work) {
        return Err(fault.into());
    }
    let runtime = runtime()?;
    let exit = runtime.block_on(async {
        let approvals = matches!(command, Command::Ask(_) | Command::Approve(_)) && terminal.can_ask();
        let running = match Given::of(&sources) {
            Some(given) => given.daemon(subject, approvals, terminal).await?,
            None => None,
        };
        if let Some((client, inbound)) = running {
            if let Some(fault) = fault {
                let note = format!("open-think: the running daemon goes on with what it has read before: {fault}");
                terminal.note(&terminal.error.foreign(&note));
            }
            return run_command(command, client, inbound, terminal).await;
        }
        let config = Config::load(sources)?;
        // A log that cannot be written is reported by `doctor`, and is no reason not to answer.
        let _ = log::start(&config);
        let daemon = Arc::new(Daemon::open(&config).await?);
        let (client, inbound) = Client::connect(&daemon, approvals).await?;
        let exit = run_command(command, client, inbound, terminal).await;
        daemon.stop().await;
        exit
    });
    // A read of a terminal cannot be stopped, and must not hold up the end.
    runtime.shutdown_background();
    exit
}

async fn run_command(
    command: Command,
    client: Client,
    mut inbound: Inbound,
    terminal: &Terminal,
) -> anyhow::Result<Exit> {
    match command {
        Command::Ask(args) => ask::run(args, terminal, &client, &mut inbound).await,
        Command::Approve(args) => approve::run(args, terminal, &client, &mut inbound).await,
        Command::Sessions(args) => sessions::run(args, terminal, &client).await,
        Command::Skills(args) => skills::run(&args, terminal, &client).await,
        Command::Invoke(args) => invoke::run(&args, terminal, &client).await,
        Command::Providers(args) => providers::run(&args, terminal, &client).await,
        Command::Status(args) => status::run(&args, terminal, &client).await,
        Command::Login(args) => login::run(&args, terminal, &client).await,
        Command::Logout(args) => login::logout(&args, terminal, &client).await,
        Command::Rpc(args) => rpc::run(&args, terminal, &client).await,
        Command::Schema(_)
        | Command::Completions(_)
        | Command::Config(_)
        | Command::Secret(_)
        | Command::Service(_)
        | Command::Doctor(_)
        | Command::Logs(_)
        | Command::Serve(_)
        | Command::Stop(_)
        | Command::Restart(_)
        | Command::Stdio => {
            unreachable!("these need no daemon and are done before")
        }
    }
}

/// One thread is enough for one client, and spares each message a hop.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}
