//! Resident memory, beside that of a program that only waits.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::Effort;
use crate::client::{Daemon, home};
use crate::table::{Aim, Table, Unit};
use crate::turn;
use crate::upstream::Upstream;

/// After this it is idle.
const SETTLE: Duration = Duration::from_millis(300);

pub fn measure(_: Effort, table: &mut Table) {
    let mut cat = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("cat is there");
    let upstream = Upstream::start();
    let home = home();
    let mut daemon = Daemon::start(home.path(), Some(&upstream));
    std::thread::sleep(SETTLE);
    let direct = resident(cat.id());
    let figures = (direct, resident(daemon.pid()));
    table.row("resident memory after initialize (direct: cat)", figures, Unit::MiB, Aim::Whole(15.0));
    for _ in 0..5 {
        daemon.ask("conductor.message", &turn::message("memory"));
    }
    std::thread::sleep(SETTLE);
    let figures = (direct, resident(daemon.pid()));
    table.row("resident memory after 5 turns", figures, Unit::MiB, Aim::None);
    drop(cat.stdin.take());
    cat.wait().expect("it ends");
}

/// In MiB, with what it shares with others.
pub fn resident(pid: u32) -> f64 {
    mebibytes(&format!("/proc/{pid}/status"), "VmRSS:")
}

/// In MiB: what would be there once more with every further process.
pub fn private(pid: u32) -> f64 {
    let rollup = format!("/proc/{pid}/smaps_rollup");
    mebibytes(&rollup, "Anonymous:")
}

fn mebibytes(file: &str, name: &str) -> f64 {
    let status = std::fs::read_to_string(file).expect("the process is alive");
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("it says so");
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse().expect("a number");
    kib / 1024.0
}
