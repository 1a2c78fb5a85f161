//! Streams: the processor time that each chunk costs from the upstream's byte to the client's frame, and how long the
//! first one is on its way.

use std::time::{Duration, Instant};

use memchr::memmem;

use crate::Effort;
use crate::client::{Daemon, Frame, home};
use crate::direct::Direct;
use crate::sample::{Sample, cpu_of, cpu_of_thread};
use crate::table::{Aim, Table, Unit};
use crate::upstream::{Manner, Upstream};

const ASK: &str = r#""content":"Tell me a story.","mode":"propose","stream":true"#;
const DELTA: &[u8] = b"\"kind\":\"text-delta\"";

struct Bench {
    upstream: Upstream,
    direct: Direct,
    daemon: Daemon,
    session: usize,
    _home: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let (upstream, home) = (Upstream::start(), home());
        let direct = Direct::new(&upstream);
        let daemon = Daemon::start(home.path(), Some(&upstream));
        let mut bench = Self { upstream, direct, daemon, session: 0, _home: home };
        bench.upstream.answer(Manner::Burst(100));
        bench.ours();
        bench.direct();
        bench.upstream.take_bodies();
        bench
    }

    /// When each frame with text came.
    fn ours(&mut self) -> Vec<Instant> {
        self.session += 1;
        let params = format!("{{{ASK},\"sessionName\":\"story-{}\"}}", self.session);
        let asked = self.daemon.send("conductor.message", &params);
        let mut arrived = Vec::new();
        loop {
            match self.daemon.next() {
                Frame::Answer { id } if id == asked => return arrived,
                Frame::Notification(frame) if memmem::find(&frame[..frame.len().min(250)], DELTA).is_some() => {
                    arrived.push(Instant::now());
                }
                _ => {}
            }
        }
    }

    /// When each piece with text came.
    fn direct(&mut self) -> Vec<Instant> {
        let body = self.upstream.take_bodies().pop().expect("ours came first");
        let pieces = self.direct.stream(body, true).pieces;
        let text = pieces.into_iter().filter(|(_, piece)| memmem::find(piece, b" token").is_some());
        text.map(|(at, _)| at).collect()
    }
}

pub fn cost(effort: Effort, table: &mut Table) {
    let mut bench = Bench::new();
    let chunks = effort.rounds(20_000);
    let manner = Manner::Burst(chunks);
    per_chunk(&mut bench, table, "a streamed chunk, processor time, as fast as it goes", (manner, chunks, 5));
    let chunks = effort.rounds(5_000);
    let manner = Manner::Paced(chunks, Duration::from_micros(200));
    per_chunk(&mut bench, table, "a streamed chunk, processor time, 200 µs apart", (manner, chunks, 3));
}

/// The best round of each side: other work on the machine only ever adds.
fn per_chunk(bench: &mut Bench, table: &mut Table, what: &str, (manner, chunks, rounds): (Manner, usize, usize)) {
    bench.upstream.answer(manner);
    let (mut direct, mut ours) = (Duration::MAX, Duration::MAX);
    let (mut pieces, mut frames) = (0, 0);
    for _ in 0..rounds {
        let before = cpu_of(bench.daemon.pid());
        frames = bench.ours().len();
        ours = ours.min(cpu_of(bench.daemon.pid()) - before);
        let before = cpu_of_thread();
        pieces = bench.direct().len();
        direct = direct.min(cpu_of_thread() - before);
    }
    let each = |cpu: Duration| Unit::Us.of(cpu) / chunks as f64;
    table.row(what, (each(direct), each(ours)), Unit::Us, Aim::Whole(5.0));
    let count = |number: usize| format!("{number} of {chunks}");
    table.note("reads, or frames, that they came in", &count(pieces), &count(frames));
}

pub fn first_token(effort: Effort, table: &mut Table) {
    const CHUNKS: usize = 6;
    let mut bench = Bench::new();
    bench.upstream.answer(Manner::Paced(CHUNKS, Duration::from_millis(10)));
    let (mut direct, mut ours) = (Sample::default(), Sample::default());
    let (mut direct_rest, mut ours_rest) = (Sample::default(), Sample::default());
    for _ in 0..effort.rounds(60) {
        let arrived = bench.ours();
        delays(&bench.upstream.take_written(), &arrived, (&mut ours, &mut ours_rest));
        let arrived = bench.direct();
        delays(&bench.upstream.take_written(), &arrived, (&mut direct, &mut direct_rest));
    }
    table.samples("first token, from upstream's write", (&direct, &ours), Unit::Us, Aim::Added(500.0));
    table.samples("later tokens, 10 ms apart", (&direct_rest, &ours_rest), Unit::Us, Aim::None);
}

fn delays(written: &[Instant], arrived: &[Instant], (first, rest): (&mut Sample, &mut Sample)) {
    assert_eq!(written.len(), arrived.len(), "at this pace nothing is merged");
    let mut delays = written.iter().zip(arrived).map(|(written, arrived)| arrived.duration_since(*written));
    first.add(delays.next().expect("there is a first"));
    delays.for_each(|delay| rest.add(delay));
}
