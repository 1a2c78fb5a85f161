//! A transport over a unix socket.

use tokio::net::UnixStream;

use super::{FrameLimits, Framing, Transport, byte_stream, byte_stream_in, never};

/// The end that answers in the framing of whoever connected. That nobody reads any more shows as the end of input.
pub fn unix(stream: UnixStream, limits: FrameLimits) -> Transport {
    let (reader, writer) = stream.into_split();
    byte_stream(reader, writer, never(), limits)
}

/// The end that speaks first.
pub fn unix_client(stream: UnixStream, limits: FrameLimits) -> Transport {
    let (reader, writer) = stream.into_split();
    byte_stream_in(Framing::Headers, reader, writer, limits)
}
