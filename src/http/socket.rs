//! `GET /rpc`: the wire over a WebSocket. One message is one text frame; nothing else is taken.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use futures_util::{SinkExt, StreamExt};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::{Instant, interval_at, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};

use super::connection::Shared;
use super::envelope::{self, Failure};
use super::places::Place;
use super::{Host, exchange};
use crate::api::Via;
use crate::transport::{self, Inbound, Line};

/// Of silence, after which the client is asked whether it is there; as long again, and it is taken to be gone.
const PING: Duration = Duration::from_secs(30);

/// For the client to say goodbye as well.
const GOODBYE: Duration = Duration::from_secs(1);

const BUFFER: usize = 16 * 1024;

/// Frames written at once.
const BATCH: usize = 64;

/// What is spoken there, as a subprotocol.
const PROTOCOL: &str = "open-think";

const NOT_A_SOCKET: &str = "GET /rpc is for WebSockets, and this request does not ask for one";

pub fn upgrade(shared: &Arc<Shared>, mut request: Request) -> Result<Response, Failure> {
    let headers = request.headers();
    let asks = has(headers, &header::UPGRADE, "websocket") && has(headers, &header::CONNECTION, "upgrade");
    let current = has(headers, &header::SEC_WEBSOCKET_VERSION, "13");
    let key = headers.get(header::SEC_WEBSOCKET_KEY).filter(|_| asks && current);
    if key.is_some_and(|key| !is_key(key.as_bytes())) {
        return Err(Failure::new(
            StatusCode::BAD_REQUEST,
            "E_BAD_REQUEST",
            "Sec-WebSocket-Key is not 16 bytes in base64",
        ));
    }
    // The other one that a page names is its token.
    let named = has(headers, &header::SEC_WEBSOCKET_PROTOCOL, PROTOCOL);
    let accepted = key.and_then(|key| HeaderValue::try_from(derive_accept_key(key.as_bytes())).ok());
    let Some(accepted) = accepted else {
        let failure = Failure::new(StatusCode::UPGRADE_REQUIRED, "E_BAD_REQUEST", NOT_A_SOCKET);
        return Err(failure.with_hint("Open a WebSocket there, or send one request as the body of POST /rpc."));
    };
    // The place is held for as long as the socket is.
    let place = request.extensions_mut().remove::<Arc<Place>>();
    let (upgraded, host) = (hyper::upgrade::on(&mut request), Arc::clone(&shared.host));
    shared.tracker.spawn(async move {
        match upgraded.await {
            Ok(stream) => serve(TokioIo::new(stream), host).await,
            Err(error) => tracing::debug!(%error, "a WebSocket was not opened"),
        }
        drop(place);
    });
    let mut response = envelope::empty(StatusCode::SWITCHING_PROTOCOLS);
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accepted);
    if named {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(PROTOCOL));
    }
    Ok(response)
}

fn is_key(key: &[u8]) -> bool {
    let Some(digits) = key.strip_suffix(b"==") else { return false };
    digits.len() == 22 && digits.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
}

/// Whether a header's list has this word.
fn has(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|part| part.trim().eq_ignore_ascii_case(word))
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(stream: S, host: Arc<dyn Host>) {
    let limit = host.limits().frame_bytes;
    let mut settings = WebSocketConfig::default();
    settings.read_buffer_size = BUFFER;
    settings.write_buffer_size = BUFFER;
    settings.max_message_size = Some(limit);
    settings.max_frame_size = Some(limit);
    let socket = WebSocketStream::from_raw_socket(stream, Role::Server, Some(settings)).await;
    let (transport, line) = transport::channel(exchange::FRAMES);
    // It ends by itself once the line is dropped.
    tokio::spawn(host.serve(transport, Via::WebSocket));
    pump(socket, line, limit).await;
}

/// What the next thing from the client means.
enum Heard {
    Frame(String),
    /// It is there.
    Sign,
    TooLong,
    Wrong(CloseCode),
    /// It leaves, and waits to hear the same.
    Goodbye,
    Gone,
}

/// How the line stands after something has happened.
enum Next {
    Open,
    /// Nothing more is taken from the client, which has yet to be answered.
    Deaf(CloseCode),
    Over(CloseCode),
    Gone,
}

