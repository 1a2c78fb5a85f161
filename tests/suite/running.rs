//! Commands beside a daemon that runs: which of them ask it, how it is stopped and started anew.

use std::process::Stdio;

use open_think::daemon::Record;
use serde_json::Value;

use crate::program::{Home, PROGRAM, Run};

/// Starts the daemon of this home, as an editor would.
fn start(home: &Home) -> u32 {
    let run = home.run_with_input(&["--stdio"], "");
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    daemon(home).expect("it lives on")
}

fn daemon(home: &Home) -> Option<u32> {
    Record::read(&home.address()).map(|record| record.pid)
}

fn answering(run: &Run) -> u32 {
    assert_eq!(run.code, 0, "{}", run.stderr);
    let status: Value = serde_json::from_str(&run.stdout).expect("JSON");
    status["pid"].as_u64().and_then(|pid| pid.try_into().ok()).expect("a process")
}

const STATUS: [&str; 2] = ["rpc", "daemon.status"];

#[test]
fn commands_ask_the_daemon_that_runs_and_start_none() {
    let home = Home::new();
    let alone = home.run(&["status"]);
    assert!(alone.stderr.contains("No daemon runs"), "{}", alone.stderr);
    assert_eq!(daemon(&home), None);
    let pid = start(&home);
    assert_eq!(answering(&home.run(&STATUS)), pid);
    assert_eq!(home.run(&["status"]).stderr, "");
    let asked = home.run(&["ask", "--json", "check runtime health"]);
    assert_eq!(asked.code, 0, "{}", asked.stderr);
    assert!(home.run(&["sessions"]).stdout.contains("conductor:default"));
}

#[test]
fn a_command_with_settings_of_its_own_does_its_work_itself() {
    let home = Home::new();
    let pid = start(&home);
    let with = |name: &str, value: &str| {
        let mut command = home.command(PROGRAM);
        answering(&home.ended(command.args(STATUS).env(name, value).output().expect("the program starts")))
    };
    assert_ne!(with("MODEL_DEFAULT", "quince"), pid);
    assert_eq!(with("LANG", "C"), pid);
    let flag = home.run(&["rpc", "daemon.status", "--set", "MODEL_DEFAULT=quince"]);
    assert_ne!(answering(&flag), pid);
    // A daemon that was started with them is asked.
    let restarted = home.run(&["restart", "--set", "MODEL_DEFAULT=quince"]);
    assert_eq!(restarted.code, 0, "{}", restarted.stderr);
    let next = daemon(&home).expect("a daemon");
    assert_ne!(next, pid);
    assert_eq!((with("MODEL_DEFAULT", "quince"), answering(&home.run(&STATUS))), (next, next));
    assert_ne!(with("MODEL_DEFAULT", "medlar"), next);
}

#[test]
fn a_daemon_is_stopped_with_and_without_waiting() {
    let home = Home::new();
    let none = home.run(&["stop"]);
    assert_eq!((none.code, none.stderr.as_str()), (0, "No daemon runs.\n"));
    for args in [["stop"].as_slice(), &["stop", "--now"]] {
        let pid = start(&home);
        let run = home.run(args);
        assert_eq!((run.code, run.stderr), (0, format!("The daemon (process {pid}) has ended.\n")));
        assert_eq!(daemon(&home), None);
        assert!(!home.address().lock().exists() && !home.address().socket().exists());
    }
}

#[test]
fn a_configuration_that_is_bad_does_not_end_the_daemon() {
    let home = Home::with_config("");
    let pid = start(&home);
    std::fs::write(home.path().join(".config/open-think/config.toml"), "nonsense = 1").expect("a file");
    let run = home.run(&["restart"]);
    assert_eq!(run.code, 2, "{}", run.stderr);
    assert_eq!(daemon(&home), Some(pid));
    for bad in ["[daemon]\nlisten = 'http://0.0.0.0:1'", "enabled_plugins = 'quince'"] {
        std::fs::write(home.path().join(".config/open-think/config.toml"), bad).expect("a file");
        let run = home.run(&["restart"]);
        assert!(run.code == 2 && run.stderr.contains("config"), "{}: {}", run.code, run.stderr);
        assert_eq!(daemon(&home), Some(pid));
    }
    // Who only connects needs no configuration.
    let mut command = home.command(PROGRAM);
    let run = home.ended(command.arg("--stdio").stdin(Stdio::null()).output().expect("the program starts"));
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
}

#[test]
fn a_port_that_another_program_has_leaves_http_off_and_is_told() {
    let other = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = other.local_addr().expect("an address");
    let home = Home::with_config(&format!("[daemon]\nlisten = 'http://{address}'"));
    let pid = start(&home);
    let status = home.run(&["status"]);
    let line = status.stdout.lines().find(|line| line.starts_with("http")).expect("it is told");
    assert!(line.contains("off: cannot listen at") && line.contains("open-think restart"), "{line}");
    let told = home.run(&["doctor"]).stdout;
    assert!(told.contains("warn  daemon:") && told.contains("without HTTP: cannot listen at"), "{told}");
    drop(other);
    let restarted = home.run(&["restart"]);
    assert_eq!(restarted.code, 0, "{}", restarted.stderr);
    assert_ne!(daemon(&home), Some(pid));
    let record = Record::read(&home.address()).expect("a daemon");
    assert_eq!(record.http.map(|http| http.url), Some(format!("http://{address}")));
}
