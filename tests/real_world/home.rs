//! A home of its own for every test, with skills that leave a trace when they run.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use open_think::daemon::{Address, Record};
use serde_json::Value;
use tempfile::TempDir;

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_open-think");

/// A proxy would stand between the daemon and an upstream on this machine.
const PROXIES: [&str; 6] = ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];

const BASES: [&str; 5] = ["HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR", "XDG_CACHE_HOME"];

pub struct Home {
    directory: TempDir,
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
        for name in BASES {
            command.env(name, self.path());
        }
        command
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Where the daemon of this home is found.
    pub fn address(&self) -> Address {
        let home = self.path().display().to_string();
        crate::background::address(BASES.map(|name| (name.to_owned(), home.clone())))
    }

    /// The daemon that clients of this home share, if one runs.
    pub fn daemon(&self) -> Option<Record> {
        Record::read(&self.address())
    }

    /// The processes of the program that live here.
    pub fn programs(&self) -> Vec<u32> {
        let home = format!("HOME={}", self.path().display());
        let is_ours = |process: &Path| {
            let environment = std::fs::read(process.join("environ")).unwrap_or_default();
            let program = std::fs::read_link(process.join("exe")).unwrap_or_default();
            program == Path::new(PROGRAM) && environment.split(|byte| *byte == 0).any(|word| word == home.as_bytes())
        };
        let processes = std::fs::read_dir("/proc").expect("processes").flatten().map(|entry| entry.path());
        let ours = processes.filter(|process| is_ours(process));
        ours.filter_map(|process| process.file_name()?.to_str()?.parse().ok()).collect()
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