async fn pump<S: AsyncRead + AsyncWrite + Unpin>(mut socket: WebSocketStream<S>, line: Line, limit: usize) {
    let Line { inbound, mut outbound } = line;
    let mut inbound = Some(inbound);
    let mut ping = interval_at(Instant::now() + PING, PING);
    let (mut heard, mut batch, mut code) = (true, Vec::new(), CloseCode::Normal);
    loop {
        let next = tokio::select! {
            count = outbound.recv_many(&mut batch, BATCH) => match count {
                0 => Next::Over(code),
                _ if write(&mut socket, &mut batch).await.is_err() => Next::Gone,
                _ => Next::Open,
            },
            (place, message) = read(&mut socket, inbound.as_ref()) => {
                heard = true;
                take(place, message, limit)
            }
            _ = ping.tick() => match std::mem::take(&mut heard) {
                true if socket.send(Message::Ping(Bytes::new())).await.is_ok() => Next::Open,
                _ => Next::Gone,
            },
        };
        match next {
            Next::Open => {}
            Next::Deaf(why) => (code, inbound) = (why, None),
            Next::Over(why) => {
                code = why;
                break;
            }
            Next::Gone => return,
        }
    }
    // Whoever serves it hears that it is over before the client may take its time.
    drop((inbound, outbound));
    let goodbye = async {
        // It fails where the client has said goodbye first: reading on answers that.
        let _ = socket.close(Some(CloseFrame { code, reason: "".into() })).await;
        while let Some(Ok(_)) = socket.next().await {}
    };
    let _ = timeout(GOODBYE, goodbye).await;
}

fn take(place: mpsc::Permit<'_, Inbound>, heard: Heard, limit: usize) -> Next {
    match heard {
        Heard::Frame(text) => {
            place.send(Inbound::Frame(text));
            Next::Open
        }
        Heard::Sign => Next::Open,
        Heard::TooLong => {
            place.send(Inbound::TooLong { limit });
            Next::Deaf(CloseCode::Size)
        }
        Heard::Wrong(code) => Next::Over(code),
        Heard::Goodbye => Next::Over(CloseCode::Normal),
        Heard::Gone => Next::Gone,
    }
}

async fn write<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<S>,
    batch: &mut Vec<String>,
) -> Result<(), Error> {
    for frame in batch.drain(..) {
        socket.feed(Message::text(frame)).await?;
    }
    socket.flush().await
}

/// What the client sends next, once there is a place for it. Nothing is lost when the future is dropped.
async fn read<'a, S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<S>,
    inbound: Option<&'a mpsc::Sender<Inbound>>,
) -> (mpsc::Permit<'a, Inbound>, Heard) {
    let Some(inbound) = inbound else { return std::future::pending().await };
    let Ok(place) = inbound.reserve().await else {
        // It is over, and what is left to say is on its way.
        return std::future::pending().await;
    };
    let heard = match socket.next().await {
        Some(Ok(Message::Text(text))) => Heard::Frame(text.as_str().to_owned()),
        Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Heard::Sign,
        Some(Ok(Message::Binary(_))) => Heard::Wrong(CloseCode::Unsupported),
        Some(Err(Error::Capacity(_))) => Heard::TooLong,
        Some(Err(Error::Utf8(_))) => Heard::Wrong(CloseCode::Invalid),
        Some(Err(Error::Protocol(_))) => Heard::Wrong(CloseCode::Protocol),
        Some(Ok(Message::Close(_))) => Heard::Goodbye,
        Some(Err(_)) | None => Heard::Gone,
    };
    (place, heard)
}

#[cfg(test)]
mod tests {
    use tokio::io::{DuplexStream, duplex};

    use super::*;

    const LIMIT: usize = 1024;

    async fn end(stream: DuplexStream, role: Role) -> WebSocketStream<DuplexStream> {
        WebSocketStream::from_raw_socket(stream, role, None).await
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_say_that_it_is_there_is_taken_to_be_gone() {
        let (ours, theirs) = duplex(LIMIT);
        let (_transport, line) = transport::channel(1);
        let begun = Instant::now();
        pump(end(ours, Role::Server).await, line, LIMIT).await;
        assert_eq!(begun.elapsed().as_secs(), 2 * PING.as_secs());
        drop(theirs);
    }

    #[tokio::test(start_paused = true)]
    async fn who_says_that_it_is_there_may_stay() {
        let (ours, theirs) = duplex(LIMIT);
        let (_transport, line) = transport::channel(1);
        let mut theirs = end(theirs, Role::Client).await;
        // Whoever reads answers when it is asked.
        tokio::spawn(async move { while theirs.next().await.is_some() {} });
        let ended = timeout(20 * PING, pump(end(ours, Role::Server).await, line, LIMIT)).await;
        assert!(ended.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_goodbye_is_returned() {
        let (ours, theirs) = duplex(LIMIT);
        let (_transport, line) = transport::channel(1);
        let mut theirs = end(theirs, Role::Client).await;
        let server = tokio::spawn(pump(end(ours, Role::Server).await, line, LIMIT));
        theirs.close(Some(CloseFrame { code: CloseCode::Normal, reason: "".into() })).await.expect("sent");
        let answer = theirs.next().await;
        let Some(Ok(Message::Close(Some(close)))) = answer else { panic!("no goodbye: {answer:?}") };
        assert_eq!(close.code, CloseCode::Normal);
        server.await.expect("no panic");
    }
}
