//! The daemon as systemd starts it: on a socket that listens already, and with somebody to tell how it fares.
//!
//! A shell stands in for systemd: it passes on descriptor 3, and says whose it is.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use open_think::daemon::Record;
use serde_json::json;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::home::{Home, PROGRAM};
use crate::wire::Framing;

const PATIENCE: Duration = Duration::from_secs(20);

fn listen(path: &Path, mode: u32) -> UnixListener {
    let listener = UnixListener::bind(path).expect("a socket");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("it is ours");
    listener
}

/// At the address where clients of this home look.
fn socket(home: &Home) -> (UnixListener, PathBuf) {
    home.address().prepare().expect("a directory");
    let path = home.address().socket().to_owned();
    let _ = std::fs::remove_file(&path);
    (listen(&path, 0o600), path)
}

/// `serve` with the socket as descriptor 3.
fn activated(home: &Home, listener: &UnixListener, arguments: &[&str]) -> Command {
    let mut command = home.command();
    let shell = "exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=s exec \"$0\" serve \"$@\"";
    let (program, mut shelled) = (PROGRAM, Command::new("sh"));
    shelled.args(["-c", shell, program]).args(arguments);
    for (name, value) in command.as_std().get_envs() {
        match value {
            Some(value) => shelled.env(name, value),
            None => shelled.env_remove(name),
        };
    }
    command = shelled;
    let passed: OwnedFd = listener.as_fd().try_clone_to_owned().expect("a descriptor");
    command.stdin(passed).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

fn pid(process: &Child) -> Pid {
    Pid::from_raw(i32::try_from(process.id().expect("it lives")).expect("a process id"))
}

async fn ended(process: Child) -> (Option<i32>, String) {
    let output = timeout(PATIENCE, process.wait_with_output()).await.expect("it ends in time").expect("a status");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[tokio::test]
async fn a_socket_that_is_passed_on_is_served_and_left_to_whoever_made_it() {
    let home = Home::new();
    let (listener, path) = socket(&home);
    let inode = std::fs::metadata(&path).expect("a socket").ino();
    // Before there is a daemon: what is said waits.
    let mut early = home.connect(Framing::Lines).await;
    let waiting = early.send("daemon.status", json!({})).await;
    let process = activated(&home, &listener, &[]).spawn().expect("it starts");
    let status = early.answer(waiting).await.expect("a status");
    assert_eq!((&status["pid"], &status["socket"]), (&json!(process.id()), &json!(path)));
    assert_eq!(Record::read(&home.address()).map(|record| record.pid), process.id());
    // The shim has nothing to start.
    let mut shim = home.shim(Framing::Headers);
    assert_eq!(shim.ask("daemon.status", json!({})).await.expect("a status")["pid"], status["pid"]);
    // Whoever starts another one by hand hears of this one.
    let second = home.command().arg("serve").output().await.expect("it ends");
    assert!(String::from_utf8_lossy(&second.stderr).contains(&format!("process {}", pid(&process))), "{second:?}");
    assert_eq!(shim.exit().await.0.code(), Some(0));
    drop(early);

    kill(pid(&process), Signal::SIGTERM).expect("it lives");
    assert_eq!(ended(process).await.0, Some(0));
    assert_eq!(std::fs::metadata(&path).expect("it is still there").ino(), inode);
    assert!(!home.address().lock().exists() && !home.address().record().exists());
    // Who comes while nobody serves is served by the next one.
    let mut next = home.connect(Framing::Lines).await;
    let waiting = next.send("daemon.status", json!({})).await;
    let process = activated(&home, &listener, &[]).spawn().expect("it starts");
    assert_eq!(next.answer(waiting).await.expect("a status")["pid"], json!(process.id()));
}

#[tokio::test]
async fn a_daemon_that_was_there_before_the_service_makes_way_for_it() {
    let home = Home::new();
    home.serve().await;
    let mut early = home.connect(Framing::Lines).await;
    early.ask("daemon.status", json!({})).await.expect("a status");
    // systemd puts its own socket in the place of what it finds.
    let (listener, _path) = socket(&home);
    let process = activated(&home, &listener, &[]).spawn().expect("it starts");
    let mut late = home.connect(Framing::Lines).await;
    let waiting = late.send("daemon.status", json!({})).await;
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(6)).await;
    tokio::time::resume();
    assert_eq!(early.read().await, None, "it had nothing to do");
    assert_eq!(late.answer(waiting).await.expect("a status")["pid"], json!(process.id()));
    assert!(home.address().socket().exists() && home.address().lock().exists());
}

#[tokio::test]
async fn a_socket_somewhere_else_is_served_there_and_its_log_says_so() {
    let home = Home::new();
    let path = home.path().join("other.sock");
    let listener = listen(&path, 0o600);
    let stream = tokio::net::UnixStream::connect(&path).await.expect("it listens");
    let (reader, writer) = stream.into_split();
    let mut wire = crate::wire::Wire::new(Box::new(reader), Box::new(writer), Framing::Lines);
    let process = activated(&home, &listener, &[]).spawn().expect("it starts");
    let status = wire.ask("daemon.status", json!({})).await.expect("a status");
    assert_eq!((&status["pid"], &status["socket"]), (&json!(process.id()), &json!(path)));
    let log = std::fs::read_to_string(status["logFile"].as_str().expect("a log")).expect("a log");
    assert!(log.contains("not where clients look") && log.contains("ListenStream="), "{log}");
    assert!(home.path().join("other.json").exists() && !home.address().socket().exists());
}

#[tokio::test]
async fn what_cannot_be_served_is_refused_and_the_way_out_is_said() {
    let home = Home::new();
    let open = listen(&home.path().join("open.sock"), 0o666);
    let good = listen(&home.path().join("good.sock"), 0o600);
    let elsewhere = format!("unix://{}", home.path().join("said.sock").display());
    for (listener, arguments, way_out) in
        [(&open, &[][..], "SocketMode=0600"), (&good, &["--listen", &elsewhere], "leave --listen out")]
    {
        let process = activated(&home, listener, arguments).spawn().expect("it starts");
        let (code, said) = ended(process).await;
        assert!(code == Some(1) && said.contains(way_out), "{code:?} {said}");
    }
}

#[tokio::test]
async fn a_service_manager_hears_when_it_is_ready_and_when_it_stops() {
    let home = Home::with(
        "[[skill]]\nid = \"tell\"\ndescription = \"Tells.\"\ndangerous = false\ncommand = [\"/bin/sh\", \"-c\", \"env; ls -l /proc/self/fd\"]\n",
    );
    let manager = home.path().join("notify");
    let heard = UnixDatagram::bind(&manager).expect("a socket");
    heard.set_read_timeout(Some(PATIENCE)).expect("a limit");
    let next = || {
        let mut bytes = [0; 256];
        let count = heard.recv(&mut bytes).expect("it is told in time");
        String::from_utf8_lossy(&bytes[..count]).into_owned()
    };
    let (listener, _path) = socket(&home);
    let mut command = activated(&home, &listener, &[]);
    let process = command.env("NOTIFY_SOCKET", &manager).spawn().expect("it starts");
    assert_eq!(next(), "READY=1\n");
    let mut wire = home.connect(Framing::Lines).await;
    let seen = wire.ask("skills.invoke", json!({"skill": "tell"})).await.expect("a result");
    let text = seen["data"]["text"].as_str().expect("text");
    for name in ["LISTEN_", "NOTIFY_SOCKET"] {
        assert!(!text.contains(name), "{text}");
    }
    // As `socket:[NUMBER]`, where the system has /proc.
    if let Ok(shown) = std::fs::read_link(format!("/proc/self/fd/{}", listener.as_raw_fd())) {
        assert!(text.contains("pipe:") && !text.contains(&shown.display().to_string()), "{text}");
    }
    kill(pid(&process), Signal::SIGTERM).expect("it lives");
    assert_eq!(next(), "STOPPING=1\n");
    assert_eq!(ended(process).await.0, Some(0));
    heard.set_nonblocking(true).expect("it can be set");
    assert!(heard.recv(&mut [0; 16]).is_err(), "nothing is told twice");
}

#[tokio::test]
async fn a_daemon_in_the_background_tells_the_service_of_its_client_nothing() {
    let home = Home::new();
    let manager = home.path().join("notify");
    let heard = UnixDatagram::bind(&manager).expect("a socket");
    let mut command = home.command();
    command.arg("--stdio").env("NOTIFY_SOCKET", &manager);
    let mut shim = crate::wire::Wire::spawn(command, Framing::Lines);
    shim.ask("daemon.stop", json!({"when": "now"})).await.expect("an answer");
    shim.exit().await;
    while home.address().lock().exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    heard.set_nonblocking(true).expect("it can be set");
    assert!(heard.recv(&mut [0; 16]).is_err());
}
