//! A transport inside the process: the other end is a byte stream that a test or an embedder drives.

use tokio::io::{DuplexStream, duplex, split};

use super::{FrameLimits, Transport, byte_stream, never};

/// `capacity` bytes may be under way in each direction.
pub fn memory(capacity: usize, limits: FrameLimits) -> (Transport, DuplexStream) {
    let (ours, theirs) = duplex(capacity);
    let (reader, writer) = split(ours);
    (byte_stream(reader, writer, never(), limits), theirs)
}
