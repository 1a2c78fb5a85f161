//! Each wire format: the processor time of a chat skill's call, not streamed and streamed, beside a bare client that
//! reads the same answers.

use std::time::Duration;

use crate::Effort;
use crate::client::{Daemon, home};
use crate::dialect::{DIALECTS, Dialect};
use crate::direct::Direct;
use crate::sample::{cpu_of, cpu_of_thread};
use crate::table::{Aim, Table, Unit};
use crate::upstream::{Manner, Upstream};

const CALLS: usize = 400;
const CHUNKS: usize = 10_000;
const ROUNDS: usize = 5;
/// As long as a long file.
const LARGE: usize = 256 * 1024;

struct Bench {
    upstream: Upstream,
    direct: Direct,
    daemon: Daemon,
    dialect: &'static Dialect,
    _home: tempfile::TempDir,
}

impl Bench {
    fn new(dialect: &'static Dialect) -> Self {
        let (upstream, home) = (Upstream::start(), home());
        let direct = Direct::to(&upstream, dialect.path);
        let origin = upstream.origin();
        let settings = dialect.settings.iter().map(|(name, value)| (*name, value.replace("{}", &origin)));
        let daemon = Daemon::start_with(home.path(), settings);
        let mut bench = Self { upstream, direct, daemon, dialect, _home: home };
        bench.ours(1, &bench.params("Hi.", false));
        bench
    }

    fn params(&self, content: &str, stream: bool) -> String {
        let Dialect { skill, model, .. } = self.dialect;
        let messages = format!(r#"[{{"role":"user","content":"{content}"}}]"#);
        format!(r#"{{"skill":"{skill}","input":{{"model":"{model}","stream":{stream},"messages":{messages}}}}}"#)
    }

    /// Processor time of so many calls, one after the other.
    fn ours(&mut self, calls: usize, params: &str) -> Duration {
        let before = cpu_of(self.daemon.pid());
        for _ in 0..calls {
            self.daemon.ask("skills.invoke", params);
        }
        cpu_of(self.daemon.pid()) - before
    }

    fn direct(&self, calls: usize, body: &[u8]) -> Duration {
        let before = cpu_of_thread();
        for _ in 0..calls {
            self.direct.call(body.to_vec());
        }
        cpu_of_thread() - before
    }

    /// The best round of each side, for one of `parts` of a call: other work on the machine only ever adds.
    fn row(&mut self, table: &mut Table, what: &str, (calls, parts): (usize, usize), params: &str, aim: f64) {
        let (mut direct, mut ours) = (Duration::MAX, Duration::MAX);
        for _ in 0..ROUNDS {
            self.upstream.take_bodies();
            ours = ours.min(self.ours(calls, params));
            let body = self.upstream.take_bodies().pop().expect("ours came first");
            direct = direct.min(self.direct(calls, &body));
        }
        let each = |cpu: Duration| Unit::Us.of(cpu) / (calls * parts) as f64;
        let what = format!("{}: {what}, processor time", self.dialect.name);
        table.row(&what, (each(direct), each(ours)), Unit::Us, Aim::Whole(aim));
    }
}

pub fn measure(effort: Effort, table: &mut Table) {
    for dialect in &DIALECTS {
        let mut bench = Bench::new(dialect);
        bench.upstream.answer(Manner::AtOnce);
        let params = bench.params("What is the capital of Poland?", false);
        bench.row(table, "skills.invoke, not streamed", (effort.rounds(CALLS), 1), &params, 75.0);
        let params = bench.params(&"Warsaw. ".repeat(LARGE / 8), false);
        bench.row(table, "a request of 256 KiB", (effort.rounds(CALLS / 10), 1), &params, 1000.0);
        let chunks = effort.rounds(CHUNKS);
        bench.upstream.answer(Manner::Burst(chunks));
        let params = bench.params("Tell me a story.", true);
        bench.row(table, "a streamed chunk of skills.invoke", (1, chunks), &params, 5.0);
    }
}
