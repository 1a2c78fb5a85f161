//! Wire dialects: how a conversation is said to a vendor and heard from it. One folder each; `codex` is the one with
//! several ways to be let in, and no dialect of its own.

pub mod anthropic;
mod call;
pub mod chat;
pub mod codex;
#[cfg(test)]
mod conversation;
mod endpoint;
#[cfg(test)]
mod fixtures;
pub mod gateway;
mod history;
pub mod http;
#[cfg(test)]
pub(crate) mod loopback;
pub mod offline;
#[cfg(test)]
mod quirks;
mod reader;
pub mod responses;
mod retry;
#[cfg(test)]
mod scenarios;
pub mod sse;
mod text;
pub mod upstream;
pub mod workers_ai;

pub use endpoint::PathId;
