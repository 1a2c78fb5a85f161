//! `open-think`: one warm process between editors, agents and language models, spoken to in JSON-RPC.
//!
//! `ARCHITECTURE.md` beside this file says which folder does what and who may import whom.

pub mod api;
pub mod cli;
pub mod codex;
pub mod config;
pub mod daemon;
pub mod helm;
pub mod http;
pub mod model;
pub mod plugins;
pub mod policy;
pub mod protocol;
pub mod providers;
pub mod rpc;
pub mod sessions;
pub mod skills;
pub mod transport;
