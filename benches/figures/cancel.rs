//! How long after a client takes its request back, or hangs up, the upstream's socket is closed.

use std::time::Instant;

use crate::Effort;
use crate::client::{Daemon, home};
use crate::sample::Sample;
use crate::table::{Aim, Table, Unit};
use crate::upstream::{Manner, Upstream};

const ASK: &str = r#"{"skill":"openai-compat-chat","input":{"stream":true,"messages":[{"role":"user","content":"Tell me a story."}]}}"#;
/// In milliseconds.
const AIM: f64 = 100.0;

pub fn measure(effort: Effort, table: &mut Table) {
    let (upstream, home) = (Upstream::start(), home());
    upstream.answer(Manner::Hold);
    let (mut cancelled, mut hung_up) = (Sample::default(), Sample::default());
    let mut daemon = Daemon::start(home.path(), Some(&upstream));
    for _ in 0..effort.rounds(50) {
        let id = daemon.send("skills.invoke", ASK);
        upstream.wait_held();
        let start = Instant::now();
        daemon.notify("$/cancelRequest", &format!("{{\"id\":{id}}}"));
        cancelled.add(upstream.wait_closed().duration_since(start));
        daemon.next_error();
    }
    for _ in 0..effort.rounds(20) {
        let mut daemon = Daemon::start(home.path(), Some(&upstream));
        daemon.send("skills.invoke", ASK);
        upstream.wait_held();
        let start = Instant::now();
        daemon.hang_up();
        hung_up.add(upstream.wait_closed().duration_since(start));
    }
    // There is nothing to compare with: a bare client closes its socket itself.
    let none = Sample::default();
    table.samples("cancelled: upstream's socket is closed after", (&none, &cancelled), Unit::Ms, Aim::Whole(AIM));
    table.samples("hung up: upstream's socket is closed after", (&none, &hung_up), Unit::Ms, Aim::Whole(AIM));
}
