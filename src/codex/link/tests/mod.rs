//! The link against peers that stand where an app-server would: a polite one, made of what was recorded of the real
//! one, and others that are anything but.

mod child;
mod faults;
mod hostile;
mod life;
mod limits;
mod shims;
mod sockets;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, SinkExt, StreamExt};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::io::{AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, accept_async};

use super::socket::{Bytestream, Socket};
use super::state::Limits;
use super::way::{Line, Way};
use super::{Fault, Heard, Link, Listener, State};
use crate::policy::Redactor;

const TIMEOUT: Duration = Duration::from_secs(30);

/// A link, and what its user and its peers see of it.
struct Bench {
    link: Link,
    heard: mpsc::Receiver<Heard>,
    /// The other ends of the connections that it makes.
    connections: mpsc::Receiver<DuplexStream>,
}

impl Bench {
    fn new() -> Self {
        let (connects, connections) = mpsc::channel(16);
        let (listens, heard) = mpsc::channel(4096);
        let redactor = Redactor::new(["sk-secret-1".to_owned()]);
        let link = Link::over(Box::new(Wire(connects)), Limits::default(), TIMEOUT, redactor, Arc::new(Ear(listens)));
        Self { link, heard, connections }
    }

    /// One that is ready, and the server at its other end.
    async fn ready() -> (Self, Server) {
        let mut bench = Self::new();
        bench.link.wake();
        let server = bench.server().await;
        bench.until(State::Ready).await;
        (bench, server)
    }

    /// Serves the next connection politely.
    async fn server(&mut self) -> Server {
        let mut server = self.peer().await;
        server.greet().await;
        server
    }

    /// Upgrades the next connection, and no more.
    async fn peer(&mut self) -> Server {
        Server(accept_async(self.connection().await).await.unwrap())
    }

    async fn connection(&mut self) -> DuplexStream {
        self.connections.recv().await.unwrap()
    }

    async fn until(&self, state: State) {
        self.link.changes().wait_for(|now| *now == state).await.unwrap();
    }

    /// The next thing that the listener hears, in short.
    async fn heard(&mut self) -> String {
        match self.heard.recv().await.unwrap() {
            Heard::Up(server) => format!("up {}", server.version.as_deref().unwrap_or("?")),
            Heard::Down(fault) => format!("down {}", fault.kind.as_str()),
            Heard::Notification { method, params } => format!("{method} {params}"),
            Heard::Request { id, method, params } => format!("{id} {method} {params}"),
        }
    }

    /// Asks in a task of its own; gives the answer, or what is wrong, as text.
    fn ask(&self, method: &str) -> tokio::task::JoinHandle<Result<String, String>> {
        let (link, method) = (self.link.clone(), method.to_owned());
        tokio::spawn(async move {
            let answer = link.request(&method, &raw("{}"), None).await;
            answer.map(|result| result.get().to_owned()).map_err(|error| error.to_string())
        })
    }

    fn fault(&self) -> Arc<Fault> {
        self.link.status().fault.expect("a fault")
    }
}

fn raw(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).unwrap()
}

/// Drops what the test does not take.
struct Ear(mpsc::Sender<Heard>);

impl Listener for Ear {
    fn hear(&self, heard: Heard) {
        let _ = self.0.try_send(heard);
    }
}

/// A link whose connections come out of a channel, for tests of what goes over it.
pub(in crate::codex) fn served(connects: mpsc::Sender<DuplexStream>, listener: Arc<dyn Listener>) -> Link {
    Link::over(Box::new(Wire(connects)), Limits::default(), TIMEOUT, Redactor::default(), listener)
}

struct Wire(mpsc::Sender<DuplexStream>);

impl Way for Wire {
    fn connect(&self) -> BoxFuture<'static, Result<Box<dyn Bytestream>, Fault>> {
        let connects = self.0.clone();
        async move {
            let (ours, theirs) = duplex(64 * 1024);
            connects.send(theirs).await.unwrap();
            Ok(Box::new(ours) as Box<dyn Bytestream>)
        }
        .boxed()
    }

    fn upgrade(&self, stream: Box<dyn Bytestream>) -> BoxFuture<'static, Result<Line, Fault>> {
        async move { Ok(Line::Socket(Box::new(Socket::upgrade(stream, "ws://localhost/", None).await?))) }.boxed()
    }
}

struct Server<S = DuplexStream>(WebSocketStream<S>);

impl<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin> Server<S> {
    /// The greeting of version 0.169.0.
    async fn greet(&mut self) {
        let initialize = self.next().await;
        assert_eq!(initialize["method"], "initialize");
        self.answer(&initialize, greeting("0.169.0")).await;
        assert_eq!(self.next().await["method"], "initialized");
        self.say(&json!({ "method": "remoteControl/status/changed", "params": { "status": "disabled" } })).await;
    }

    /// The next message; pings are answered meanwhile.
    async fn next(&mut self) -> Value {
        serde_json::from_str(&self.text().await.expect("a message")).unwrap()
    }

    /// None once the connection has ended.
    async fn text(&mut self) -> Option<String> {
        loop {
            match self.0.next().await? {
                Ok(Message::Text(text)) => return Some(text.to_string()),
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    async fn say(&mut self, message: &Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }

    async fn answer(&mut self, request: &Value, result: Value) {
        self.say(&json!({ "id": request["id"], "result": result })).await;
    }

    /// Answers the next request, which has to be this one.
    async fn serve(&mut self, method: &str, result: Value) {
        let request = self.next().await;
        assert_eq!(request["method"], method);
        self.answer(&request, result).await;
    }

    async fn bytes(&mut self, bytes: &[u8])
    where
        S: Send,
    {
        self.0.get_mut().write_all(bytes).await.unwrap();
    }
}

fn greeting(version: &str) -> Value {
    json!({
        "userAgent": format!("open-think/{version} (Debian 12.0.0; x86_64) unknown (open-think; 0.1.0)"),
        "codexHome": "/home/u/.codex",
        "platformFamily": "unix",
        "platformOs": "linux",
    })
}
