//! How long after the end of an app-server the next one is ready, beside a bare client that starts and greets one.

use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::Effort;
use crate::client::{Daemon, home};
use crate::harness::app_server::{AppServer, CodexHome, Listen};
use crate::harness::upstream::Upstream;
use crate::sample::Sample;
use crate::table::{Aim, Table, Unit};

const GLANCE: Duration = Duration::from_millis(1);

pub fn measure(program: &Path, effort: Effort, table: &mut Table) {
    let upstream = Upstream::start();
    let codex_home = CodexHome::new(&upstream);
    let (home, other_home) = (home(), home());
    let mut spawning = super::spawning_daemon(&home, program, &codex_home);
    let mut server = AppServer::start(program, &upstream, Listen::port());
    let mut connected = super::daemon_of(&other_home, &server);
    let [mut started, mut child, mut greeted, mut external] = [(); 4].map(|()| Sample::default());
    for _ in 0..effort.rounds(5) {
        let (pid, connects) = ready(&mut spawning, 0);
        let start = Instant::now();
        kill(Pid::from_raw(pid.expect("it has a process")), Signal::SIGKILL).expect("it can be killed");
        ready(&mut spawning, connects);
        child.add(start.elapsed());

        let (_, connects) = ready(&mut connected, 0);
        server.kill();
        let start = Instant::now();
        server.revive();
        let back = Instant::now();
        server.connect();
        started.add(start.elapsed());
        greeted.add(back.elapsed());
        ready(&mut connected, connects);
        external.add(back.elapsed());
    }
    table.samples("a child was killed: the next is ready after", (&started, &child), Unit::Ms, Aim::None);
    table.samples("a killed one listens again: ready after", (&greeted, &external), Unit::Ms, Aim::None);
}

/// Until the link has become ready more often than so; the process, where it is a child, and how often it was by then.
fn ready(daemon: &mut Daemon, connects: u64) -> (Option<i32>, u64) {
    loop {
        let status: Value = daemon.value("codex.status", "{}");
        let link = &status["link"];
        let times = link["connects"].as_u64().unwrap_or_default();
        if link["state"] == "ready" && times > connects {
            return (link["pid"].as_i64().and_then(|pid| pid.try_into().ok()), times);
        }
        std::thread::sleep(GLANCE);
    }
}
