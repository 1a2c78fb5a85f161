//! The real app-server of the Codex CLI, with a model of ours behind it: alone, and behind the daemon.

#[expect(dead_code, reason = "the benchmarks need more of it")]
mod harness;
mod server;
