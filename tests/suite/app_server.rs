//! A stand-in for a Codex app-server: the handshake of 0.169.0 over a WebSocket, and answers that a test gives. It
//! remembers what it was told, and can speak unasked, hang up and be gone.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, mpsc};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_tungstenite::accept_async;
use tokio_tungstenite::tungstenite::Message;

/// A test that waits longer hangs.
const PATIENCE: Duration = Duration::from_secs(20);
/// Frames that a test has not looked at; of more it does not hear.
const HEARD: usize = 10_000;

/// What a request is answered with: the text of a `result` or an `error`, or nothing at all.
pub enum Reply {
    Result(String),
    Error(String),
    Silence,
    /// And what it says right afterwards.
    Then(String, Vec<Value>),
}

type Answers = Arc<dyn Fn(&str, &Value) -> Reply + Send + Sync>;

#[derive(Clone)]
enum Order {
    Say(String),
    HangUp,
}

pub struct AppServer {
    pub url: String,
    address: std::net::SocketAddr,
    answers: Answers,
    orders: broadcast::Sender<Order>,
    heard: mpsc::Receiver<String>,
    sender: mpsc::Sender<String>,
    listening: JoinHandle<()>,
}

impl AppServer {
    /// One that answers every request with an empty object, but for those that `answers` knows.
    pub async fn start(answers: impl Fn(&str, &Value) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (sender, heard) = mpsc::channel(HEARD);
        let orders = broadcast::channel(100_000).0;
        let answers: Answers = Arc::new(answers);
        let listening = tokio::spawn(listen(listener, answers.clone(), orders.clone(), sender.clone()));
        Self { url: format!("ws://{address}"), address, answers, orders, heard, sender, listening }
    }

    /// To every connection, as it is.
    pub fn say(&self, frame: impl ToString) {
        // There may be no connection.
        let _ = self.orders.send(Order::Say(frame.to_string()));
    }

    pub fn notify(&self, method: &str, params: Value) {
        self.say(json!({ "method": method, "params": params, "emittedAtMs": 1 }));
    }

    pub fn ask(&self, id: impl Into<Value>, method: &str, params: Value) {
        self.say(json!({ "method": method, "id": id.into(), "params": params }));
    }

    /// All connections break; it goes on listening.
    pub fn hang_up(&self) {
        let _ = self.orders.send(Order::HangUp);
    }

    /// It is gone, until it comes back.
    pub async fn go(&mut self) {
        self.listening.abort();
        let _ = (&mut self.listening).await;
        self.hang_up();
    }

    pub async fn come_back(&mut self) {
        let listener = TcpListener::bind(self.address).await.expect("its port again");
        self.listening = tokio::spawn(listen(listener, self.answers.clone(), self.orders.clone(), self.sender.clone()));
    }

    /// The next frame of this method that a client sends or has sent, text and all.
    pub async fn until(&mut self, method: &str) -> (Value, String) {
        self.until_frame(|frame| frame["method"] == method).await
    }

    /// The next frame, whatever it is.
    pub async fn next(&mut self) -> Value {
        self.until_frame(|_| true).await.0
    }

    /// The next of what clients have said by now.
    pub fn heard_so_far(&mut self) -> Option<Value> {
        let text = self.heard.try_recv().ok()?;
        Some(serde_json::from_str(&text).expect("JSON"))
    }

    /// The answer to what was asked under this id.
    pub async fn answer(&mut self, id: impl Into<Value>) -> Value {
        let id = id.into();
        self.until_frame(|frame| frame["id"] == id && frame.get("method").is_none()).await.0
    }

    async fn until_frame(&mut self, wanted: impl Fn(&Value) -> bool) -> (Value, String) {
        loop {
            let text = timeout(PATIENCE, self.heard.recv()).await.expect("a client says something in time");
            let text = text.expect("the server holds a sender itself");
            let frame: Value = serde_json::from_str(&text).expect("JSON");
            if wanted(&frame) {
                return (frame, text);
            }
        }
    }
}

impl Drop for AppServer {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn listen(
    listener: TcpListener,
    answers: Answers,
    orders: broadcast::Sender<Order>,
    heard: mpsc::Sender<String>,
) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(converse(stream, answers.clone(), orders.subscribe(), heard.clone()));
    }
}

async fn converse(
    stream: TcpStream,
    answers: Answers,
    mut orders: broadcast::Receiver<Order>,
    heard: mpsc::Sender<String>,
) {
    let Ok(mut socket) = accept_async(stream).await else { return };
    loop {
        let texts = tokio::select! {
            order = orders.recv() => match order.expect("no test says more than there is room for") {
                Order::Say(text) => vec![text],
                Order::HangUp => return,
            },
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => {
                    let answer = answer(&text, &answers);
                    // A test that is over hears nothing.
                    let _ = heard.try_send(text.to_string());
                    answer
                }
                Some(Ok(_)) => continue,
                Some(Err(_)) | None => return,
            },
        };
        for text in texts {
            if socket.send(Message::Text(text.into())).await.is_err() {
                return;
            }
        }
    }
}

/// As the server writes it: no `jsonrpc`, and the error goes before the id.
fn answer(text: &str, answers: &Answers) -> Vec<String> {
    let frame: Value = serde_json::from_str(text).expect("JSON");
    let (Some(method), Some(id)) = (frame["method"].as_str(), frame.get("id")) else { return Vec::new() };
    if method == "initialize" {
        let result = json!({
            "userAgent": "open-think/0.169.0 (Debian 12.0.0; x86_64) unknown (open-think; 0.1.0)",
            "codexHome": "/home/user/.codex", "platformFamily": "unix", "platformOs": "linux",
        });
        return vec![json!({ "id": id, "result": result }).to_string()];
    }
    match answers(method, &frame["params"]) {
        Reply::Result(result) => vec![format!(r#"{{"id":{id},"result":{result}}}"#)],
        Reply::Error(error) => vec![format!(r#"{{"error":{error},"id":{id}}}"#)],
        Reply::Silence => Vec::new(),
        Reply::Then(result, said) => {
            let result = format!(r#"{{"id":{id},"result":{result}}}"#);
            [result].into_iter().chain(said.iter().map(Value::to_string)).collect()
        }
    }
}
