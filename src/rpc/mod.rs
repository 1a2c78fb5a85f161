//! Duplex JSON-RPC 2.0 over any transport. Knows no method.
//!
//! [`serve`] is the one loop of a connection. It asks a [`Service`] what to do with what comes in, and gives each
//! handler a [`Call`], through which the handler sees the [`Peer`] it serves and learns that it is cancelled.

mod call;
mod error;
pub mod frame;
mod peer;
mod pending;
mod serve;
mod write;

pub use call::Call;
pub use error::{CANCELLED, INTERNAL_ERROR, INVALID_PARAMS, OVERLOADED, Reason, RpcError, SHUTTING_DOWN};
pub use frame::{Id, Message, parse};
pub use peer::{Peer, PeerError};
pub use serve::{End, Limits, Service, Stops, Verdict, serve};
pub use write::write;
