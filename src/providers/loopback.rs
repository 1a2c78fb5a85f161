//! A server on this machine for tests: it plays a script of answers, one a request, and remembers what it was asked.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::OwnedReadHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use url::Url;

use super::http::Http;
use crate::config;
use crate::policy::{HostPolicy, Redactor};

#[derive(Clone)]
pub(crate) struct Answer {
    bytes: Vec<u8>,
    then: Then,
}

#[derive(Clone, Copy, PartialEq)]
enum Then {
    /// Wait for the next request on this connection.
    KeepAlive,
    Close,
    /// Say nothing more, until the other side hangs up.
    Hold,
}

pub(crate) struct Loopback {
    pub(crate) url: Url,
    asked: Arc<Mutex<Vec<String>>>,
    connections: Arc<Mutex<usize>>,
    hung_up: watch::Receiver<bool>,
}

impl Answer {
    pub(crate) fn json(status: u16, headers: &str, body: &str) -> Self {
        Self::whole(status, &format!("content-type: application/json\r\n{headers}"), body)
    }

    pub(crate) fn whole(status: u16, headers: &str, body: &str) -> Self {
        let bytes = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len());
        Self { bytes: bytes.into_bytes(), then: Then::KeepAlive }
    }

    /// One that ends with the connection.
    pub(crate) fn encoded(status: u16, encoding: &str, body: &[u8]) -> Self {
        let head = format!("HTTP/1.1 {status} X\r\ncontent-encoding: {encoding}\r\nconnection: close\r\n\r\n");
        Self { bytes: [head.as_bytes(), body].concat(), then: Then::Close }
    }

    /// A stream that ends with the connection.
    pub(crate) fn events(body: &str) -> Self {
        let bytes = format!("HTTP/1.1 200 X\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n{body}");
        Self { bytes: bytes.into_bytes(), then: Then::Close }
    }

    pub(crate) fn raw(bytes: &str) -> Self {
        Self { bytes: bytes.as_bytes().to_vec(), then: Then::Close }
    }

    pub(crate) fn then_hold(mut self) -> Self {
        self.then = Then::Hold;
        self
    }
}

impl Loopback {
    /// The last answer is given again and again.
    pub(crate) async fn start(script: Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
        let (asked, connections) = (Arc::<Mutex<Vec<String>>>::default(), Arc::<Mutex<usize>>::default());
        let (hang_up, hung_up) = watch::channel(false);
        let (log, count) = (asked.clone(), connections.clone());
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                *count.lock().unwrap() += 1;
                tokio::spawn(converse(stream, script.clone(), log.clone(), hang_up.clone()));
            }
        });
        Self { url, asked, connections, hung_up }
    }

    /// Head and body of each request.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) fn connections(&self) -> usize {
        *self.connections.lock().unwrap()
    }

    pub(crate) async fn hung_up(&mut self) {
        self.hung_up.wait_for(|hung_up| *hung_up).await.unwrap();
    }
}

async fn converse(stream: TcpStream, script: Vec<Answer>, log: Arc<Mutex<Vec<String>>>, hang_up: watch::Sender<bool>) {
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    while let Some(request) = next_request(&mut read).await {
        let turn = {
            let mut log = log.lock().unwrap();
            log.push(request);
            log.len() - 1
        };
        let answer = &script[turn.min(script.len() - 1)];
        if write.write_all(&answer.bytes).await.is_err() {
            break;
        }
        match answer.then {
            Then::KeepAlive => {}
            Then::Close => return,
            Then::Hold => {
                // Ends with the connection.
                let _ = read.read_to_end(&mut Vec::new()).await;
                hang_up.send_replace(true);
                return;
            }
        }
    }
}

async fn next_request(read: &mut BufReader<OwnedReadHalf>) -> Option<String> {
    let mut text = String::new();
    let mut length = 0;
    loop {
        let from = text.len();
        if read.read_line(&mut text).await.ok()? == 0 {
            return None;
        }
        let line = text[from..].trim().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    read.read_exact(&mut body).await.ok()?;
    text.push_str(&String::from_utf8_lossy(&body));
    Some(text)
}

/// A client that may speak to these servers.
pub(crate) fn http(servers: &[&Loopback], settings: config::Http) -> Http {
    let host = |server: &&Loopback| format!("127.0.0.1:{}", server.url.port().unwrap()).parse().unwrap();
    let policy = HostPolicy::new(servers.iter().map(host).collect());
    Http::new(policy, settings, Redactor::new(["sk-secret-1".to_owned()]))
}
