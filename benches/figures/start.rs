//! From the spawn of the process to the answer of its first request, beside that of one which does nothing.

use std::process::Command;
use std::time::Instant;

use crate::Effort;
use crate::client::{Daemon, home};
use crate::sample::Sample;
use crate::table::{Aim, Table, Unit};

pub fn measure(effort: Effort, table: &mut Table) {
    let (mut direct, mut ours, mut first) = (Sample::default(), Sample::default(), Sample::default());
    let home = home();
    for _ in 0..effort.rounds(60) {
        let start = Instant::now();
        let status = Command::new("/bin/true").env_clear().status().expect("it runs");
        direct.add(start.elapsed());
        assert!(status.success());

        let fresh = crate::client::home();
        first.add(initialized(fresh.path()));
        ours.add(initialized(home.path()));
    }
    table.samples("spawn to the answer of initialize", (&direct, &ours), Unit::Ms, Aim::Whole(10.0));
    table.samples("  the first time ever, the sessions file made", (&direct, &first), Unit::Ms, Aim::None);
}

fn initialized(home: &std::path::Path) -> std::time::Duration {
    let start = Instant::now();
    let mut daemon = Daemon::spawn(home, None);
    daemon.initialize();
    start.elapsed()
}
