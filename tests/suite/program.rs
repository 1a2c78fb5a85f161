//! The built program in a home of its own, with no setting of the machine it runs on.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use open_think::daemon::Address;
use tempfile::TempDir;

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_open-think");

pub struct Home {
    directory: TempDir,
}

/// How a command ended.
pub struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Drop for Home {
    fn drop(&mut self) {
        crate::background::end(&self.address());
    }
}

impl Home {
    pub fn new() -> Self {
        Self { directory: TempDir::new().expect("a temporary directory") }
    }

    /// With this as its configuration file; `HOME` in it is where it lives.
    pub fn with_config(config: &str) -> Self {
        let home = Self::new();
        let file = home.path().join(".config/open-think/config.toml");
        std::fs::create_dir_all(file.parent().expect("a parent")).expect("a directory");
        std::fs::write(file, config.replace("HOME", &home.path().display().to_string())).expect("a configuration");
        home
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    pub fn address(&self) -> Address {
        crate::background::address([("HOME".to_owned(), self.path().display().to_string())])
    }

    pub fn state_dir(&self) -> PathBuf {
        self.path().join(".local/state/open-think")
    }

    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        // Without PATH the system's own default holds, which is all that skills need here.
        command.env_clear().env("HOME", self.path()).current_dir(self.path()).stdin(Stdio::null());
        command
    }

    pub fn run(&self, args: &[&str]) -> Run {
        let mut command = self.command(PROGRAM);
        self.ended(command.args(args).output().expect("the program starts"))
    }

    /// With `input` piped in.
    pub fn run_with_input(&self, args: &[&str], input: &str) -> Run {
        let mut command = self.command(PROGRAM);
        command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().expect("the program starts");
        // It may well end without reading.
        let _ = process.stdin.take().expect("it is piped").write_all(input.as_bytes());
        self.ended(process.wait_with_output().expect("it ends"))
    }

    /// What differs from run to run is masked: the home, and ids.
    pub fn ended(&self, output: Output) -> Run {
        let home = self.path().display().to_string();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8").replace(&home, "HOME");
        let code = output.status.code().expect("it ends by itself");
        Run { code, stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

/// `act_` and its digits as `act_ID`.
pub fn masked(text: &str) -> String {
    let mut parts = text.split("act_");
    let mut masked = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        masked.push_str("act_ID");
        masked.push_str(part.trim_start_matches(|c: char| c.is_ascii_hexdigit()));
    }
    masked
}

/// Whether a process has ended; one that nobody reaps stays a zombie.
pub fn is_gone(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.is_empty() || stat.contains(") Z ")
}

/// A process that was killed takes a moment to be gone.
#[track_caller]
pub fn check_gone(pid: i32) {
    for _ in 0..1000 {
        if is_gone(pid) {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    panic!("a skill outlived the program: process {pid}");
}
