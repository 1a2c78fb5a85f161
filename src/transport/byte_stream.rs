//! A transport over any pair of byte streams.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, pending};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{Decoder, FrameLimits, Framing, Inbound, ReadError, Sink, Source, Written};

/// Room made for each read.
const READ_AHEAD: usize = 16 * 1024;

/// A buffer that a burst has grown beyond this is given back: there is one for each client.
const KEEP_BUFFER: usize = 16 * 1024;

/// Ends when nobody reads any more; never where that cannot be told.
pub type Gone = BoxFuture<'static, ()>;

/// Where it cannot be told.
pub fn never() -> Gone {
    pending().boxed()
}

/// The sink answers in the framing that the source detects; it is not to be used before a first frame has come.
pub fn byte_stream<R, W>(reader: R, writer: W, gone: Gone, limits: FrameLimits) -> (Box<dyn Source>, Box<dyn Sink>)
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    join(Arc::default(), reader, writer, gone, limits)
}

/// For whoever speaks first: the sink writes in this framing, the other side answers in kind.
pub fn byte_stream_in<R, W>(
    framing: Framing,
    reader: R,
    writer: W,
    limits: FrameLimits,
) -> (Box<dyn Source>, Box<dyn Sink>)
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    join(Arc::new(OnceLock::from(framing)), reader, writer, never(), limits)
}

fn join<R, W>(
    framing: Arc<OnceLock<Framing>>,
    reader: R,
    writer: W,
    gone: Gone,
    limits: FrameLimits,
) -> (Box<dyn Source>, Box<dyn Sink>)
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    let source = ByteSource { reader, decoder: Decoder::new(limits), framing: Arc::clone(&framing), ended: false };
    let sink = ByteSink { writer, gone, framing, buffer: Vec::new(), written: 0 };
    (Box::new(source), Box::new(sink))
}

struct ByteSource<R> {
    reader: R,
    decoder: Decoder,
    framing: Arc<OnceLock<Framing>>,
    ended: bool,
}

struct ByteSink<W> {
    writer: W,
    gone: Gone,
    framing: Arc<OnceLock<Framing>>,
    buffer: Vec<u8>,
    /// How much of the buffer has been.
    written: usize,
}

#[async_trait]
impl<R: AsyncRead + Send + Unpin> Source for ByteSource<R> {
    async fn next(&mut self) -> Result<Option<Inbound>, ReadError> {
        loop {
            let decoded = self.decoder.decode();
            // Before a fault is passed on, for it too is answered in kind.
            if let Some(framing) = self.decoder.framing() {
                self.framing.get_or_init(|| framing);
            }
            let decoded = decoded?;
            if decoded.is_some() || self.ended {
                return Ok(decoded);
            }
            self.decoder.buffer().reserve(READ_AHEAD);
            // `read_buf` is cancel safe: bytes are in the buffer or still in the pipe.
            if self.reader.read_buf(self.decoder.buffer()).await? == 0 {
                self.ended = true;
                return Ok(self.decoder.finish());
            }
        }
    }
}

#[async_trait]
impl<W: AsyncWrite + Send + Unpin> Sink for ByteSink<W> {
    fn queue(&mut self, frames: &[String]) {
        let framing = self.framing.get().copied().unwrap_or(Framing::Lines);
        for frame in frames {
            framing.encode(frame, &mut self.buffer);
        }
    }

    async fn write(&mut self) -> std::io::Result<Written> {
        if self.written < self.buffer.len() {
            let count = self.writer.write(&self.buffer[self.written..]).await?;
            if count == 0 {
                return Err(std::io::ErrorKind::WriteZero.into());
            }
            self.written += count;
        }
        if self.written < self.buffer.len() {
            return Ok(Written::Some);
        }
        self.written = 0;
        self.buffer.clear();
        if self.buffer.capacity() > KEEP_BUFFER {
            self.buffer = Vec::new();
        }
        self.writer.flush().await?;
        Ok(Written::All)
    }

    async fn gone(&mut self) {
        (&mut self.gone).await;
        // It is asked again by nobody who heard it, and must not be polled.
        self.gone = never();
    }
}
