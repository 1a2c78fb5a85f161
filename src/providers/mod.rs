//! Wire dialects: how a conversation is said to a vendor and heard from it. One folder each.

pub mod anthropic;
mod call;
pub mod chat;
#[cfg(test)]
mod conversation;
mod endpoint;
#[cfg(test)]
mod fixtures;
mod history;
pub mod http;
#[cfg(test)]
pub(crate) mod loopback;
pub mod offline;
#[cfg(test)]
mod quirks;
mod reader;
pub mod retry;
#[cfg(test)]
mod scenarios;
pub mod sse;
mod text;
pub mod upstream;
