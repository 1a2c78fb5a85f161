//! A connection to an app-server without anything between, that does as little as it can.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Message, WebSocket, client};

const PATIENCE: Duration = Duration::from_secs(60);

pub trait Stream: Read + Write + Send {}

impl<T: Read + Write + Send> Stream for T {}

pub struct Connection {
    socket: WebSocket<Box<dyn Stream>>,
    last_id: u64,
    /// What came while something else was waited for.
    heard: VecDeque<Value>,
}

impl Connection {
    pub fn to_port(address: SocketAddr, token: Option<&str>) -> Self {
        let stream = TcpStream::connect(address).expect("it listens");
        stream.set_nodelay(true).expect("a socket");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        Self::over(Box::new(stream), token)
    }

    pub fn to_socket(path: &Path) -> Self {
        let stream = UnixStream::connect(path).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        Self::over(Box::new(stream), None)
    }

    fn over(stream: Box<dyn Stream>, token: Option<&str>) -> Self {
        let mut request = "ws://localhost/".into_client_request().expect("a request");
        if let Some(token) = token {
            let value = format!("Bearer {token}").parse().expect("a header");
            request.headers_mut().insert("authorization", value);
        }
        let (socket, _) = client(request, stream).expect("a websocket");
        let mut connection = Self { socket, last_id: 0, heard: VecDeque::new() };
        let client = json!({"name": "direct", "version": "0"});
        let params = json!({"clientInfo": client, "capabilities": {"experimentalApi": true}});
        connection.ask("initialize", params).expect("it is initialised");
        connection.write(&json!({"method": "initialized"}));
        connection
    }

    /// The result, or the error object.
    pub fn ask(&mut self, method: &str, params: Value) -> Result<Value, Value> {
        self.last_id += 1;
        self.write(&json!({"id": self.last_id, "method": method, "params": params}));
        loop {
            let frame = self.read();
            if frame["method"].is_null() && frame["id"] == self.last_id {
                return if frame["error"].is_null() {
                    Ok(frame["result"].clone())
                } else {
                    Err(frame["error"].clone())
                };
            }
            self.heard.push_back(frame);
        }
    }

    pub fn answer(&mut self, request: &Value, result: Value) {
        self.write(&json!({"id": request["id"], "result": result}));
    }

    /// The next notification or request of this kind; those before it are passed over.
    pub fn wait_for(&mut self, method: &str) -> Value {
        loop {
            let frame = self.heard.pop_front().unwrap_or_else(|| self.read());
            if frame["method"] == method {
                return frame;
            }
        }
    }

    /// The id of a new thread.
    pub fn start_thread(&mut self, params: Value) -> String {
        let result = self.ask("thread/start", params).expect("a thread");
        result["thread"]["id"].as_str().expect("an id").to_owned()
    }

    pub fn start_turn(&mut self, thread: &str, text: &str) -> Value {
        let input = json!([{"type": "text", "text": text, "text_elements": []}]);
        self.ask("turn/start", json!({"threadId": thread, "input": input})).expect("a turn")
    }

    fn write(&mut self, frame: &Value) {
        self.socket.send(Message::text(frame.to_string())).expect("it listens");
    }

    fn read(&mut self) -> Value {
        loop {
            let message = self.socket.read().expect("it says something in time");
            if let Message::Text(text) = message {
                return serde_json::from_str(&text).expect("JSON");
            }
        }
    }
}
