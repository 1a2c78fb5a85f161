//! The least that can stand between a client and the daemon: bytes copied both ways by a process that reads nothing of
//! them. What the shim costs beyond it is the shim's own.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;

const FLAG: &str = "--relay-to=";

/// This program as a relay.
pub fn command(socket: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("it is known"));
    command.arg(format!("{FLAG}{}", socket.display()));
    command
}

/// Whether this process was started as one, and has been one to its end.
pub fn was_asked_for() -> bool {
    let Some(socket) = std::env::args().nth(1).and_then(|arg| arg.strip_prefix(FLAG).map(str::to_owned)) else {
        return false;
    };
    let daemon = UnixStream::connect(socket).expect("it listens");
    let back = daemon.try_clone().expect("a socket");
    std::thread::spawn(move || copy(back, io::stdout().lock()));
    copy(io::stdin().lock(), daemon);
    true
}

fn copy(mut from: impl Read, mut to: impl Write) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..length]).and_then(|()| to.flush()).is_err() {
            return;
        }
    }
}
