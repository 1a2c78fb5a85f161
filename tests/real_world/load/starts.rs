//! Many editors that start at once where no daemon is: one of them starts it, and all are served by it.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Barrier;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use serde_json::{Value, json};

use crate::background::pid;
use crate::home::{Home, PROGRAM};

const ROUNDS: usize = 30;
const CLIENTS: usize = 40;

/// What an editor starts, and its two pipes.
struct Shim {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Shim {
    fn start(mut program: Command) -> Self {
        program.arg("--stdio").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = program.spawn().expect("the shim starts");
        let input = process.stdin.take().expect("piped");
        let output = BufReader::new(process.stdout.take().expect("piped"));
        Self { process, input, output }
    }

    fn initialize(&mut self) {
        let answer = self.ask("initialize", json!({"processId": std::process::id(), "capabilities": {}}));
        assert!(answer["result"]["capabilities"].is_object(), "{answer}");
    }

    /// The daemon that serves it.
    fn daemon(&mut self) -> u64 {
        let answer = self.ask("daemon.status", json!({}));
        answer["result"]["pid"].as_u64().unwrap_or_else(|| panic!("{answer}"))
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        let frame = json!({"jsonrpc": "2.0", "id": method, "method": method, "params": params}).to_string();
        write!(self.input, "Content-Length: {}\r\n\r\n{frame}", frame.len()).expect("the shim listens");
        loop {
            let frame = self.read();
            if frame["id"] == method {
                return frame;
            }
        }
    }

    fn read(&mut self) -> Value {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("text");
        let length = line.strip_prefix("Content-Length: ").unwrap_or_else(|| panic!("no frame: {line:?}"));
        let mut body = vec![0; length.trim().parse::<usize>().expect("a length") + 2];
        self.output.read_exact(&mut body).expect("a whole frame");
        serde_json::from_slice(&body).expect("JSON")
    }

    /// Ends its input, as an editor does that is closed.
    fn hang_up(self) {
        let Self { mut process, input, output } = self;
        drop((input, output));
        let status = process.wait().expect("it ends");
        assert!(status.success(), "{status}");
    }
}

/// The daemons of the home that live.
fn daemons(home: &Home) -> Vec<u32> {
    let serves = |pid: &u32| {
        let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        arguments.split(|byte| *byte == 0).any(|argument| argument == b"serve")
    };
    home.programs().into_iter().filter(serves).collect()
}

fn start(home: &Home) -> Shim {
    Shim::start(home.command(PROGRAM))
}

/// Does the same for so many shims at once, each in a thread of its own.
fn at_once<T: Send, R: Send>(of: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let ready = Barrier::new(of.len());
    let (ready, work) = (&ready, &work);
    std::thread::scope(|scope| {
        let begin = |each: T| {
            scope.spawn(move || {
                ready.wait();
                work(each)
            })
        };
        let threads: Vec<_> = of.into_iter().map(begin).collect();
        threads.into_iter().map(|thread| thread.join().expect("it is served")).collect()
    })
}

#[test]
fn of_many_who_start_at_once_one_starts_the_daemon_and_all_are_served() {
    let home = Home::new();
    let (begun, mut slowest, mut seen) = (Instant::now(), Duration::ZERO, BTreeSet::new());
    for round in 0..ROUNDS {
        let served = at_once((0..CLIENTS).collect(), |_| {
            let begun = Instant::now();
            let mut shim = start(&home);
            shim.initialize();
            (begun.elapsed(), shim.daemon(), shim)
        });
        let record = home.daemon().expect("a daemon serves");
        assert_eq!(daemons(&home), [record.pid], "round {round}");
        let mut shims = Vec::new();
        for (took, daemon, shim) in served {
            assert_eq!(daemon, u64::from(record.pid), "round {round}");
            slowest = slowest.max(took);
            shims.push(shim);
        }
        assert!(seen.insert(record.pid), "round {round}: it was to be killed");
        at_once(shims, Shim::hang_up);
        // No chance to give its address back.
        kill(pid(&record), Signal::SIGKILL).expect("it lives");
    }
    let total = begun.elapsed();
    println!("{ROUNDS} rounds of {CLIENTS} clients: {total:.1?}, the slowest client {slowest:.0?}");
}

#[test]
fn of_many_whose_daemon_is_killed_one_starts_another_and_all_go_on() {
    let home = Home::new();
    let mut shims = at_once((0..CLIENTS).collect(), |_| {
        let mut shim = start(&home);
        shim.initialize();
        shim
    });
    for _ in 0..3 {
        let killed = home.daemon().expect("a daemon serves");
        kill(pid(&killed), Signal::SIGKILL).expect("it lives");
        let served = at_once(shims, |mut shim| (asked_again(&mut shim, killed.pid), shim));
        let record = home.daemon().expect("a daemon serves");
        assert_eq!(daemons(&home), [record.pid]);
        let (pids, all): (BTreeSet<u64>, Vec<Shim>) = served.into_iter().unzip();
        assert_eq!(pids, BTreeSet::from([u64::from(record.pid)]));
        shims = all;
    }
    at_once(shims, Shim::hang_up);
}

/// The daemon that serves it now. What was asked of the one that was killed fails, and may be asked again.
fn asked_again(shim: &mut Shim, killed: u32) -> u64 {
    loop {
        let answer = shim.ask("daemon.status", json!({}));
        match answer["result"]["pid"].as_u64() {
            Some(pid) if pid != u64::from(killed) => return pid,
            Some(_) => {}
            None => assert_eq!(answer["error"]["data"]["retryable"], true, "{answer}"),
        }
    }
}
