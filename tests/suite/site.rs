//! A daemon that listens for HTTP on a port of its own, and plain requests to it.

use std::sync::Arc;
use std::time::Duration;

use open_think::config::Listen;
use open_think::daemon::Daemon;
use open_think::http;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::home::Home;

/// A test that waits longer hangs.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct Site {
    pub home: Home,
    pub daemon: Arc<Daemon>,
    /// `127.0.0.1:PORT`.
    pub address: String,
    pub token: String,
    serving: JoinHandle<()>,
}

pub struct Reply {
    pub status: u16,
    /// In lower case.
    pub head: String,
    pub body: String,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        Self { status, head: head.to_ascii_lowercase(), body: unchunked(head, body) }
    }
}

fn unchunked(head: &str, body: &str) -> String {
    if !head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
        return body.to_owned();
    }
    let (mut whole, mut rest) = (String::new(), body);
    while let Some((length, after)) = rest.split_once("\r\n") {
        let length = usize::from_str_radix(length.trim(), 16).expect("a length");
        if length == 0 {
            break;
        }
        whole.push_str(&after[..length]);
        rest = &after[length + 2..];
    }
    whole
}

impl Site {
    /// `tables` stand before the skills in the configuration.
    pub async fn start(tables: &str) -> Self {
        Self::at(Home::with(tables)).await
    }

    pub async fn at(home: Home) -> Self {
        let listen: Listen = "http://127.0.0.1:0".parse().expect("an address");
        let opened = http::open(&home.config(), listen).await.expect("it listens");
        let address = opened.url.trim_start_matches("http://").to_owned();
        let token = std::fs::read_to_string(&opened.token_file).expect("a token").trim().to_owned();
        let daemon = home.daemon().await;
        let serving = tokio::spawn(Arc::clone(&daemon).serve_http(opened));
        Self { home, daemon, address, token, serving }
    }

    pub fn bearer(&self) -> String {
        format!("Authorization: Bearer {}", self.token)
    }

    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(&self.address).await.expect("it listens")
    }

    /// The request as it is given, with nothing added but the end of the head and the length of the body.
    pub async fn raw(&self, line: &str, headers: &[&str], body: &str) -> Reply {
        let mut stream = self.connect().await;
        let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
        let length = if body.is_empty() { String::new() } else { format!("content-length: {}\r\n", body.len()) };
        let request = format!("{line} HTTP/1.1\r\n{headers}{length}connection: close\r\n\r\n{body}");
        // It may be refused before it is read.
        let _ = stream.write_all(request.as_bytes()).await;
        read(stream).await
    }

    /// With the token and the right host.
    pub async fn send(&self, line: &str, body: &str) -> Reply {
        self.raw(line, &[&format!("Host: {}", self.address), &self.bearer()], body).await
    }

    /// The `data`, where all went well.
    pub async fn data(&self, line: &str, body: Value) -> Value {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let reply = self.send(line, &body).await;
        let answer = reply.json();
        assert!(reply.status == 200 && answer["ok"] == true, "{line}: {} {answer}", reply.status);
        answer["data"].clone()
    }

    pub async fn socket(&self) -> WebSocketStream<TcpStream> {
        let mut request = format!("ws://{}/rpc", self.address).into_client_request().expect("a request");
        let bearer = HeaderValue::try_from(format!("Bearer {}", self.token)).expect("a header");
        request.headers_mut().insert("authorization", bearer);
        client_async(request, self.connect().await).await.expect("it is a WebSocket").0
    }

    pub async fn stop(self) {
        self.daemon.stop().await;
        timeout(PATIENCE, self.serving).await.expect("it ends in time").expect("no panic");
    }
}

/// All that comes.
pub async fn read(mut stream: TcpStream) -> Reply {
    let mut bytes = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("an answer in time");
    // A connection that is reset has said what it said.
    if let Err(error) = read {
        assert!(!bytes.is_empty(), "{error}");
    }
    Reply::parse(&bytes)
}
