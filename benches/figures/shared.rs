//! The daemon that clients share, and the shim between it and an editor, beside a connection of one's own to its socket.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use open_think::daemon::{Address, Record};
use tempfile::TempDir;

use crate::Effort;
use crate::background;
use crate::client::{Daemon, Frame, home, program};
use crate::memory::{private, resident};
use crate::sample::Sample;
use crate::table::{Aim, Table, Unit};
use crate::upstream::{Manner, Upstream};

/// After this it is idle.
const SETTLE: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_secs(10);
const GLANCE: Duration = Duration::from_millis(2);

const IDLE_CLIENTS: usize = 500;
const SUBSCRIBERS: usize = 100;
const CHUNKS: usize = 2000;
const ASK: &str = r#"{"content":"Tell me a story.","sessionName":"fan-out","mode":"auto","stream":true}"#;

pub fn measure(effort: Effort, table: &mut Table) {
    cold(effort, table);
    let upstream = Upstream::start();
    let server = Server::start(&upstream);
    let idle = resident(server.process.id());
    table.row("resident memory of the shared daemon, idle", (0.0, idle), Unit::MiB, Aim::Whole(15.0));
    warm(&server, effort, table);
    round_trip(&server, effort, table);
    idle_clients(&server, table);
    fan_out(&server, &upstream, effort, table);
}

/// A daemon in the foreground, in a home of its own.
struct Server {
    home: TempDir,
    process: Child,
    socket: PathBuf,
}

impl Server {
    fn start(upstream: &Upstream) -> Self {
        let home = home();
        let mut serve = program(home.path());
        serve.arg("serve").env("OPENAI_COMPATIBLE_URL", upstream.base_url()).env("MODEL_DEFAULT", "gpt-4o-mini");
        let process = serve.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
        let address = address(home.path());
        let begun = Instant::now();
        let socket = loop {
            if let Some(record) = Record::read(&address) {
                break record.socket;
            }
            assert!(begun.elapsed() < PATIENCE, "the daemon does not come up");
            std::thread::sleep(GLANCE);
        };
        std::thread::sleep(SETTLE);
        Self { home, process, socket }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        background::end(&address(self.home.path()));
    }
}

fn address(home: &Path) -> Address {
    background::address([("HOME".to_owned(), home.display().to_string())])
}

/// From the start of the shim to its first answer, the daemon started on the way.
fn cold(effort: Effort, table: &mut Table) {
    let mut ours = Sample::default();
    for _ in 0..effort.rounds(20) {
        let home = home();
        ours.add(initialized(home.path()));
        background::end(&address(home.path()));
    }
    let figures = (0.0, Unit::Ms.of(ours.median()));
    table.row("a shim to the answer of initialize, no daemon yet, median", figures, Unit::Ms, Aim::Whole(30.0));
    table.row("  p99", (0.0, Unit::Ms.of(ours.p99())), Unit::Ms, Aim::None);
}

fn warm(server: &Server, effort: Effort, table: &mut Table) {
    let mut ours = Sample::default();
    for _ in 0..effort.rounds(60) {
        ours.add(initialized(server.home.path()));
    }
    let figures = (0.0, Unit::Ms.of(ours.median()));
    table.row("a shim to the answer of initialize, daemon warm, median", figures, Unit::Ms, Aim::Whole(5.0));
    table.row("  p99", (0.0, Unit::Ms.of(ours.p99())), Unit::Ms, Aim::None);
}

fn initialized(home: &Path) -> Duration {
    let start = Instant::now();
    Daemon::shim(home).initialize();
    start.elapsed()
}

fn round_trip(server: &Server, effort: Effort, table: &mut Table) {
    const METHOD: &str = "codex.status";
    let (mut direct, mut shim) = (Daemon::connect(&server.socket), Daemon::shim(server.home.path()));
    let mut relay = Daemon::relayed(&server.socket);
    let [mut bare, mut relayed, mut ours] = [(); 3].map(|()| Sample::default());
    for round in 0..effort.rounds(2000) + 20 {
        let times = (direct.ask(METHOD, "{}"), relay.ask(METHOD, "{}"), shim.ask(METHOD, "{}"));
        // The first ones connect.
        if round >= 20 {
            bare.add(times.0);
            relayed.add(times.1);
            ours.add(times.2);
        }
    }
    table.samples("a round trip through the shim", (&bare, &ours), Unit::Us, Aim::Added(60.0));
    table.samples("  through a process that only copies bytes", (&bare, &relayed), Unit::Us, Aim::None);
    table.row("resident memory of the shim", (0.0, resident(shim.pid())), Unit::MiB, Aim::Whole(6.0));
    table.row("  of that, its own and not the program's text", (0.0, private(shim.pid())), Unit::MiB, Aim::None);
}

fn idle_clients(server: &Server, table: &mut Table) {
    let before = resident(server.process.id());
    let connect = |_| {
        let mut client = Daemon::connect(&server.socket);
        client.initialize();
        client
    };
    let clients: Vec<Daemon> = (0..IDLE_CLIENTS).map(connect).collect();
    let with = resident(server.process.id());
    let what = format!("resident memory with {IDLE_CLIENTS} idle clients (direct: with none)");
    table.row(&what, (before, with), Unit::MiB, Aim::None);
    table.note("for each client", "", &format!("{:.1} KiB", (with - before) * 1024.0 / IDLE_CLIENTS as f64));
    drop(clients);
}

/// One turn that all hear of.
fn fan_out(server: &Server, upstream: &Upstream, effort: Effort, table: &mut Table) {
    upstream.answer(Manner::Burst(effort.rounds(CHUNKS)));
    let mut asker = Daemon::connect(&server.socket);
    asker.ask("conductor.message", ASK);
    let begun = Instant::now();
    let listeners: Vec<_> = (0..SUBSCRIBERS)
        .map(|_| {
            let mut client = Daemon::connect(&server.socket);
            client.ask("conductor.subscribe", r#"{"sessionName":"fan-out"}"#);
            std::thread::spawn(move || heard(&mut client))
        })
        .collect();
    let connected = begun.elapsed();
    let start = Instant::now();
    asker.ask("conductor.message", ASK);
    let heard: usize = listeners.into_iter().map(|listener| listener.join().expect("no panic")).sum();
    let each_second = heard as f64 / start.elapsed().as_secs_f64();
    let what = format!("events a second to {SUBSCRIBERS} subscribers, neighbours merged or not");
    table.note(&what, "", &format!("{each_second:.0}"));
    table.note("  frames of that turn, and until all were connected", "", &format!("{heard}, {connected:.1?}"));
}

/// The frames until the turn has ended.
fn heard(client: &mut Daemon) -> usize {
    let mut count = 0;
    loop {
        if let Frame::Notification(frame) = client.next() {
            count += 1;
            if memchr::memmem::find(frame, b"\"loop-done\"").is_some() {
                return count;
            }
        }
    }
}
