//! One run of a program, from its start until nothing of it is left.
//!
//! Input is written while both outputs are read, so neither side can block the other. The program leads a process
//! group; the group is killed whenever the run ends, be it well, late, too loud or because nobody waits any more. Left
//! to others: what the output means. Not covered: a descendant that leaves the group on purpose (`setsid`).

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::environment::Variables;

const STDERR_TAIL: usize = 2048;
const CHUNK: usize = 16 * 1024;

/// What the program printed is in the pipes when it exits; only one that escaped its group can hold them open longer.
const DRAIN: Duration = Duration::from_millis(500);

pub(super) struct Program<'a> {
    pub command: &'a [String],
    pub environment: &'a Variables,
    /// This process's own if there is none.
    pub cwd: Option<&'a Path>,
    pub timeout: Duration,
    /// Bytes of standard output.
    pub output_limit: usize,
}

#[derive(Debug)]
pub(super) struct Output {
    pub ending: Ending,
    pub stdout: Vec<u8>,
    pub stderr_tail: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Exit(i32),
    Signal(i32),
    TimedOut,
    TooMuch,
}

/// The error of a read that went over the limit.
struct TooMuch;

impl Program<'_> {
    /// The error is that of starting it. What `list` gives for its process is held while it runs.
    pub(super) async fn run<L>(&self, input: Vec<u8>, list: impl FnOnce(u32) -> L) -> io::Result<Output> {
        let (mut child, group) = self.start()?;
        let _listed = child.id().map(list);
        let (mut stdout, mut stderr_tail) = (Vec::new(), Vec::new());
        let talk = self.talk(&mut child, group, input, &mut stdout, &mut stderr_tail);
        let ending = match timeout(self.timeout, talk).await {
            Ok(ending) => ending?,
            Err(_) => Ending::TimedOut,
        };
        Ok(Output { ending, stdout, stderr_tail })
    }

    fn start(&self) -> io::Result<(Child, Group)> {
        let (program, arguments) = self.command.split_first().ok_or(io::ErrorKind::NotFound)?;
        let mut command = Command::new(program);
        if let Some(cwd) = self.cwd {
            command.current_dir(cwd);
        }
        let child = command
            .args(arguments)
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let leader = child.id().and_then(|id| i32::try_from(id).ok());
        let group = Group(leader.map(Pid::from_raw));
        Ok((child, group))
    }

    async fn talk(
        &self,
        child: &mut Child,
        group: Group,
        input: Vec<u8>,
        stdout: &mut Vec<u8>,
        stderr_tail: &mut Vec<u8>,
    ) -> io::Result<Ending> {
        let (stdin, out, err) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let pipes = async {
            let feed = async {
                if let Some(mut stdin) = stdin {
                    // A program need not read its input.
                    let _ = stdin.write_all(&input).await;
                }
                Ok(())
            };
            let listen = read_up_to(out, self.output_limit, stdout);
            let overhear = async {
                read_tail(err, stderr_tail).await;
                Ok(())
            };
            tokio::try_join!(feed, listen, overhear).map(|_| ())
        };
        let mut pipes = pin!(pipes);
        let (status, talked) = tokio::select! {
            status = child.wait() => (status?, None),
            talked = &mut pipes => match talked {
                Ok(()) => (child.wait().await?, Some(Ok(()))),
                Err(TooMuch) => return Ok(Ending::TooMuch),
            },
        };
        // At once: the number of a group that is gone is given away only after all others had their turn.
        drop(group);
        let talked = match talked {
            Some(talked) => talked,
            None => timeout(DRAIN, pipes).await.unwrap_or(Ok(())),
        };
        Ok(if talked.is_err() { Ending::TooMuch } else { ending(status) })
    }
}

/// Killed when dropped.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.0 {
            // The one fault there can be is that nobody is left.
            let _ = killpg(leader, Signal::SIGKILL);
        }
    }
}

fn ending(status: ExitStatus) -> Ending {
    match (status.code(), status.signal()) {
        (Some(code), _) => Ending::Exit(code),
        (None, signal) => Ending::Signal(signal.unwrap_or_default()),
    }
}

async fn read_up_to(pipe: Option<impl AsyncRead + Unpin>, limit: usize, into: &mut Vec<u8>) -> Result<(), TooMuch> {
    let Some(mut pipe) = pipe else { return Ok(()) };
    let mut chunk = vec![0; CHUNK];
    while let Ok(count @ 1..) = pipe.read(&mut chunk).await {
        if into.len() + count > limit {
            return Err(TooMuch);
        }
        into.extend_from_slice(&chunk[..count]);
    }
    Ok(())
}

async fn read_tail(pipe: Option<impl AsyncRead + Unpin>, into: &mut Vec<u8>) {
    let Some(mut pipe) = pipe else { return };
    let mut chunk = vec![0; CHUNK];
    while let Ok(count @ 1..) = pipe.read(&mut chunk).await {
        into.extend_from_slice(&chunk[..count]);
        let surplus = into.len().saturating_sub(STDERR_TAIL);
        into.drain(..surplus);
    }
}
