//! An app-server of our own: started when it is needed, reached over a socket that nobody else can open, and gone when
//! the link is.
//!
//! It leads a process group, which is told to end and, if it does not, made to. So that it also ends when the daemon is
//! killed, a shell stands by that waits for the end of a pipe which the daemon holds: there is no safe call for the
//! kernel to do the same. Left to the caller: when to start it again.

use std::collections::VecDeque;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStderr, Command};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::program::Program;
use super::{Fault, FaultKind};
use crate::policy::Redactor;

/// A turn that runs would be waited for otherwise.
const TERM_WAIT: Duration = Duration::from_secs(2);
/// What it said last is in the pipe when it exits; only what escaped its group can hold that open longer.
const DRAIN: Duration = Duration::from_millis(200);
const TAIL: usize = 20;
const LONGEST_LINE: u64 = 2000;

/// `$1` is the process group, `$2` the directory of the socket. Its input ends with the daemon.
const STAND_BY: &str = r#"trap '' HUP INT TERM
read -r _
if kill -s TERM -- "-$1" 2>/dev/null; then sleep 3; kill -s KILL -- "-$1" 2>/dev/null; fi
rm -rf -- "$2""#;

pub(super) struct Running {
    pub pid: Option<u32>,
    pub socket: PathBuf,
    stop: CancellationToken,
    exited: watch::Receiver<Option<Fault>>,
}

