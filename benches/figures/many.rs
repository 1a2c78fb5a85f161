//! Many streams at once: what each chunk costs then, and what an open stream weighs.

use std::time::Duration;

use crate::Effort;
use crate::client::{Daemon, Frame, home};
use crate::direct::Direct;
use crate::memory::resident;
use crate::sample::{cpu_of, cpu_of_thread};
use crate::table::{Aim, Table, Unit};
use crate::upstream::{Manner, Upstream};

const STREAMS: usize = 64;
const CHUNKS: usize = 500;
const ROUNDS: usize = 5;

const OPEN: usize = 256;
/// Between the chunks of the open streams: long enough to look at them meanwhile.
const PAUSE: Duration = Duration::from_millis(1500);
const ASK: &str = r#"{"skill":"openai-compat-chat","input":{"stream":true,"messages":[{"role":"user","content":"Tell me a story."}]}}"#;

pub fn measure(effort: Effort, table: &mut Table) {
    let (upstream, home) = (Upstream::start(), home());
    let direct = Direct::new(&upstream);
    let mut daemon = Daemon::start(home.path(), Some(&upstream));
    at_once(effort, table, (&direct, &mut daemon), &upstream);
    let mut daemon = Daemon::start(home.path(), Some(&upstream));
    open(table, &mut daemon, &upstream);
}

/// The best round of each side: other work on the machine only ever adds.
fn at_once(effort: Effort, table: &mut Table, (direct, daemon): (&Direct, &mut Daemon), upstream: &Upstream) {
    let chunks = effort.rounds(CHUNKS);
    upstream.answer(Manner::Burst(chunks));
    let (mut bare, mut ours) = (Duration::MAX, Duration::MAX);
    for _ in 0..ROUNDS {
        upstream.take_bodies();
        let before = cpu_of(daemon.pid());
        begin(daemon, STREAMS);
        finish(daemon, STREAMS);
        ours = ours.min(cpu_of(daemon.pid()) - before);
        let bodies = upstream.take_bodies();
        let before = cpu_of_thread();
        direct.calls(&bodies, STREAMS);
        bare = bare.min(cpu_of_thread() - before);
    }
    let each = |cpu: Duration| Unit::Us.of(cpu) / (STREAMS * chunks) as f64;
    let what = format!("a streamed chunk, {STREAMS} streams at once, processor time");
    table.row(&what, (each(bare), each(ours)), Unit::Us, Aim::Whole(5.0));
}

fn open(table: &mut Table, daemon: &mut Daemon, upstream: &Upstream) {
    upstream.answer(Manner::Burst(1));
    begin(daemon, 1);
    finish(daemon, 1);
    let idle = resident(daemon.pid());
    upstream.answer(Manner::Paced(2, PAUSE));
    upstream.take_bodies();
    begin(daemon, OPEN);
    // The first chunks have come, the last have not.
    std::thread::sleep(PAUSE + PAUSE / 2);
    assert_eq!(upstream.take_bodies().len(), OPEN, "all streams are open");
    let what = format!("resident memory with {OPEN} open streams (direct: with none)");
    let busy = resident(daemon.pid());
    table.row(&what, (idle, busy), Unit::MiB, Aim::None);
    let each = format!("{:.0} KiB", (busy - idle) * 1024.0 / OPEN as f64);
    table.note("for each stream", "", &each);
    finish(daemon, OPEN);
}

fn begin(daemon: &mut Daemon, streams: usize) {
    for _ in 0..streams {
        daemon.send("skills.invoke", ASK);
    }
}

fn finish(daemon: &mut Daemon, streams: usize) {
    for _ in 0..streams {
        while !matches!(daemon.next(), Frame::Answer { .. }) {}
    }
}
