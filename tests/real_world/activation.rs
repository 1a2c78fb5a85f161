//! The daemon on a socket that systemd's own program passes on.

use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::home::{Home, PROGRAM};
use crate::skipped::skipped;

const ACTIVATE: &str = "systemd-socket-activate";
const PATIENCE: Duration = Duration::from_secs(60);

/// What the daemon of this home says to a client of its own.
fn status(home: &Home) -> Value {
    let mut shim = home.command(PROGRAM);
    shim.arg("--stdio").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut shim = shim.spawn().expect("it starts");
    let asked = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"daemon.status\"}\n";
    shim.stdin.take().expect("piped").write_all(asked).expect("it listens");
    let output = shim.wait_with_output().expect("it ends");
    let answer: Value = serde_json::from_slice(&output.stdout).expect("an answer");
    answer["result"].clone()
}

#[test]
fn the_first_client_starts_it_and_its_end_leaves_the_socket() {
    if Command::new(ACTIVATE).arg("--version").output().is_err() {
        return skipped("there is no systemd-socket-activate on this machine");
    }
    let home = Home::new();
    home.address().prepare().expect("a directory");
    let path = home.address().socket().to_owned();
    let mut activate = home.command(ACTIVATE);
    // Of its own environment it passes on nothing that is not named.
    let names = ["HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR", "XDG_CACHE_HOME"];
    activate.args(names.map(|name| format!("--setenv={name}"))).arg("-l").arg(&path).args([PROGRAM, "serve"]);
    let mut process =
        activate.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    let deadline = Instant::now() + PATIENCE;
    while !path.exists() {
        assert!(Instant::now() < deadline, "it never listened");
        std::thread::sleep(Duration::from_millis(10));
    }
    let inode = std::fs::metadata(&path).expect("a socket").ino();
    assert!(home.daemon().is_none(), "nobody has asked for it yet");
    let first = status(&home);
    // It takes the place of the one that listened.
    assert_eq!(first["pid"], process.id(), "{first}");
    assert_eq!(status(&home)["pid"], first["pid"]);
    assert_eq!(home.daemon().map(|record| record.pid), Some(process.id()));
    kill(Pid::from_raw(i32::try_from(process.id()).expect("a process id")), Signal::SIGTERM).expect("it lives");
    assert_eq!(process.wait().expect("a status").code(), Some(0));
    assert_eq!(std::fs::metadata(&path).expect("it is still there").ino(), inode);
    assert!(home.daemon().is_none());
}
