//! Commands beside a daemon that runs: which of them ask it, how it is stopped and started anew.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
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

/// Of a program that gives a secret, and writes down that it was asked for it.
const ASKING: &str = "anthropic_api_key = \"cmd:/bin/sh -c 'echo asked >> HOME/asked; echo sk-quince'\"\n";

#[test]
fn a_program_that_gives_a_secret_is_run_by_the_daemon_alone() {
    let home = Home::with_config(ASKING);
    let asked = || std::fs::read_to_string(home.path().join("asked")).unwrap_or_default().lines().count();
    start(&home);
    assert_eq!(asked(), 1);
    for args in [["status"].as_slice(), &["skills"], &["providers"], &["sessions"], &["logs"]] {
        assert_eq!(home.run(args).code, 0);
    }
    assert_eq!(asked(), 1);
    assert_eq!(home.run(&["stop"]).code, 0);
    assert_eq!(home.run(&["skills"]).code, 0);
    assert_eq!(asked(), 2, "the work is done here");
}

#[test]
fn the_daemon_that_runs_tells_of_itself_whatever_the_settings_and_the_file_say() {
    let home = Home::with_config("");
    let pid = start(&home);
    let other = |args: &[&str]| home.run(&[&["--set", "MODEL_DEFAULT=quince"], args].concat());
    let told = other(&["status", "--json"]);
    assert_eq!(answering(&told), pid);
    assert!(
        told.stderr.contains("other settings (MODEL_DEFAULT); open-think restart gives it these"),
        "{}",
        told.stderr
    );
    assert!(!other(&["status"]).stderr.contains("No daemon runs"));

    std::fs::write(home.path().join(".config/open-think/config.toml"), "nonsense = 1").expect("a file");
    let told = home.run(&["status", "--json"]);
    assert_eq!(answering(&told), pid);
    assert!(told.stderr.contains("goes on") && told.stderr.contains("unknown key nonsense"), "{}", told.stderr);
    let examined = home.run(&["doctor"]);
    assert_eq!(examined.code, 1);
    for line in ["fail  configuration: ", "ok    state: ", "ok    log: ", "  service: ", "ok    daemon: "] {
        assert!(examined.stdout.contains(line), "{line}: {}", examined.stdout);
    }
    assert!(examined.stdout.contains(&format!("(process {pid})")), "{}", examined.stdout);
    assert_eq!(home.run(&["stop"]).code, 0);
    let alone = home.run(&["status"]);
    assert_eq!((alone.code, alone.stdout.as_str()), (2, ""), "{}", alone.stderr);
}

#[test]
fn a_daemon_that_hangs_is_said_to_hang_with_the_way_to_end_it() {
    let home = Home::new();
    let pid = start(&home);
    kill(Pid::from_raw(i32::try_from(pid).expect("a process id")), Signal::SIGSTOP).expect("it lives");
    let way = format!("does not answer: kill -9 {pid} ends it");
    // At once, for each waits a little.
    let all =
        [["status"].as_slice(), &["providers"], &["stop"], &["stop", "--now"], &["restart"], &["doctor"], &["--stdio"]];
    std::thread::scope(|scope| {
        for args in all {
            let (home, way) = (&home, &way);
            scope.spawn(move || {
                let run = home.run(args);
                assert_eq!(run.code, if args == ["doctor"] { 1 } else { 69 }, "{args:?}: {}", run.stderr);
                let said = format!("{}{}", run.stdout, run.stderr);
                assert_eq!(said.matches(way.as_str()).count(), 1, "{args:?}: {said}");
            });
        }
    });
}

#[test]
fn what_stands_in_the_place_of_the_daemons_files_is_named() {
    let home = Home::new();
    let address = home.address();
    address.prepare().expect("a directory");
    let places = [
        (address.socket().to_owned(), "no socket"),
        (address.lock(), "no file"),
        (address.spawn_lock(), "no file"),
        (address.record(), "no file"),
    ];
    for (path, what) in places {
        let shown = path.display().to_string();
        for link in [false, true] {
            if link {
                symlink("nowhere", &path).expect("a link");
            } else {
                std::fs::create_dir(&path).expect("a directory");
            }
            for (args, code) in [(["serve"], 1), (["--stdio"], 69), (["doctor"], 1)] {
                let run = home.run(&args);
                let said = format!("{}{}", run.stdout, run.stderr);
                assert_eq!(run.code, code, "{args:?}: {said}");
                let expected = format!("{shown} is {what} and is left as it is: move it away, as in mv '{shown}'");
                assert_eq!(said.matches(&expected).count(), 1, "{args:?}: {said}");
            }
            let removed = if link { std::fs::remove_file(&path) } else { std::fs::remove_dir(&path) };
            removed.expect("it is there");
        }
    }
}

