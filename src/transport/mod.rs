//! Bytes to text frames and back. Knows no JSON.
//!
//! A transport is a pair: a [`Source`] of inbound frames and a [`Sink`] for outbound ones. Byte streams detect their
//! framing from the first byte of the first message and answer in kind.

mod byte_stream;
mod channel;
mod framing;
mod memory;
mod stdio;
mod unix;

pub use byte_stream::{Gone, byte_stream, byte_stream_in, never};
pub use channel::{Line, channel};
pub use framing::{Decoder, Fault, FrameLimits, Framing, Inbound};
pub use memory::memory;
pub use stdio::{Restore, stdio};
pub use unix::{unix, unix_client};

use async_trait::async_trait;

/// The two halves of a connection.
pub type Transport = (Box<dyn Source>, Box<dyn Sink>);

/// Frames from the other side.
#[async_trait]
pub trait Source: Send {
    /// The next frame; `None` at the end of input. Dropping the future loses nothing.
    async fn next(&mut self) -> Result<Option<Inbound>, ReadError>;
}

/// Frames to the other side.
#[async_trait]
pub trait Sink: Send {
    /// Takes in frames that are to be written after those before them.
    fn queue(&mut self, frames: &[String]);

    /// Waits until the other side takes something of what is queued.
    async fn write(&mut self) -> std::io::Result<Written>;

    /// Waits until it is known, without anything being written, that nobody reads any more. Where that cannot be told it
    /// waits for ever. Cancel safe.
    async fn gone(&mut self);
}

/// How much of what was queued has been written by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    Some,
    All,
}

/// A connection that cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("{0}")]
    Framing(#[from] Fault),
    #[error("the connection broke: {0}")]
    Io(#[from] std::io::Error),
}
