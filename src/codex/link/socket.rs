//! A WebSocket to an app-server, over any pair of byte streams.
//!
//! Nothing but text frames is passed on. Long messages go out in fragments, because the server takes 16 MiB a frame and
//! 64 MiB a message. No `Origin` is sent: the server refuses those as coming from a web page.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::{Sink, Stream};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::http::{HeaderValue, Response, StatusCode, header};
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{Frame, Utf8Bytes};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::greeting::{Greeting, Overheard};
use super::{Fault, FaultKind};
use crate::config::Secret;

pub(super) const MAX_MESSAGE: usize = 64 * 1024 * 1024;
const FRAGMENT: usize = 4 * 1024 * 1024;
const BUFFER: usize = 64 * 1024;
const HUNG_UP: &str = "is CODEX_APP_SERVER_URL that of a Codex app-server? one behind TLS wants wss://";
/// Of what a server says when it refuses.
pub(super) const MAX_WORDS: usize = 300;

pub(super) trait Bytestream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Bytestream for T {}

pub(super) struct Socket {
    stream: WebSocketStream<Overheard>,
    /// The rest of a long message, of which a part has gone out.
    rest: Option<Bytes>,
}

pub(super) enum Incoming {
    Text(Utf8Bytes),
    Pong,
}

impl Socket {
    /// `url` is a `ws` or `wss` one, whose host is merely named in the request.
    pub(super) async fn upgrade(stream: Box<dyn Bytestream>, url: &str, token: Option<&Secret>) -> Result<Self, Fault> {
        let mut settings = WebSocketConfig::default();
        settings.read_buffer_size = BUFFER;
        settings.write_buffer_size = BUFFER;
        settings.max_message_size = Some(MAX_MESSAGE);
        settings.max_frame_size = Some(MAX_MESSAGE);
        let (stream, greeting) = Overheard::new(stream);
        let upgraded = client_async_with_config(request(url, token)?, stream, Some(settings)).await;
        let (stream, _) = upgraded.map_err(|error| refused(error, &greeting))?;
        Ok(Self { stream, rest: None })
    }

    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Incoming, Fault>> {
        loop {
            match ready!(Pin::new(&mut self.stream).poll_next(cx)) {
                Some(Ok(Message::Text(text))) => return Poll::Ready(Ok(Incoming::Text(text))),
                Some(Ok(Message::Pong(_))) => return Poll::Ready(Ok(Incoming::Pong)),
                // Pongs go out by themselves.
                Some(Ok(Message::Ping(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Binary(_))) => tracing::debug!("the app-server sent a binary frame"),
                Some(Ok(Message::Close(close))) => return Poll::Ready(Err(closed(close.as_ref()))),
                Some(Err(error)) => return Poll::Ready(Err(broken(&error))),
                None => return Poll::Ready(Err(closed(None))),
            }
        }
    }

    /// Ready once another message may be given to [`send`](Self::send).
    pub(super) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        while let Some(rest) = &mut self.rest {
            ready!(Pin::new(&mut self.stream).poll_ready(cx)).map_err(|error| broken(&error))?;
            let part = rest.split_to(rest.len().min(FRAGMENT));
            let is_last = rest.is_empty();
            if is_last {
                self.rest = None;
            }
            self.start(Message::Frame(Frame::message(part, OpCode::Data(Data::Continue), is_last)))?;
        }
        Pin::new(&mut self.stream).poll_ready(cx).map_err(|error| broken(&error))
    }

    pub(super) fn send(&mut self, text: String) -> Result<(), Fault> {
        if text.len() <= FRAGMENT {
            return self.start(Message::text(text));
        }
        let mut rest = Bytes::from(text);
        let first = rest.split_to(FRAGMENT);
        self.rest = Some(rest);
        self.start(Message::Frame(Frame::message(first, OpCode::Data(Data::Text), false)))
    }