#[test]
fn why_something_fails_is_said_once() {
    let home = Home::new();
    let nowhere = home.run(&["serve", "--listen", "unix:///nonexist/a.sock"]);
    assert_eq!((nowhere.code, nowhere.stderr.matches("No such file").count()), (1, 1), "{}", nowhere.stderr);
    assert!(nowhere.stderr.contains("/nonexist cannot be used: No such file"), "{}", nowhere.stderr);
    let named = home.run(&["--profile", "No", "--stdio"]);
    assert_eq!((named.code, named.stderr.matches("OPEN_THINK_PROFILE").count()), (2, 1), "{}", named.stderr);
}

#[test]
fn the_profile_by_the_name_of_default_is_the_one_without_a_name() {
    let home = Home::with_config("model_default = \"quince\"\n");
    let started = home.run_with_input(&["--profile", "default", "--stdio"], "");
    assert_eq!((started.code, started.stderr.as_str()), (0, ""));
    let pid = daemon(&home).expect("it lives on");
    assert_eq!(answering(&home.run(&["--profile", "default", "status", "--json"])), pid);
    assert_eq!(answering(&home.run(&["status", "--json"])), pid);
    assert!(home.run(&["--profile", "default", "config", "show"]).stdout.contains("quince"));
    // A flag wins over the environment in the daemon that is started, too.
    assert_eq!(home.run(&["stop"]).code, 0);
    let mut command = home.command(PROGRAM);
    command.args(["--profile", "default", "restart"]).env("OPEN_THINK_PROFILE", "work");
    let restarted = home.ended(command.output().expect("the program starts"));
    assert_eq!((restarted.code, daemon(&home).is_some()), (0, true), "{}", restarted.stderr);
}

/// Listens where the daemon would, and gives everybody this answer.
fn impostor(home: &Home, answer: &'static str) {
    let address = home.address();
    address.prepare().expect("a directory");
    let listener = UnixListener::bind(address.socket()).expect("a socket");
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut reader = BufReader::new(&stream);
            let header = reader.by_ref().lines().map_while(Result::ok).take_while(|line| !line.is_empty());
            let length: Option<u64> = header.filter_map(|line| line.split_once(':')?.1.trim().parse().ok()).last();
            let Ok(asked) = serde_json::from_reader::<_, Value>(reader.take(length.unwrap_or_default())) else {
                continue;
            };
            let said = format!(r#"{{"jsonrpc":"2.0","id":{},{answer}}}"#, asked["id"]);
            // It may have gone by now.
            let _ = write!(&stream, "Content-Length: {}\r\n\r\n{said}", said.len());
        }
    });
}

#[test]
fn one_that_is_not_understood_is_told_of() {
    const NEWER: &str = r#""result":{"version":"9.0.0","build":"1.1","protocolVersion":"9.0","pid":7,"startedAt":1,"idle":false,"frameBytes":1,"headerBytes":1}"#;
    const STRANGE: &str = r#""error":{"code":-32601,"message":"no such method"}"#;
    for (answer, said) in
        [(NEWER, "(process 7, version 9.0.0) speaks protocol 9.0"), (STRANGE, "not answer as a daemon does")]
    {
        let home = Home::new();
        impostor(&home, answer);
        for args in [["status"].as_slice(), &["status", "--json"], &["skills"]] {
            let run = home.run(args);
            assert_eq!((run.code, run.stdout.as_str()), (69, ""), "{args:?}");
            assert_eq!(run.stderr.matches(said).count(), 1, "{args:?}: {}", run.stderr);
        }
        assert!(home.run(&["doctor"]).stdout.contains(said));
    }
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
