//! The app-server of the Codex CLI: one warm, handshaken connection to it for all clients, and what goes over it.
//!
//! ```text
//!  plugins/codex ── AppServer ── hub      who hears what, and which of its questions are open
//!  helm (Engine) ── engine ───┘   link    one connection: a pure state machine, and the task that does what it says
//!                                         websocket (tcp, tls, unix) · POST to a shim · a child of ours
//! ```

mod hub;
pub mod link;
pub mod login;

pub use hub::{Following, Hub, thread_of};
