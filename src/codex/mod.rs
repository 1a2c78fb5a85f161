//! The app-server of the Codex CLI: one warm, handshaken connection to it for all clients, and what goes over it.
//!
//! ```text
//!  api ── plugins/codex ── AppServer ── hub    who hears what      desk  which of its questions are open
//!  helm (Engine) ── engine ────┤        link   one connection: a pure state machine, and the task that does what it
//!  skills (Provider) ── chat ──┘               says: websocket (tcp, tls, unix) · POST to a shim · a child of ours
//! ```

mod app_server;
mod chat;
mod checkup;
mod desk;
pub mod engine;
mod hub;
mod limits;
pub mod link;
mod login;
mod shapes;
mod watched;

pub use app_server::{AppServer, Place, RpcFault};
pub use chat::Chat;
pub use checkup::{Checkup, Problem};
pub use desk::{Desk, Question, Reply, Resolution, Settled};
pub use hub::{Following, Hub, Noted, thread_of};
pub use limits::Window;
pub use login::DeviceLogin;
pub use shapes::{immediate_text, started_thread};
pub use watched::{Watch, Watched};
