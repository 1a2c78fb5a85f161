//! A home of its own for a test: a configuration with skills that leave traces, and a state directory.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use open_think::config::{Config, Overrides, Platform, SETTINGS, Sources};
use open_think::daemon::{Address, Daemon, Listening, Sealed};
use serde_json::Value;
use tempfile::TempDir;

use crate::wire::{Framing, Wire};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_open-think");

/// A proxy would stand between the daemon and a server on this machine.
const PROXIES: [&str; 6] = ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];
const BASES: [&str; 5] = ["HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR", "XDG_CACHE_HOME"];

pub struct Home {
    directory: TempDir,
    /// Settings by their environment name.
    env: Vec<(String, String)>,
}

impl Drop for Home {
    fn drop(&mut self) {
        crate::background::end(&self.address());
    }
}

impl Home {
    pub fn new() -> Self {
        Self::with("")
    }

    /// `tables` stand before the skills in the configuration. What else runs on this machine is not looked for.
    pub fn with(tables: &str) -> Self {
        const QUIET: &str = "[http]\ndiscover = false\n";
        let tables = match tables.contains("[http]\n") {
            true => tables.replace("[http]\n", QUIET),
            false => format!("{tables}\n{QUIET}"),
        };
        let home = Self { directory: TempDir::new().expect("a temporary directory"), env: Vec::new() };
        let config = format!("{tables}\n{}", home.skills());
        let file = home.path().join("open-think/config.toml");
        std::fs::create_dir_all(file.parent().expect("a parent")).expect("a directory");
        std::fs::write(file, config).expect("a configuration");
        home
    }

    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The text of the configuration file.
    pub fn configuration(&self) -> String {
        std::fs::read_to_string(self.path().join("open-think/config.toml")).expect("a configuration")
    }

    pub fn configure(&self, text: &str) {
        std::fs::write(self.path().join("open-think/config.toml"), text).expect("a configuration");
    }

    /// What `write-note` was given, so far.
    pub fn notes(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.written()).unwrap_or_default();
        serde_json::Deserializer::from_str(&text).into_iter().map(|note| note.expect("JSON")).collect()
    }

    /// The processes of `take-a-nap` that have begun, one number each.
    pub fn naps(&self) -> Vec<i32> {
        let text = std::fs::read_to_string(self.path().join("naps")).unwrap_or_default();
        text.lines().map(|line| line.trim().parse().expect("a process id")).collect()
    }

    /// The variables that a program sees which lives here.
    pub fn environment(&self) -> impl Iterator<Item = (String, String)> {
        let bases = BASES.map(|name| (name.to_owned(), self.path().display().to_string()));
        bases.into_iter().chain(self.env.clone())
    }

    pub fn config(&self) -> Config {
        let env = self.environment().map(|(name, value)| (name, value.into())).collect();
        let sources = Sources { flags: Overrides::default(), env, platform: Platform::Unix };
        Config::load(sources).expect("the configuration is good")
    }

    pub async fn daemon(&self) -> Arc<Daemon> {
        Arc::new(Daemon::open(&self.config()).await.expect("the daemon opens"))
    }

    /// The built program, which sees this home and no setting of the machine.
    pub fn command(&self) -> tokio::process::Command {
        let mut command = tokio::process::Command::new(PROGRAM);
        for name in SETTINGS.iter().map(|setting| setting.name).chain(PROXIES) {
            command.env_remove(name);
        }
        command.envs(self.environment()).kill_on_drop(true);
        command
    }

    /// The program as it serves one client by itself.
    pub fn spawn(&self, framing: Framing) -> Wire {
        Wire::spawn(self.alone(), framing)
    }

    pub fn alone(&self) -> tokio::process::Command {
        let mut command = self.command();
        command.args(["--stdio", "--no-daemon"]);
        command
    }

    /// The program as editors start it: between them and the daemon of this home.
    pub fn shim(&self, framing: Framing) -> Wire {
        let mut command = self.command();
        command.arg("--stdio");
        Wire::spawn(command, framing)
    }

    /// Where the daemon of this home is found.
    pub fn address(&self) -> Address {
        crate::background::address(self.environment())
    }

    /// A daemon in this process, found where any other would be.
    pub async fn serve(&self) -> Arc<Daemon> {
        let daemon = self.daemon().await;
        let mut listening = Listening::open(&self.address()).await.expect("nobody serves");
        listening.tell(daemon.record(&self.address(), Ok(None), Sealed::default())).expect("a record");
        tokio::spawn(Arc::clone(&daemon).serve_socket(listening, None));
        daemon
    }

    pub async fn connect(&self, framing: Framing) -> Wire {
        let stream = tokio::net::UnixStream::connect(self.address().socket()).await.expect("a daemon listens");
        let (reader, writer) = stream.into_split();
        Wire::new(Box::new(reader), Box::new(writer), framing)
    }

    fn written(&self) -> PathBuf {
        self.path().join("written.jsonl")
    }

    fn skills(&self) -> String {
        let (written, naps) = (self.written(), self.path().join("naps"));
        format!(
            r#"
[[skill]]
id = "read-note"
description = "Gives its input back."
input_schema = {{ properties = {{ name = {{ type = "string" }} }}, required = ["name"] }}
dangerous = false
command = ["/bin/cat"]

[[skill]]
id = "write-note"
description = "Keeps its input in a file."
input_schema = {{ properties = {{ text = {{ type = "string" }} }}, required = ["text"] }}
command = ["/usr/bin/tee", "-a", "{}"]

[[skill]]
id = "take-a-nap"
description = "Takes a minute."
dangerous = false
command = ["/bin/sh", "-c", "echo $$ >> {}; exec sleep 60"]
timeout_ms = 90000

[[skill]]
id = "give-up"
description = "Fails, and says why."
dangerous = false
command = ["/bin/sh", "-c", "echo 'no luck today' >&2; exit 3"]
"#,
            written.display(),
            naps.display()
        )
    }
}
