//! What the command line may say, and how its help reads.

use std::path::PathBuf;

use clap::{CommandFactory, Parser, Subcommand};

use crate::cli::stdio::Way;
use crate::cli::terminal::ColorChoice;
use crate::cli::{
    approve, ask, completions, config, doctor, input, invoke, login, logs, providers, rpc, schema, secret, serve,
    service, sessions, skills, status, stop,
};
use crate::config::Overrides;

/// A warm daemon between editors, agents and language models, spoken to in JSON-RPC
#[derive(Parser)]
#[command(name = "open-think", version, arg_required_else_help = true, after_help = AFTER, max_term_width = 100)]
pub struct Args {
    /// Serve one client on standard input and output, by way of the shared daemon (what an editor starts)
    #[arg(long)]
    pub stdio: bool,

    /// The same for a client that listens on a socket of this path, to which this connects
    #[arg(long, value_name = "PATH", conflicts_with_all = ["stdio", "socket"])]
    pub pipe: Option<PathBuf>,

    /// The same for a client that listens on this port of this machine
    #[arg(long, value_name = "PORT", conflicts_with = "stdio")]
    pub socket: Option<u16>,

    /// Serve in this process instead of the shared daemon
    #[arg(long)]
    pub no_daemon: bool,

    /// The process that started this one, as some editors pass it
    #[arg(long = "clientProcessId", value_name = "PID", hide = true)]
    pub client_process_id: Option<i64>,

    #[command(flatten)]
    pub global: Global,

    #[command(subcommand)]
    pub command: Option<Command>,
}

#[derive(clap::Args)]
#[command(next_help_heading = "Everywhere")]
pub struct Global {
    /// Configuration file [env: OPEN_THINK_CONFIG]
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,

    /// Directory for sessions and logs [env: OPEN_THINK_STATE_DIR]
    #[arg(long, value_name = "DIR", global = true)]
    state_dir: Option<PathBuf>,

    /// Which of several daemons, each with its own configuration and state [env: OPEN_THINK_PROFILE]
    #[arg(long, value_name = "NAME", global = true)]
    profile: Option<String>,

    /// What to log to the file: a level, or target=level pairs [env: OPEN_THINK_LOG]
    #[arg(long, value_name = "FILTER", global = true)]
    log: Option<String>,

    /// Any setting by its environment name; not for keys, which other users could see
    #[arg(long, value_name = "NAME=VALUE", value_parser = input::pair, global = true)]
    set: Vec<(String, String)>,

    /// Colours: auto, always or never [env: NO_COLOR]
    #[arg(long, value_enum, value_name = "WHEN", default_value_t, hide_possible_values = true, global = true)]
    pub color: ColorChoice,
}

#[derive(Subcommand)]
pub enum Command {
    /// Say something to Helm, the agent, and see what comes of it
    #[command(after_help = ASK)]
    Ask(ask::AskArgs),
    /// Decide actions that `ask` suggested or held
    Approve(approve::ApproveArgs),
    /// List the conversations, show one, or delete one
    Sessions(sessions::SessionsArgs),
    /// List the skills, or show one with its input
    Skills(skills::SkillsArgs),
    /// Run one skill, without a model
    #[command(after_help = INVOKE)]
    Invoke(invoke::InvokeArgs),
    /// List the ways to a model and how to set them up
    Providers(providers::ProvidersArgs),
    /// Sign in to a subscription, which the daemon then asks with
    #[command(after_help = LOGIN)]
    Login(login::LoginArgs),
    /// Delete what `login` keeps, and have it revoked
    Logout(login::LogoutArgs),
    /// Find out what is wrong and what mends it; needs no network
    Doctor(doctor::DoctorArgs),
    /// Show the configuration, check it, or say where it is
    Config(config::ConfigArgs),
    /// Keep a key in the system's keyring, list the keys, or forget one
    #[command(after_help = SECRET)]
    Secret(secret::SecretArgs),
    /// Have systemd, or launchd on macOS, start the daemon when it is needed
    Service(service::ServiceArgs),
    /// Tell of the daemon: its clients, sessions, ways to models, programs and memory
    Status(status::StatusArgs),
    /// Show the daemon's log, and go on with what comes
    Logs(logs::LogsArgs),
    /// Run the daemon that all clients of yours share, in the foreground
    #[command(after_help = SERVE)]
    Serve(serve::ServeArgs),
    /// End the running daemon
    #[command(after_help = STOP)]
    Stop(stop::StopArgs),
    /// End the running daemon and start another, with the settings that this command sees
    Restart(stop::StopArgs),
    /// Call any method of the protocol
    #[command(after_help = RPC)]
    Rpc(rpc::RpcArgs),
    /// Print what this program speaks, as JSON Schema or OpenRPC
    Schema(schema::SchemaArgs),
    /// Print the completions for a shell
    #[command(after_help = COMPLETIONS)]
    Completions(completions::CompletionsArgs),
    /// Serve one client on standard input and output
    #[command(hide = true)]
    Stdio,
}

