//! What a peer says first, kept until it is known for an app-server: of what is none, that tells what it is instead.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::socket::Bytestream;

/// Of what is kept.
const MOST: usize = 200;

/// Passes everything on.
pub(super) struct Overheard {
    stream: Box<dyn Bytestream>,
    greeting: Greeting,
    is_full: bool,
}

#[derive(Clone, Default)]
pub(super) struct Greeting {
    bytes: Arc<Mutex<Vec<u8>>>,
}

impl Overheard {
    pub(super) fn new(stream: Box<dyn Bytestream>) -> (Self, Greeting) {
        let greeting = Greeting::default();
        (Self { stream, greeting: greeting.clone(), is_full: false }, greeting)
    }
}

impl Greeting {
    /// True if no more is wanted.
    fn keep(&self, bytes: &[u8]) -> bool {
        let mut kept = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let room = MOST - kept.len();
        kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
        kept.len() == MOST
    }

    /// What sort of peer it is, as the rest of a sentence, and what to do about it if that is plain.
    pub(super) fn tells(&self) -> Option<(String, Option<&'static str>)> {
        let bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        tells(&bytes)
    }
}

fn tells(bytes: &[u8]) -> Option<(String, Option<&'static str>)> {
    const TLS: &str = "speaks TLS, and was spoken to without";
    let line = bytes.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
    let is_text = !line.is_empty() && line.iter().all(|byte| (b' '..=b'~').contains(byte));
    let line = || String::from_utf8_lossy(line);
    Some(match bytes {
        [] => return None,
        // An alert, or a handshake.
        [0x15 | 0x16, 3, ..] => (TLS.to_owned(), Some("write wss:// in CODEX_APP_SERVER_URL")),
        [b'H', b'T', b'T', b'P', b'/', ..] if is_text => (format!("answered {} to the upgrade", line()), None),
        _ if is_text => (format!("speaks something else than WebSocket: it says \"{}\"", line()), None),
        _ => ("speaks something else than WebSocket".to_owned(), None),
    })
}

impl AsyncRead for Overheard {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, buffer));
        if !self.is_full {
            self.is_full = self.greeting.keep(&buffer.filled()[before..]);
        }
        Poll::Ready(read)
    }
}

impl AsyncWrite for Overheard {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
