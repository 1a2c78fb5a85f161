//! The way of a daemon into the background: a launcher with a session of its own starts it and ends, so that it is
//! nobody's child; it keeps nothing that was open, and tells whoever waits how its start went.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::process::{Command, Stdio};

use nix::sys::stat::{Mode, umask};
use nix::unistd::{close, dup2_stdout, setsid};

use crate::config::OF_A_SERVICE;

const READY: &str = "ready";
const FAILED: &str = "failed";

/// What the daemon says of its start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    Ready,
    Failed { code: u8, text: String },
}

impl Report {
    pub fn parse(said: &str) -> Self {
        let (first, text) = said.split_once('\n').unwrap_or((said, ""));
        match first.split_once(' ') {
            None if first == READY => Self::Ready,
            Some((FAILED, code)) if code.parse::<u8>().is_ok() => {
                Self::Failed { code: code.parse().unwrap_or(1), text: text.trim_end().to_owned() }
            }
            _ => Self::Failed {
                code: 1,
                text: "the daemon ended before it was ready; its log says why: open-think doctor names it".to_owned(),
            },
        }
    }

    /// Tells it on standard output, which is nobody's from then on.
    pub fn send(&self) -> io::Result<()> {
        let text = match self {
            Self::Ready => format!("{READY}\n"),
            Self::Failed { code, text } => format!("{FAILED} {code}\n{text}\n"),
        };
        let mut output = io::stdout().lock();
        output.write_all(text.as_bytes())?;
        output.flush()?;
        let nowhere = File::options().write(true).open("/dev/null")?;
        dup2_stdout(nowhere)?;
        Ok(())
    }
}

/// Starts this program again as a daemon, in a session of its own; the caller is to end then.
pub fn launch(args: impl IntoIterator<Item = OsString>) -> io::Result<()> {
    close_inherited();
    // It only fails for one that leads a group, as one does that a person started: it then has its own already.
    let _ = setsid();
    let mut command = Command::new(std::env::current_exe()?);
    command.args(args).current_dir("/").stdin(Stdio::null()).stdout(Stdio::inherit()).stderr(Stdio::null());
    // The service that a client may be part of is not this one.
    for name in OF_A_SERVICE {
        command.env_remove(name);
    }
    command.spawn().map(drop)
}

/// What the daemon does first of all.
pub fn detach() {
    close_inherited();
    umask(Mode::from_bits_truncate(0o077));
}

/// What the one who started us had open and did not mean for us: a pipe of an editor's that stays open here never ends
/// for whoever reads it.
fn close_inherited() {
    let Ok(entries) = fs::read_dir("/dev/fd") else { return };
    let open: Vec<i32> = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    // One of them was the directory's own, which is closed by now.
    open.into_iter().filter(|descriptor| *descriptor > 2).for_each(|descriptor| {
        let _ = close(descriptor);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_a_start_is_read_or_said_to_be_missing() {
        assert_eq!(Report::parse("ready\n"), Report::Ready);
        let failed = |code, text: &str| Report::Failed { code, text: text.to_owned() };
        assert_eq!(Report::parse("failed 2\na: b\nhint: c\n"), failed(2, "a: b\nhint: c"));
        for cut in ["", "rea", "failed", "failed x\n"] {
            let Report::Failed { code: 1, text } = Report::parse(cut) else { panic!("{cut:?}") };
            assert!(text.contains("open-think doctor"), "{text}");
        }
    }
}