/// The commands by use, for the help. Every visible one stands in one group.
const GROUPS: [(&str, &[&str]); 5] = [
    ("Talk", &["ask", "approve", "sessions"]),
    ("Skills", &["skills", "invoke"]),
    ("Set up", &["providers", "login", "logout", "doctor", "config", "secret", "completions"]),
    ("Daemon", &["status", "logs", "serve", "stop", "restart", "service"]),
    ("Protocol", &["rpc", "schema"]),
];

const AFTER: &str = "\
Examples:
  open-think ask \"check runtime health\"
  git diff | open-think ask \"write a commit message\"
  open-think ask --mode propose \"what could you do here?\"
  open-think doctor
  open-think --stdio

Exit codes:
  0    done
  1    failed
  2    the command line, the configuration or the input is at fault, or the other side is no client
  3    actions are held and wait for `open-think approve`
  69   the daemon can be neither reached nor started
  130  interrupted";

const ASK: &str = "\
Examples:
  open-think ask \"check runtime health\"
  open-think ask --mode propose \"check runtime health\"
  open-think ask --json \"check runtime health\" | jq .assistantMessage.content
  cat notes.md | open-think ask \"what is missing here?\"

Ctrl-C stops the turn and keeps what came; twice, it ends at once. Where nobody can be asked, dangerous \
skills stay held, the exit code is 3, and `open-think approve` goes on with the turn.";

const INVOKE: &str = "\
Examples:
  open-think invoke admin-health-check
  open-think invoke admin-suggest-plugins --input goal=\"answer questions about my zones\"
  open-think invoke admin-suggest-plugins '{\"goal\":\"dns\"}'";

const LOGIN: &str = "\
Examples:
  CODEX_OAUTH_CLIENT_ID=app_… open-think login codex
  open-think login codex --json | jq -r .userCode

Shows an address and a code, and waits until the code was typed in there. With CODEX_OAUTH_CLIENT_ID the \
daemon signs in itself: the tokens stay in its state directory, in a file that only you can read, and are \
refreshed in time. Without it, the Codex app-server signs in and keeps them, if one is configured. \
Ctrl-C gives up.";

const SECRET: &str = "\
Examples:
  open-think secret put ANTHROPIC_API_KEY
  pass show anthropic | open-think secret put ANTHROPIC_API_KEY
  open-think secret list

What is kept is used where neither a flag, the environment nor the file sets it. These may also say where a \
secret is instead of holding it: env:NAME, file:/path (mode 600), cmd:program arguments, keyring:NAME.";

const SERVE: &str = "\
Examples:
  open-think serve
  open-think serve --profile work
  open-think serve --listen unix:///home/me/open-think.sock

It is rarely needed: `open-think --stdio`, which editors start, starts the daemon itself. There is one for each \
user and profile. SIGTERM ends it when what runs has come to its end, Ctrl-C twice at once.";

