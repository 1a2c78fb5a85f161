//! Two editors and a script on one daemon: VS Code's library, Neovim's own client, plain Python on the socket.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use serde_json::{Value, json};

use crate::finds::finds;
use crate::home::{Home, PROGRAM};
use crate::needs::has;
use crate::node;

const SESSION: &str = "shared";
const PATIENCE: Duration = Duration::from_secs(60);
const GLANCE: Duration = Duration::from_millis(20);

/// A program that says `ready` in its first line, and what it saw in the second.
struct Watching {
    process: Child,
    said: BufReader<std::process::ChildStdout>,
}

impl Watching {
    fn start(mut program: Command) -> Self {
        let mut process = program.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("it starts");
        let said = BufReader::new(process.stdout.take().expect("piped"));
        let mut watching = Self { process, said };
        assert_eq!(watching.line(), "ready");
        watching
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.said.read_line(&mut line).expect("text");
        line.trim().to_owned()
    }

    fn seen(&mut self) -> Value {
        let line = self.line();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line:?}: {error}"))
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn one_watches_and_approves_another_asks_and_a_third_interrupts() {
    if !(finds("nvim") && has("python3")) {
        return;
    }
    let home = Home::new();
    let Some(mut watcher) = node::script(&home, "watcher.mjs") else { return };
    watcher.args([PROGRAM, SESSION]);
    let mut watcher = Watching::start(watcher);
    let daemon = home.daemon().expect("the first client started it");

    let mut interrupter = home.command("python3");
    interrupter.arg(script("python/interrupter.py")).arg(&daemon.socket).arg(SESSION);
    let mut interrupter = Watching::start(interrupter);

    let seen_by_asker = home.path().join("asker.json");
    let mut asker = home.command("nvim");
    asker.args(["--headless", "-u", "NONE", "-i", "NONE", "-c"]);
    asker.arg(format!("luafile {}", script("neovim/asker.lua")));
    asker.env("PROGRAM", PROGRAM).env("SESSION", SESSION).env("SEEN", &seen_by_asker);
    let mut asker = asker.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
    let shown = wait_for(&seen_by_asker, &mut asker);

    check_asker(&shown);
    check_watcher(&watcher.seen());
    let interrupted = interrupter.seen();
    assert_eq!(interrupted["interrupt"], json!({"interrupted": true}));
    assert_eq!(home.notes(), [json!({"text": "held"})], "what was approved ran, once");

    // No chance for any of them to end well.
    asker.kill().expect("it can be killed");
    asker.wait().expect("it ends");
    drop((watcher, interrupter));
    until("the shims are gone", || home.programs() == [daemon.pid]);
    kill(crate::background::pid(&daemon), Signal::SIGTERM).expect("it is there");
    until("the daemon is gone", || home.programs().is_empty());
}

fn check_asker(seen: &Value) {
    assert_eq!(seen["held"]["halted"], "dangerous-skill", "{seen}");
    assert_eq!(seen["cancelled"]["stopReason"], "cancelled", "{seen}");
}

fn check_watcher(seen: &Value) {
    assert_eq!(seen["faults"], json!([]));
    assert_eq!(seen["session"]["heldActions"][0]["skill"], "write-note", "{seen}");
    assert_eq!(seen["approved"]["trace"][0]["skill"], "write-note", "{seen}");
    crate::client::check_events(seen["events"].as_array().expect("events"), SESSION);
}

fn script(name: &str) -> String {
    format!("{}/tests/real_world/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn wait_for(file: &Path, program: &mut Child) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Ok(text) = std::fs::read_to_string(file) {
            return serde_json::from_str(&text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
        }
        if Instant::now() > deadline {
            let _ = program.kill();
            let mut said = String::new();
            let _ = program.stderr.take().expect("piped").read_to_string(&mut said);
            panic!("it wrote nothing: {said}");
        }
        std::thread::sleep(GLANCE);
    }
}

fn until(what: &str, mut test: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !test() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(GLANCE);
    }
}
