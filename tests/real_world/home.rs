//! A home of its own for every test, with skills that leave a trace when they run.

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_open-think");

/// A proxy would stand between the daemon and an upstream on this machine.
const PROXIES: [&str; 6] = ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];

pub struct Home {
    directory: TempDir,
}

impl Home {
    pub fn new() -> Self {
        Self::with("")
    }

    /// With these tables as well.
    pub fn with(tables: &str) -> Self {
        let home = Self { directory: TempDir::new().expect("a temporary directory") };
        let written = home.written();
        let config = format!(
            r#"
[helm]
approval_timeout_ms = 20000

[http]
max_retries = 1
discover = false

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
command = ["/bin/sleep", "60"]
timeout_ms = 90000

{tables}"#,
            written.display()
        );
        let file = home.directory.path().join("open-think/config.toml");
        std::fs::create_dir_all(file.parent().expect("a parent")).expect("a directory");
        std::fs::write(file, config).expect("a configuration");
        home
    }

    /// What `write-note` was given, so far.
    pub fn notes(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.written()).unwrap_or_default();
        serde_json::Deserializer::from_str(&text).into_iter().map(|note| note.expect("JSON")).collect()
    }

    /// A program that sees this home and no setting of the machine.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        for name in open_think::config::SETTINGS.iter().map(|setting| setting.name).chain(PROXIES) {
            command.env_remove(name);
        }
        for name in ["HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR", "XDG_CACHE_HOME"] {
            command.env(name, self.directory.path());
        }
        command
    }

    /// Runs a script to its end and reads the one line that it prints.
    pub fn run(&self, mut script: Command) -> Value {
        let Output { status, stdout, stderr } = script.output().expect("the script starts");
        let said = String::from_utf8_lossy(&stderr);
        assert!(status.success(), "{script:?} ended with {status}\n{said}");
        serde_json::from_slice(&stdout).unwrap_or_else(|error| panic!("{script:?}: {error}\n{said}"))
    }

    fn written(&self) -> PathBuf {
        self.directory.path().join("written.jsonl")
    }
}