const STOP: &str = "\
It ends when what runs has come to its end, for which it has `drain_timeout_ms` under [daemon], 30 seconds \
unless said otherwise; with --now at once. A client that comes meanwhile starts a new one.";

const RPC: &str = "\
Examples:
  open-think rpc skills.list
  open-think rpc sessions.messages '{\"sessionName\":\"conductor:default\",\"limit\":5}'";

const COMPLETIONS: &str = "\
Example:
  open-think completions bash > ~/.local/share/bash-completion/completions/open-think";

/// The whole command line, with its commands grouped in the help.
pub fn command() -> clap::Command {
    let command = Args::command();
    let groups: String = GROUPS.iter().map(|group| shown(group, &command)).collect();
    let template = format!(
        "{{about}}\n\n{{usage-heading}} {{usage}}\n\n{groups}{}\n{{options}}{{after-help}}",
        heading("Options")
    );
    command.help_template(template)
}

fn shown((title, names): &(&str, &[&str]), command: &clap::Command) -> String {
    let row = |name: &&str| {
        let about = command.find_subcommand(name).and_then(clap::Command::get_about);
        format!("  {name:<13}{}\n", about.map(ToString::to_string).unwrap_or_default())
    };
    format!("{}\n{}\n", heading(title), names.iter().map(row).collect::<String>())
}

/// As clap draws its own; it takes the colours out where they are not wanted.
fn heading(title: &str) -> String {
    format!("\x1b[1m\x1b[4m{title}:\x1b[0m")
}

impl Args {
    /// Where a client is to be served, if one is.
    pub fn way(&self) -> Option<Way> {
        match (&self.pipe, self.socket, &self.command) {
            (Some(path), _, _) => Some(Way::Pipe(path.clone())),
            (None, Some(port), _) => Some(Way::Socket(port)),
            (None, None, Some(Command::Stdio)) => Some(Way::Stdio),
            (None, None, _) => self.stdio.then_some(Way::Stdio),
        }
    }
}

impl Global {
    pub fn overrides(&self) -> Overrides {
        let (config_file, state_dir) = (self.config.clone(), self.state_dir.clone());
        let mut overrides = Overrides { config_file, state_dir, profile: self.profile.clone(), settings: Vec::new() };
        for (name, value) in &self.set {
            // These say where the rest is, so they are no settings among the others.
            match name.to_ascii_uppercase().as_str() {
                "OPEN_THINK_CONFIG" => drop(overrides.config_file.get_or_insert_with(|| value.into())),
                "OPEN_THINK_STATE_DIR" => drop(overrides.state_dir.get_or_insert_with(|| value.into())),
                "OPEN_THINK_PROFILE" => drop(overrides.profile.get_or_insert_with(|| value.clone())),
                _ => overrides.settings.push((name.clone(), value.clone())),
            }
        }
        overrides.settings.extend(self.log.iter().map(|filter| ("OPEN_THINK_LOG".to_owned(), filter.clone())));
        overrides
    }
}

#[cfg(test)]
mod tests {
    use super::{GROUPS, command};

    /// The help is wrapped to the terminal's width: what is wrapped by hand as well is torn.
    #[test]
    fn a_paragraph_of_the_help_is_one_line() {
        let command = command();
        for command in command.get_subcommands().chain([&command]) {
            let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let begins = |line: &str| !line.is_empty() && !line.starts_with(' ');
            let mut lines = text.lines().zip(text.lines().skip(1));
            let torn = lines.find(|(line, next)| begins(line) && begins(next));
            assert_eq!(torn, None, "{}", command.get_name());
        }
    }

    #[test]
    fn every_command_stands_in_the_help_once() {
        command().debug_assert();
        let mut grouped: Vec<&str> = GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        grouped.sort_unstable();
        let command = command();
        let visible = command.get_subcommands().filter(|command| !command.is_hide_set());
        let mut visible: Vec<&str> = visible.map(clap::Command::get_name).collect();
        visible.sort_unstable();
        assert_eq!(grouped, visible, "GROUPS in src/cli/args.rs");
    }
}
