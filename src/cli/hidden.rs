//! A line that is typed on a terminal and not shown.
//!
//! Ctrl-C comes as a character here, and a signal as a value, so that the terminal is set right again before anything
//! ends.

use std::io::{self, Read};

use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};

use crate::cli::exit::Exit;
use crate::cli::terminal::Terminal;
use crate::daemon::Signals;

const INTERRUPT: u8 = 0x03;
const END: u8 = 0x04;
const BACKSPACES: [u8; 2] = [0x08, 0x7f];
/// Ctrl-U.
const CLEAR: u8 = 0x15;

/// No key is longer.
const MAX: usize = 64 * 1024;

/// The inner error says how it was given up.
pub fn ask(question: &str, terminal: &Terminal) -> io::Result<Result<String, Exit>> {
    let runtime = super::runtime()?;
    terminal.say(question);
    let line = runtime.block_on(async {
        let mut signals = Signals::listen()?;
        let _hidden = Hidden::begin()?;
        tokio::select! {
            line = tokio::task::spawn_blocking(|| line(io::stdin().lock())) => Ok(line??.ok_or(Exit::Interrupted)),
            signal = signals.next() => Ok(Err(Exit::of_signal(signal))),
        }
    });
    // A read of a terminal cannot be stopped, and must not hold up the end.
    runtime.shutdown_background();
    terminal.note("");
    line.map(|line| line.map(|line| String::from_utf8_lossy(&line).into_owned()))
}

fn line(mut input: impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let mut byte = [0];
    while input.read(&mut byte)? == 1 {
        match byte[0] {
            b'\n' | b'\r' | END => return Ok(Some(line)),
            INTERRUPT => return Ok(None),
            CLEAR => line.clear(),
            back if BACKSPACES.contains(&back) => drop(line.pop()),
            other if line.len() < MAX => line.push(other),
            _ => {}
        }
    }
    Ok(Some(line))
}

/// The terminal, until it is dropped.
struct Hidden(Termios);

impl Hidden {
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut hidden = before.clone();
        hidden.local_flags.remove(LocalFlags::ECHO | LocalFlags::ICANON | LocalFlags::ISIG);
        tcsetattr(io::stdin(), SetArg::TCSAFLUSH, &hidden)?;
        Ok(Self(before))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // A terminal that is gone needs no mending.
        let _ = tcsetattr(io::stdin(), SetArg::TCSANOW, &self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn a_line_is_edited_and_given_up_as_usual() {
        let typed = |bytes: &[u8]| line(bytes).expect("it reads").map(|line| String::from_utf8(line).expect("text"));
        assert_eq!(typed(b"sk-1\nmore").as_deref(), Some("sk-1"));
        assert_eq!(typed(b"oh\x15sl\x7fk-1\r").as_deref(), Some("sk-1"));
        assert_eq!(typed(b"sk-1\x04").as_deref(), Some("sk-1"));
        assert_eq!(typed(b"sk-1").as_deref(), Some("sk-1"));
        assert_eq!(typed(b"sk-1\x03\n"), None);
    }
}
