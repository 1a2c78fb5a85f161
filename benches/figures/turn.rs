//! What the daemon adds to a model call: a whole turn, kept on disk, over the bare HTTP client making the same call.

use std::collections::HashMap;
use std::time::Instant;

use crate::Effort;
use crate::client::{Daemon, Frame, home};
use crate::direct::Direct;
use crate::sample::Sample;
use crate::table::{Aim, Table, Unit};
use crate::upstream::Upstream;

/// Turns of one session, so that there is some history to send.
const TURNS: usize = 10;

const MANY: usize = 64;

/// The parameters of one turn.
pub fn message(session: &str) -> String {
    format!(r#"{{"content":"What is the capital of Poland?","sessionName":"{session}","mode":"auto"}}"#)
}

pub fn measure(effort: Effort, table: &mut Table) {
    let upstream = Upstream::start();
    let direct = Direct::new(&upstream);
    let home = home();
    let mut daemon = Daemon::start(home.path(), Some(&upstream));
    one_at_a_time(effort, table, (&direct, &mut daemon), &upstream);
    many_at_a_time(effort, table, (&direct, &mut daemon), &upstream);
}

/// A session of ours, then the same calls direct, and so on.
fn one_at_a_time(effort: Effort, table: &mut Table, (direct, daemon): (&Direct, &mut Daemon), upstream: &Upstream) {
    let (mut bare, mut ours) = (Sample::default(), Sample::default());
    for round in 0..effort.rounds(150) + 1 {
        let times: Vec<_> =
            (0..TURNS).map(|_| daemon.ask("conductor.message", &message(&format!("one-{round}")))).collect();
        let bodies = upstream.take_bodies();
        let direct = bodies.into_iter().map(|body| direct.call(body)).collect::<Vec<_>>();
        // The first round opens connections and compiles statements.
        if round > 0 {
            times.into_iter().for_each(|time| ours.add(time));
            direct.into_iter().for_each(|time| bare.add(time));
        }
    }
    table.samples("a turn, 1 in flight", (&bare, &ours), Unit::Us, Aim::Added(150.0));
}

fn many_at_a_time(effort: Effort, table: &mut Table, (direct, daemon): (&Direct, &mut Daemon), upstream: &Upstream) {
    let (mut bare, mut ours) = (Sample::default(), Sample::default());
    let (mut bare_took, mut ours_took) = (0.0, 0.0);
    let rounds = effort.rounds(6) + 1;
    for round in 0..rounds {
        let start = Instant::now();
        let times = flood(daemon, &format!("many-{round}"));
        let took = start.elapsed().as_secs_f64();
        let bodies = upstream.take_bodies();
        let start = Instant::now();
        let direct = direct.calls(&bodies, MANY);
        if round > 0 {
            ours_took += took;
            bare_took += start.elapsed().as_secs_f64();
            times.0.into_iter().for_each(|time| ours.add(time));
            direct.into_iter().for_each(|time| bare.add(time));
        }
    }
    table.samples("a turn, 64 in flight", (&bare, &ours), Unit::Us, Aim::None);
    let turns = ((rounds - 1) * MANY * TURNS) as f64;
    let rate = |took: f64| format!("{:.0} /s", turns / took);
    table.note("turns a second", &rate(bare_took), &rate(ours_took));
}

struct Times(Vec<std::time::Duration>);

/// So many sessions, each with its turns one after the other.
fn flood(daemon: &mut Daemon, name: &str) -> Times {
    let session = |number: usize| format!("{name}-{number}");
    let mut under_way = HashMap::new();
    let mut times = Vec::with_capacity(MANY * TURNS);
    for number in 0..MANY {
        let start = Instant::now();
        let id = daemon.send("conductor.message", &message(&session(number)));
        under_way.insert(id, (number, 1, start));
    }
    while !under_way.is_empty() {
        let Frame::Answer { id } = daemon.next() else { continue };
        let (number, turn, start) = under_way.remove(&id).expect("a request that was sent");
        times.push(start.elapsed());
        if turn < TURNS {
            let start = Instant::now();
            let id = daemon.send("conductor.message", &message(&session(number)));
            under_way.insert(id, (number, turn + 1, start));
        }
    }
    Times(times)
}
