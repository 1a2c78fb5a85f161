//! Runs a program whose output is a secret: no shell, little of the environment, an end to its time and its output.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::super::{Environment, HOME, Names, PROXIES, Secret};

/// Of standard error so much is read for its first line.
const SAID: usize = 4096;

/// How often it is looked whether a program that has closed its output has ended.
const LOOK: Duration = Duration::from_millis(2);

/// What programs that keep secrets need to find their place, their agent, their user's screen and the way out. Keys and tokens stay
/// behind.
const PASSED: Names = Names {
    listed: &[
        HOME,
        PROXIES,
        &["DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME"],
        &["XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_SESSION_ID", "XDG_CURRENT_DESKTOP", "DBUS_SESSION_BUS_ADDRESS"],
        &["SSH_AUTH_SOCK", "GNUPGHOME", "GPG_TTY", "PASSWORD_STORE_DIR", "VAULT_ADDR", "KRB5CCNAME"],
    ],
    prefixes: &["LC_"],
};

pub(super) struct Program<'a> {
    pub command: &'a [String],
    pub environment: &'a Environment,
    pub limit: Duration,
}

#[derive(Debug)]
pub(super) struct Output {
    pub status: ExitStatus,
    pub bytes: Vec<u8>,
    /// The first line of standard error that says something.
    pub said: String,
}

#[derive(Debug)]
pub(super) enum Failure {
    NotStarted(io::Error),
    TimedOut,
    TooMuch,
}

impl Program<'_> {
    /// Ends the program and all it has started when it takes too long or says too much.
    pub(super) fn run(&self, input: &str) -> Result<Output, Failure> {
        let until = Instant::now() + self.limit;
        let mut child = self.start().map_err(Failure::NotStarted)?;
        let group = i32::try_from(child.id()).map(Pid::from_raw);
        let output = self.attend(&mut child, input, until);
        if output.is_err() {
            // It is still there: it is reaped below and not before, so the number is its own.
            let _ = group.map(|group| killpg(group, Signal::SIGKILL));
            let _ = child.wait();
        }
        output
    }

    fn start(&self) -> io::Result<Child> {
        let Some((program, arguments)) = self.command.split_first() else {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        };
        Command::new(program)
            .args(arguments)
            .env_clear()
            .envs(passed(self.environment))
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
    }

    fn attend(&self, child: &mut Child, input: &str, until: Instant) -> Result<Output, Failure> {
        let stdin = child.stdin.take();
        let input = input.to_owned();
        // A program that does not read must hold up nobody; the thread ends with it.
        thread::spawn(move || {
            // One that ends without reading is no fault.
            let _ = stdin.map(|mut stdin| stdin.write_all(input.as_bytes()));
        });
        let output = read(child.stdout.take(), Secret::LONGEST + 1);
        let said = read(child.stderr.take(), SAID);
        let left = || until.saturating_duration_since(Instant::now());
        let bytes = output.recv_timeout(left()).map_err(|_| Failure::TimedOut)?;
        if bytes.len() > Secret::LONGEST {
            return Err(Failure::TooMuch);
        }
        let status = loop {
            match child.try_wait() {
                Ok(Some(status)) => break status,
                Ok(None) if left().is_zero() => return Err(Failure::TimedOut),
                Ok(None) => thread::sleep(LOOK.min(left())),
                Err(error) => return Err(Failure::NotStarted(error)),
            }
        };
        // What it has left behind may hold the other end open; nobody waits for that.
        let said = said.recv_timeout(left().min(Duration::from_millis(100))).unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        let said = said.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default().to_owned();
        Ok(Output { status, bytes, said })
    }
}

impl Output {
    /// How it ended, if not well.
    pub(super) fn ending(&self) -> Option<String> {
        let said = if self.said.is_empty() { String::new() } else { format!(": {}", self.said) };
        match (self.status.code(), self.status.signal()) {
            (Some(0), _) => None,
            (Some(code), _) => Some(format!("failed with exit code {code}{said}")),
            (None, signal) => Some(format!("was ended by signal {}{said}", signal.unwrap_or_default())),
        }
    }
}

/// At most `limit` bytes are kept; the rest is read and forgotten, so that nobody blocks on a full pipe.
fn read(source: Option<impl Read + Send + 'static>, limit: usize) -> Receiver<Vec<u8>> {
    let (sender, receiver) = sync_channel(1);
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let Some(mut source) = source else { return };
        let _ = source.by_ref().take(limit as u64).read_to_end(&mut bytes);
        // Nobody listens any more once the time is over.
        let _ = sender.send(bytes);
        let _ = io::copy(&mut source, &mut io::sink());
    });
    receiver
}

fn passed(environment: &Environment) -> Vec<(OsString, OsString)> {
    let mut passed = environment.only(|name| PASSED.hold(name));
    // Where a client's environment is bare, the session's bus and agents are found all the same.
    let runtime = format!("/run/user/{}", nix::unistd::getuid());
    if environment.get("XDG_RUNTIME_DIR").is_none() && std::path::Path::new(&runtime).is_dir() {
        passed.push(("XDG_RUNTIME_DIR".into(), runtime.into()));
    }
    passed
}
