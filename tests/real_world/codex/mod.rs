//! The real app-server of the Codex CLI, with a model of ours behind it: alone, and behind the daemon.

mod approvals;
mod calls;
mod checkups;
mod failures;
mod faults;
#[expect(dead_code, reason = "the benchmarks need more of it")]
mod harness;
mod server;
mod setting;
mod sharing;
mod turns;
mod warmth;
mod ways;
