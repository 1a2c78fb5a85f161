//! One handshaken connection to an app-server, shared by all who ask for it, and kept.

mod child;
mod driver;
mod endpoint;
mod fault;
mod greeting;
mod handle;
mod handshake;
mod pending;
mod program;
mod shared;
mod shim;
mod socket;
mod state;
mod tcp;
#[cfg(test)]
mod tests;
mod way;

pub use endpoint::Endpoint;
pub use fault::{Fault, FaultKind, LinkError};
pub use handle::{Link, Settings};
pub use program::Program;
#[cfg(test)]
pub(super) use tests::served;

use std::sync::Arc;
use std::time::SystemTime;

use serde_json::value::RawValue;

use crate::rpc::Id;

/// What the other side says by itself, in the order in which it came.
#[derive(Clone, Debug)]
pub enum Heard {
    /// The connection is initialised; requests may be made. Threads that somebody follows have to be resumed.
    Up(Arc<Server>),
    /// It is gone. What was asked by the server stays open there, and is asked again under the same id once the thread
    /// is resumed.
    Down(Arc<Fault>),
    Notification {
        method: Arc<str>,
        params: Arc<RawValue>,
    },
    /// Wants an answer, under the id that it came with.
    Request {
        id: Id,
        method: Arc<str>,
        params: Arc<RawValue>,
    },
}

/// Told by the task that reads, which waits for nobody: what cannot be taken at once is the listener's to drop.
pub trait Listener: Send + Sync {
    fn hear(&self, heard: Heard);
}

/// What an app-server says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    pub user_agent: String,
    /// As in `0.169.0`, if it says so.
    pub version: Option<String>,
    pub codex_home: Option<String>,
    pub platform: Option<String>,
}

/// How the link stands, for those who show it.
#[derive(Clone, Debug)]
pub struct Status {
    pub state: State,
    /// Since when it is in that state.
    pub since: SystemTime,
    /// Of the connection that is up, or was last.
    pub server: Option<Arc<Server>>,
    /// Why it is not up.
    pub fault: Option<Arc<Fault>>,
    /// When the next attempt is due, in back-off.
    pub retry_at: Option<SystemTime>,
    /// How often it has become ready.
    pub connects: u64,
    /// Requests that wait for an answer, and those that wait for a place among them.
    pub in_flight: usize,
    pub waiting: usize,
    /// The process, where it is a child of ours.
    pub pid: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nobody has asked for it yet.
    Cold,
    Connecting,
    Handshaking,
    Ready,
    /// No new requests; those in flight are waited for.
    Draining,
    Backoff,
    /// Trying again would not help; the fault says what would.
    Refused,
}
