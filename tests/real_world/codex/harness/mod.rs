//! The real app-server of the Codex CLI, the model behind it, and ways to it that can be cut. Tests and benchmarks share it.

pub mod app_server;
pub mod connection;
pub mod impostor;
pub mod program;
pub mod proxy;
pub mod script;
pub mod subscription;
pub mod upstream;
