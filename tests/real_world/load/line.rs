//! A client on the daemon's socket: one JSON object a line.

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;

use super::served::PATIENCE;

pub struct Line {
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    last_id: u64,
    /// The parameters of the events so far.
    pub events: Vec<Value>,
}

impl Line {
    pub fn new(stream: UnixStream) -> Self {
        let (reader, writer) = stream.into_split();
        Self { reader: BufReader::new(reader), writer, last_id: 0, events: Vec::new() }
    }

    /// The result.
    pub async fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.send(method, params).await;
        self.answer(id).await
    }

    /// The id of the request.
    pub async fn send(&mut self, method: &str, params: Value) -> u64 {
        self.last_id += 1;
        let frame = json!({"jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params});
        self.writer.write_all(format!("{frame}\n").as_bytes()).await.expect("the daemon listens");
        self.last_id
    }

    pub async fn answer(&mut self, id: u64) -> Value {
        loop {
            let mut frame = self.next().await.expect("the daemon is there");
            if frame["id"] == id {
                assert!(frame["error"].is_null(), "{frame}");
                return frame["result"].take();
            }
        }
    }

    /// Until there is an event of this kind.
    pub async fn until(&mut self, kind: &str) {
        while self.events.iter().all(|params| params["event"]["kind"] != kind) {
            self.next().await.expect("the daemon is there");
        }
    }

    /// The next frame, kept if it is an event; none at the end.
    pub async fn next(&mut self) -> Option<Value> {
        let mut line = String::new();
        let read = timeout(PATIENCE, self.reader.read_line(&mut line)).await.expect("something in time");
        if read.expect("it can be read") == 0 || !line.ends_with('\n') {
            return None;
        }
        let mut frame: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line:?}: {error}"));
        if frame["method"] == "conductor.event" {
            self.events.push(frame["params"].take());
        }
        Some(frame)
    }
}