impl Running {
    pub(super) fn start(program: &Program, redactor: &Redactor) -> Result<Self, Fault> {
        let bin = program.locate()?;
        let directory = Directory::create(program.places())?;
        let socket = directory.0.join("s");
        let mut command = Command::new(&bin);
        command.arg("app-server").arg("--listen").arg(format!("unix://{}", socket.display()));
        command.env_clear().envs(program.environment().iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.process_group(0).kill_on_drop(true).spawn().map_err(|error| {
            let message = format!("{} could not be started: {error}", bin.display());
            Fault::new(FaultKind::ChildFailed, message).with_hint("does `codex app-server` run in a terminal?")
        })?;
        let pid = child.id();
        let group = Group(pid.and_then(|pid| i32::try_from(pid).ok()).map(Pid::from_raw));
        let stand_by = group.stand_by(&directory.0);
        let tail = Tail { lines: Arc::default(), redactor: redactor.clone() };
        let stderr = child.stderr.take().map(|stderr| tokio::spawn(tail.clone().read(stderr)));
        let (stop, (exit, exited)) = (CancellationToken::new(), watch::channel(None));
        tracing::info!(pid, bin = %bin.display(), "the app-server is started");
        let (told, program) = (stop.clone(), program.clone());
        tokio::spawn(async move {
            let status = watch_over(child, group, told).await;
            drop((stand_by, directory));
            if let Some(stderr) = stderr {
                let _ = timeout(DRAIN, stderr).await;
            }
            let is_refused = status.as_ref().is_ok_and(|status| status.code().is_some_and(|code| code != 0));
            let fault = match is_refused {
                true => program.outdated(&bin).await,
                false => None,
            };
            let fault = fault.unwrap_or_else(|| ended(status, tail.last()));
            tracing::info!(pid, fault = fault.message, "the app-server has ended");
            exit.send_replace(Some(fault));
        });
        Ok(Self { pid, socket, stop, exited })
    }

    /// Why it has ended, if it has.
    pub(super) fn exit(&self) -> Option<Fault> {
        self.exited.borrow().clone()
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    pub(super) fn stop(&self) {
        self.stop.cancel();
    }

    pub(super) fn exited(&self) -> watch::Receiver<Option<Fault>> {
        self.exited.clone()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Until nothing is left of it.
async fn watch_over(mut child: Child, group: Group, stop: CancellationToken) -> io::Result<ExitStatus> {
    tokio::select! {
        status = child.wait() => return status,
        () = stop.cancelled() => {}
    }
    group.signal(Signal::SIGTERM);
    match timeout(TERM_WAIT, child.wait()).await {
        Ok(status) => status,
        Err(_) => {
            group.signal(Signal::SIGKILL);
            child.wait().await
        }
    }
}

fn ended(status: io::Result<ExitStatus>, last: Option<String>) -> Fault {
    let how = match status.map(|status| (status.code(), status.signal())) {
        Ok((Some(code), _)) => format!("ended with code {code}"),
        Ok((None, signal)) => format!("was ended by signal {}", signal.unwrap_or_default()),
        Err(error) => format!("was lost: {error}"),
    };
    let last = last.map_or_else(String::new, |line| format!(": {line}"));
    Fault::new(FaultKind::ChildFailed, format!("the Codex app-server that the daemon had started {how}{last}"))
        .with_hint("what it said stands in the log, if log.filter has open_think=debug")
}

/// Killed when dropped.
struct Group(Option<Pid>);

impl Group {
    fn signal(&self, signal: Signal) {
        if let Some(leader) = self.0 {
            // The one fault there can be is that nobody is left.
            let _ = killpg(leader, signal);
        }
    }

    /// Ends with the daemon, or when it is dropped. That there is none is no reason not to go on.
    fn stand_by(&self, directory: &Path) -> Option<Child> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", STAND_BY, "sh"]).arg(self.0?.to_string()).arg(directory);
        command.env_clear().env("PATH", "/usr/bin:/bin");
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let started = command.process_group(0).kill_on_drop(true).spawn();
        started
            .inspect_err(|error| tracing::warn!(%error, "nobody will end the app-server if the daemon is killed"))
            .ok()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
    }
}

/// For the socket and nothing else; removed when dropped.
struct Directory(PathBuf);

impl Directory {
    fn create(places: &[PathBuf]) -> Result<Self, Fault> {
        let (random, ..) = uuid::Uuid::new_v4().as_fields();
        let name = format!("codex-{}-{random:08x}", std::process::id());
        let mut why = None;
        for place in places {
            let path = place.join(&name);
            let private = |path: &Path, recursive| DirBuilder::new().mode(0o700).recursive(recursive).create(path);
            match private(place, true).and_then(|()| private(&path, false)) {
                Ok(()) => return Ok(Self(path)),
                Err(error) => why = Some(format!("{}: {error}", place.display())),
            }
        }
        let message = format!("there is no place for the socket of the app-server: {}", why.unwrap_or_default());
        Err(Fault::new(FaultKind::ChildFailed, message).with_hint("set XDG_RUNTIME_DIR or TMPDIR to a short path"))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What it said last, without secrets.
#[derive(Clone)]
struct Tail {
    lines: Arc<Mutex<VecDeque<String>>>,
    redactor: Redactor,
}

impl Tail {
    async fn read(self, stderr: ChildStderr) {
        let mut stderr = BufReader::new(stderr);
        loop {
            let mut line = Vec::new();
            match (&mut stderr).take(LONGEST_LINE).read_until(b'\n', &mut line).await {
                Ok(0) | Err(_) => return,
                Ok(_) => self.keep(String::from_utf8_lossy(&line).trim()),
            }
        }
    }

    fn keep(&self, line: &str) {
        if line.is_empty() {
            return;
        }
        let line = self.redactor.redact(line);
        tracing::debug!(line, "the app-server says");
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == TAIL {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    /// The error, if it named one.
    fn last(&self) -> Option<String> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let error = lines.iter().rev().find(|line| line.to_ascii_lowercase().starts_with("error"));
        error.or(lines.back()).cloned()
    }
}

#[cfg(test)]
mod tests {
    use std::process::Stdio;

    use tempfile::TempDir;
    use tokio::process::Command;

    use super::{Directory, Group};

    /// The end of the pipe is all that it hears of the daemon's death.
    #[tokio::test]
    async fn whoever_stands_by_ends_the_child_when_the_daemon_is_gone() {
        let place = TempDir::new().unwrap();
        let directory = Directory::create(&[place.path().to_owned()]).unwrap();
        let mut child = Command::new("sleep").arg("300").process_group(0).stdin(Stdio::null()).spawn().unwrap();
        let leader = nix::unistd::Pid::from_raw(child.id().unwrap().try_into().unwrap());
        let group = Group(Some(leader));
        let mut stand_by = group.stand_by(&directory.0).unwrap();
        assert!(child.try_wait().unwrap().is_none());
        drop(stand_by.stdin.take());
        assert!(!child.wait().await.unwrap().success());
        stand_by.wait().await.unwrap();
        assert!(!directory.0.exists());
    }
}
