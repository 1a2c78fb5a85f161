//! A skill that does next to nothing, beside the same bytes going through `cat`.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::Effort;
use crate::client::{Daemon, home};
use crate::sample::Sample;
use crate::table::{Aim, Table, Unit};

const PARAMS: &str = r#"{"skill":"admin-suggest-plugins","input":{"goal":"run a script"}}"#;

/// Calls of one side before the other has its turn.
const BATCH: usize = 20;

pub fn measure(effort: Effort, table: &mut Table) {
    let (mut direct, mut ours) = (Sample::default(), Sample::default());
    let home = home();
    let mut daemon = Daemon::start(home.path(), None);
    let mut cat = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("cat is there");
    let (mut stdin, mut stdout) = (cat.stdin.take().expect("piped"), cat.stdout.take().expect("piped"));
    let request = format!("{{\"jsonrpc\":\"2.0\",\"id\":1000,\"method\":\"skills.invoke\",\"params\":{PARAMS}}}\n");
    let mut echo = vec![0; request.len()];
    for round in 0..effort.rounds(200) + 1 {
        for _ in 0..BATCH {
            let time = daemon.ask("skills.invoke", PARAMS);
            // The first round compiles the skill's schema.
            if round > 0 {
                ours.add(time);
            }
        }
        for _ in 0..BATCH {
            let start = Instant::now();
            stdin.write_all(request.as_bytes()).expect("cat listens");
            stdout.read_exact(&mut echo).expect("cat answers");
            direct.add(start.elapsed());
        }
    }
    table.samples("skills.invoke of a trivial skill (direct: cat)", (&direct, &ours), Unit::Us, Aim::Whole(100.0));
    drop(stdin);
    cat.wait().expect("it ends");
}