    /// May be sent between the fragments of a message.
    pub(super) fn ping(&mut self) -> Result<(), Fault> {
        self.start(Message::Ping(Bytes::new()))
    }

    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        Pin::new(&mut self.stream).poll_flush(cx).map_err(|error| broken(&error))
    }

    /// Says goodbye; whoever calls it sets a limit.
    pub(super) async fn close(mut self) {
        let _ = self.stream.close(None).await;
    }

    fn start(&mut self, message: Message) -> Result<(), Fault> {
        Pin::new(&mut self.stream).start_send(message).map_err(|error| broken(&error))
    }
}

fn request(url: &str, token: Option<&Secret>) -> Result<Request, Fault> {
    let mut request = url.into_client_request().map_err(|error| broken(&error))?;
    if let Some(token) = token {
        let value = HeaderValue::try_from(format!("Bearer {}", token.expose().trim()));
        let mut value = value.map_err(|_| {
            Fault::new(FaultKind::WrongToken, "the token for the Codex app-server holds a forbidden character")
                .with_hint("set CODEX_APP_SERVER_TOKEN again; a line break may have slipped in")
        })?;
        value.set_sensitive(true);
        request.headers_mut().insert(header::AUTHORIZATION, value);
    }
    Ok(request)
}

/// Why there was no upgrade.
fn refused(error: Error, greeting: &Greeting) -> Fault {
    let Error::Http(answer) = error else {
        return match (greeting.tells(), &error) {
            (Some((what, None)), _) => not_one(&what),
            (Some((what, Some(hint))), _) => not_one(&what).with_hint(hint),
            (None, Error::Io(_)) => broken(&error).with_hint(HUNG_UP),
            (None, _) => not_one("hung up without a word").with_hint(HUNG_UP),
        };
    };
    let words = words(&answer);
    match answer.status() {
        StatusCode::UNAUTHORIZED => {
            Fault::new(FaultKind::WrongToken, format!("the Codex app-server refuses the token{}", spell(&words)))
                .with_hint("set CODEX_APP_SERVER_TOKEN to the token that it was started with")
        }
        StatusCode::FORBIDDEN => {
            Fault::new(FaultKind::WrongToken, format!("the Codex app-server refuses the connection{}", spell(&words)))
                .with_hint("ask whoever runs it what it lets in")
        }
        status => not_one(&format!("answered {} to the upgrade{}", status.as_u16(), spell(&words))),
    }
}

fn not_one(what: &str) -> Fault {
    Fault::new(FaultKind::Protocol, format!("what listens there {what}"))
        .with_hint("is CODEX_APP_SERVER_URL that of a Codex app-server?")
}

fn words(answer: &Response<Option<Vec<u8>>>) -> String {
    let body = answer.body().as_deref().unwrap_or_default();
    let text = String::from_utf8_lossy(body);
    let plain = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter });
    plain.take(MAX_WORDS).collect::<String>().trim().to_owned()
}

pub(super) fn spell(words: &str) -> String {
    if words.is_empty() { String::new() } else { format!(": {words}") }
}

fn broken(error: &Error) -> Fault {
    match error {
        Error::Capacity(_) => Fault::new(
            FaultKind::Protocol,
            format!("the Codex app-server sent what is longer than {MAX_MESSAGE} bytes"),
        ),
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => closed(None),
        Error::Protocol(_) | Error::Utf8(_) | Error::AttackAttempt => {
            Fault::new(FaultKind::Broken, format!("the connection to the Codex app-server broke: {error}"))
        }
        Error::Io(error) => {
            Fault::new(FaultKind::Broken, format!("the connection to the Codex app-server broke: {error}"))
        }
        _ => Fault::new(FaultKind::Broken, format!("the connection to the Codex app-server ended: {error}")),
    }
}

fn closed(close: Option<&CloseFrame>) -> Fault {
    let why = close.map(|close| format!(": {} {}", u16::from(close.code), close.reason));
    let message = format!("the Codex app-server closed the connection{}", why.unwrap_or_default());
    Fault::new(FaultKind::Broken, message.trim_end())
}
