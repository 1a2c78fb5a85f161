//! What a shared daemon outlasts: a socket that is removed, a want of descriptors, the death of who started its client;
//! and what ends it at once.

use std::process::Stdio;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use open_think::daemon::Record;
use serde_json::json;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::home::{Home, PROGRAM};
use crate::skipped::skipped;
use crate::wire::{Framing, Wire};

const PATIENCE: Duration = Duration::from_secs(20);

/// Longer than it takes until the daemon looks after its socket.
const A_WHILE: Duration = Duration::from_secs(6);

/// `serve`, as a shell starts it after it has done what is said.
async fn serve_after(home: &Home, what: &str) -> Child {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{what}; exec \"$0\" serve"), PROGRAM]).envs(home.environment());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let process = command.spawn().expect("it starts");
    until("it serves", || Record::read(&home.address()).map(|record| record.pid) == process.id()).await;
    process
}

async fn until(what: &str, test: impl Fn() -> bool) {
    let waited = async {
        while !test() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, waited).await.unwrap_or_else(|_| panic!("never: {what}"));
}

fn pid(process: &Child) -> Pid {
    Pid::from_raw(i32::try_from(process.id().expect("it lives")).expect("a process id"))
}

async fn ended(mut process: Child) -> Option<i32> {
    timeout(PATIENCE, process.wait()).await.expect("it ends in time").expect("a status").code()
}

/// For all in this process.
async fn time_passes() {
    tokio::time::pause();
    tokio::time::advance(A_WHILE).await;
    tokio::time::resume();
}

fn remove_all(home: &Home) {
    let address = home.address();
    for path in [address.socket().to_owned(), address.lock(), address.record()] {
        std::fs::remove_file(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}

#[tokio::test]
async fn a_socket_that_is_removed_is_there_again_and_clients_go_on() {
    let home = Home::new();
    home.serve().await;
    let mut early = home.connect(Framing::Lines).await;
    let pid = early.ask("daemon.status", json!({})).await.expect("a status")["pid"].clone();
    remove_all(&home);
    time_passes().await;
    until("the socket is there", || home.address().socket().exists() && home.address().record().exists()).await;
    let mut shim = home.shim(Framing::Headers);
    let status = shim.ask("daemon.status", json!({})).await.expect("a status");
    assert_eq!((&status["pid"], &status["clients"]), (&pid, &json!(2)));
    let second = home.command().arg("serve").output().await.expect("it ends");
    assert!(String::from_utf8_lossy(&second.stderr).contains("serves"), "{second:?}");
    assert!(early.ask("sessions.list", json!({})).await.is_ok());
}

#[tokio::test]
async fn one_whose_place_was_taken_meanwhile_makes_way() {
    let home = Home::new();
    home.serve().await;
    let mut early = home.connect(Framing::Lines).await;
    early.ask("daemon.status", json!({})).await.expect("a status");
    remove_all(&home);
    let next = serve_after(&home, ":").await;
    time_passes().await;
    assert_eq!(early.read().await, None, "there are not two for long");
    let mut late = home.connect(Framing::Lines).await;
    assert_eq!(late.ask("daemon.status", json!({})).await.expect("a status")["pid"], json!(next.id()));
    assert_eq!(Record::read(&home.address()).map(|record| record.pid), next.id());
    assert!(home.address().lock().exists());
}

#[tokio::test]
async fn a_daemon_may_open_as_much_as_it_is_allowed_to() {
    let home = Home::new();
    let process = serve_after(&home, "ulimit -Sn 100").await;
    let Ok(limits) = std::fs::read_to_string(format!("/proc/{}/limits", pid(&process))) else {
        return skipped("the system has no /proc");
    };
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    let line = limits.lines().find(|line| line.starts_with("Max open files")).expect("a limit");
    let soft = line.split_whitespace().nth(3).expect("the soft one");
    assert_eq!(soft, hard.min(65_536).to_string(), "{line}");
}

#[tokio::test]
async fn clients_for_whom_there_is_no_descriptor_are_served_when_others_have_left() {
    const CLIENTS: usize = 90;
    let home = Home::new();
    let process = serve_after(&home, "ulimit -n 64").await;
    let mut wires = Vec::new();
    for _ in 0..CLIENTS {
        let mut wire = home.connect(Framing::Lines).await;
        let asked = wire.send("daemon.status", json!({})).await;
        wires.push((wire, asked));
    }
    let mut log = None;
    while !wires.is_empty() {
        let mut served = Vec::new();
        for (mut wire, asked) in wires.drain(..wires.len().min(15)) {
            let status = wire.answer(asked).await.expect("a status");
            assert_eq!(status["pid"], json!(process.id()));
            log = status["logFile"].as_str().map(str::to_owned);
            served.push(wire);
        }
    }
    let log = std::fs::read_to_string(log.expect("a log")).expect("a log");
    let told = log.matches("a client could not be taken").count();
    assert!((1..=CLIENTS).contains(&told), "{told} times: {log}");
    kill(pid(&process), Signal::SIGTERM).expect("it lives");
    assert_eq!(ended(process).await, Some(0));
}

#[tokio::test]
async fn the_first_interrupt_drains_and_the_second_ends_at_once() {
    let home = Home::with("[daemon]\ndrain_timeout_ms = 3600000\n");
    let process = serve_after(&home, ":").await;
    let mut wire = home.connect(Framing::Lines).await;
    let nap = wire.send("conductor.message", json!({"mode": "auto", "content": "call take-a-nap {}"})).await;
    while home.naps().is_empty() {
        wire.ask("daemon.status", json!({})).await.expect("a status");
    }
    kill(pid(&process), Signal::SIGINT).expect("it lives");
    until("its address is free", || !home.address().socket().exists()).await;
    let refused = wire.ask("sessions.list", json!({})).await.expect_err("nothing new");
    assert_eq!(refused["code"], -32802);
    assert!(!crate::program::is_gone(home.naps()[0]), "what runs goes on");
    kill(pid(&process), Signal::SIGINT).expect("it lives");
    assert_eq!(wire.answer(nap).await.expect_err("it was cut off")["code"], -32802);
    assert_eq!(ended(process).await, Some(0));
    crate::program::check_gone(home.naps()[0]);
}

#[tokio::test]
async fn a_shim_ends_with_the_process_that_started_it_and_its_daemon_lives_on() {
    let home = Home::new();
    let mut parent = Command::new("sh");
    // Not in its place, and with the input that this test holds open.
    parent.args(["-c", "\"$0\" --stdio; :", PROGRAM]).envs(home.environment()).kill_on_drop(true);
    let mut wire = Wire::spawn(parent, Framing::Headers);
    let status = wire.ask("daemon.status", json!({})).await.expect("a status");
    let shim = status["connections"][0]["pid"].as_i64().expect("a process");
    wire.signal(Signal::SIGKILL);
    assert_eq!(wire.read().await, None);
    crate::program::check_gone(i32::try_from(shim).expect("a process id"));
    let mut next = home.connect(Framing::Lines).await;
    assert_eq!(next.ask("daemon.status", json!({})).await.expect("it lives")["pid"], status["pid"]);
}
