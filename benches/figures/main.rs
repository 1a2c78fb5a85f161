//! The figures that the daemon is held to, each beside the direct call that it is measured against.
//!
//! `cargo bench` prints one table: `cargo bench -- turn stream` only those groups, `-- --quick` with fewer rounds.
//! Everything is measured in one run, over loopback, against the real program; the two sides of a row take turns, so
//! that what else the machine does weighs on both. Nothing is asserted about time.

#[path = "../../tests/background.rs"]
mod background;
mod cancel;
mod client;
mod codex;
mod dialect;
mod direct;
#[path = "../../tests/real_world/codex/harness/mod.rs"]
#[expect(dead_code, reason = "the tests need more of it")]
mod harness;
mod many;
mod memory;
#[path = "../../tests/real_world/needs.rs"]
mod needs;
#[path = "../../tests/real_world/npm.rs"]
mod npm;
mod relay;
mod sample;
mod shared;
mod skill;
#[path = "../../tests/skipped.rs"]
mod skipped;
mod start;
mod stream;
mod table;
mod turn;
mod upstream;
mod wire;

use std::process::ExitCode;
use std::time::Duration;

use table::Table;

/// A run that hangs must end all the same.
const PATIENCE: Duration = Duration::from_secs(115);

/// How much of it to do.
#[derive(Clone, Copy)]
pub struct Effort {
    quick: bool,
}

impl Effort {
    /// Rounds, or a tenth of them.
    pub fn rounds(self, full: usize) -> usize {
        if self.quick { full.div_ceil(10) } else { full }
    }
}

type Group = fn(Effort, &mut Table);

const GROUPS: [(&str, Group); 11] = [
    ("start", start::measure),
    ("memory", memory::measure),
    ("turn", turn::measure),
    ("stream", stream::cost),
    ("token", stream::first_token),
    ("skill", skill::measure),
    ("wire", wire::measure),
    ("many", many::measure),
    ("cancel", cancel::measure),
    ("shared", shared::measure),
    ("codex", codex::measure),
];

fn main() -> ExitCode {
    if relay::was_asked_for() {
        return ExitCode::SUCCESS;
    }
    // Cargo passes `--bench`; what does not begin with a dash names a group.
    let (flags, wanted): (Vec<String>, Vec<String>) = std::env::args().skip(1).partition(|arg| arg.starts_with('-'));
    let effort = Effort { quick: flags.iter().any(|flag| flag == "--quick") };
    let (done, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut table = Table::default();
        for (name, measure) in GROUPS {
            if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
                measure(effort, &mut table);
            }
        }
        let _ = done.send(table);
    });
    match ended.recv_timeout(PATIENCE) {
        Ok(table) => {
            table.print();
            ExitCode::SUCCESS
        }
        // It took too long, or one of the measurements panicked and has said why.
        Err(_) => ExitCode::FAILURE,
    }
}
