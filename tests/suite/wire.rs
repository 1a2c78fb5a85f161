//! The client's end of a connection: frames in and out over any pair of byte streams.

use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use open_think::daemon::Daemon;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// A test that waits longer hangs.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Framing {
    Lines,
    Headers,
}

impl Framing {
    pub fn encode(self, frame: &str) -> String {
        match self {
            Self::Lines => format!("{frame}\n"),
            Self::Headers => format!("Content-Length: {}\r\n\r\n{frame}", frame.len()),
        }
    }
}

pub struct Wire {
    reader: BufReader<Box<dyn AsyncRead + Send + Unpin>>,
    writer: Option<Box<dyn AsyncWrite + Send + Unpin>>,
    framing: Framing,
    /// Bytes written at a time.
    chunk: usize,
    last_id: u64,
    process: Option<Child>,
    /// What came while something else was waited for.
    pub seen: Vec<Value>,
}

impl Wire {
    pub fn connect(daemon: &Arc<Daemon>, framing: Framing) -> Self {
        let (reader, writer) = tokio::io::split(daemon.connect());
        Self::new(Box::new(reader), Box::new(writer), framing)
    }

    /// Each line as a text frame of its own, in both directions.
    pub fn over_websocket<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(socket: WebSocketStream<S>) -> Self {
        let (ours, theirs) = tokio::io::duplex(1 << 20);
        let (reader, mut writer) = tokio::io::split(theirs);
        let (mut sink, mut stream) = socket.split();
        tokio::spawn(async move {
            let mut lines = BufReader::new(reader).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                if sink.send(Message::text(line)).await.is_err() {
                    return;
                }
            }
            // A daemon that has hung up needs no goodbye.
            let _ = sink.close().await;
        });
        tokio::spawn(async move {
            while let Some(Ok(message)) = stream.next().await {
                let Message::Text(text) = message else { continue };
                if writer.write_all(format!("{text}\n").as_bytes()).await.is_err() {
                    return;
                }
            }
            // The other task holds the other half.
            let _ = writer.shutdown().await;
        });
        let (reader, writer) = tokio::io::split(ours);
        Self::new(Box::new(reader), Box::new(writer), Framing::Lines)
    }

    pub fn spawn(mut program: Command, framing: Framing) -> Self {
        let mut process = program
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let reader = process.stdout.take().expect("its output is piped");
        let writer = process.stdin.take().expect("its input is piped");
        let mut wire = Self::new(Box::new(reader), Box::new(writer), framing);
        wire.process = Some(process);
        wire
    }

    pub fn new(
        reader: Box<dyn AsyncRead + Send + Unpin>,
        writer: Box<dyn AsyncWrite + Send + Unpin>,
        framing: Framing,
    ) -> Self {
        Self {
            reader: BufReader::new(reader),
            writer: Some(writer),
            framing,
            chunk: usize::MAX,
            last_id: 0,
            process: None,
            seen: Vec::new(),
        }
    }

    pub fn in_chunks(mut self, chunk: usize) -> Self {
        self.chunk = chunk;
        self
    }

    /// One frame, whatever is in it.
    pub async fn write(&mut self, frame: &str) {
        self.write_raw(self.framing.encode(frame).as_bytes()).await;
    }

    pub async fn write_raw(&mut self, bytes: &[u8]) {
        let writer = self.writer.as_mut().expect("its input is open");
        for chunk in bytes.chunks(self.chunk) {
            // A daemon that has hung up says why by what it wrote before.
            if writer.write_all(chunk).await.is_err() {
                return;
            }
            let _ = writer.flush().await;
        }
    }

    /// The next frame; none at the end.
    pub async fn read(&mut self) -> Option<Value> {
        timeout(PATIENCE, self.read_now()).await.expect("the daemon says something in time")
    }

    /// The same as it was written, with nothing checked.
    pub async fn read_text(&mut self) -> Option<String> {
        timeout(PATIENCE, self.read_text_now()).await.expect("the daemon says something in time")
    }

    async fn read_now(&mut self) -> Option<Value> {
        let text = self.read_text_now().await?;
        let frame: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
        check_form(&frame);
        Some(frame)
    }

    async fn read_text_now(&mut self) -> Option<String> {
        let mut line = String::new();
        if self.reader.read_line(&mut line).await.expect("the daemon's output can be read") == 0 {
            return None;
        }
        Some(match self.framing {
            Framing::Lines => line,
            Framing::Headers => {
                let length = line.strip_prefix("Content-Length: ").and_then(|rest| rest.strip_suffix("\r\n"));
                let length: usize = length.and_then(|length| length.parse().ok()).expect("a length");
                let mut body = vec![0; length + 2];
                self.reader.read_exact(&mut body).await.expect("a whole frame");
                let body = body.strip_prefix(b"\r\n").expect("the end of the headers");
                String::from_utf8(body.to_vec()).expect("UTF-8")
            }
        })
    }

    /// The id of the request.
    pub async fn send(&mut self, method: &str, params: Value) -> u64 {
        self.last_id += 1;
        let id = self.last_id;
        self.write(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string()).await;
        id
    }

    pub async fn notify(&mut self, method: &str, params: Value) {
        self.write(&json!({"jsonrpc": "2.0", "method": method, "params": params}).to_string()).await;
    }

    /// The result, or the error object.
    pub async fn ask(&mut self, method: &str, params: Value) -> Result<Value, Value> {
        let id = self.send(method, params).await;
        self.answer(id).await
    }

    pub async fn answer(&mut self, id: u64) -> Result<Value, Value> {
        let is_answer = |frame: &Value| frame["id"] == id && frame.get("method").is_none();
        let frame = self.until(is_answer).await;
        match frame.get("error") {
            Some(error) => Err(error.clone()),
            None => Ok(frame["result"].clone()),
        }
    }

    /// The first frame that is asked for; those before it are kept in `seen`.
    pub async fn until(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.seen.iter().position(&wanted) {
            return self.seen.remove(at);
        }
        loop {
            let frame = self.read().await.unwrap_or_else(|| panic!("the daemon hung up after {:?}", self.seen));
            if wanted(&frame) {
                return frame;
            }
            self.seen.push(frame);
        }
    }

    /// Waits for an event of this kind, and keeps it.
    pub async fn until_event(&mut self, kind: &str) -> Value {
        let frame = self.until(|frame| frame["params"]["event"]["kind"] == kind).await;
        self.seen.push(frame.clone());
        frame["params"].clone()
    }

    /// The events of a session so far.
    pub fn events(&self, session: &str) -> Vec<Value> {
        let own = |frame: &&Value| frame["method"] == "conductor.event" && frame["params"]["sessionName"] == session;
        self.seen.iter().filter(own).map(|frame| frame["params"].clone()).collect()
    }

    pub async fn initialize(&mut self, capabilities: Value) {
        self.ask("initialize", json!({"capabilities": capabilities})).await.expect("a welcome");
        self.notify("initialized", json!({})).await;
    }

    /// Ends the input, without waiting for what may still come.
    pub async fn end_input(&mut self) {
        if let Some(mut writer) = self.writer.take() {
            // A daemon that is gone has ended it already.
            let _ = writer.shutdown().await;
        }
    }

    /// All that comes until the end.
    pub async fn rest(&mut self) -> Vec<Value> {
        self.end_input().await;
        let mut frames = std::mem::take(&mut self.seen);
        while let Some(frame) = self.read().await {
            frames.push(frame);
        }
        frames
    }

    /// How the process ended, and what it said on standard error.
    pub async fn exit(mut self) -> (ExitStatus, String) {
        self.rest().await;
        let process = self.process.take().expect("a process");
        let output = timeout(PATIENCE, process.wait_with_output()).await.expect("it ends in time");
        let output = output.expect("it can be waited for");
        (output.status, String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// The same, with nothing read meanwhile.
    pub async fn ended(mut self) -> (ExitStatus, String) {
        let mut process = self.process.take().expect("a process");
        let status = timeout(PATIENCE, process.wait()).await.expect("it ends in time").expect("a status");
        let mut said = String::new();
        let mut stderr = process.stderr.take().expect("it is piped");
        stderr.read_to_string(&mut said).await.expect("text");
        (status, said)
    }

    pub fn signal(&self, signal: Signal) {
        let pid = self.process.as_ref().and_then(Child::id).expect("a process");
        kill(Pid::from_raw(i32::try_from(pid).expect("a process id")), signal).expect("it lives");
    }

    /// No chance to write anything: SIGKILL.
    pub async fn kill(mut self) {
        self.process.as_mut().expect("a process").kill().await.expect("it can be killed");
    }
}

/// What holds for every frame that we send.
#[track_caller]
pub fn check_form(frame: &Value) {
    let members: Vec<&str> = frame.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(frame["jsonrpc"], "2.0", "{frame}");
    match members.as_slice() {
        ["jsonrpc", "id", "result"] => assert!(!frame["id"].is_null(), "{frame}"),
        ["jsonrpc", "id", "error"] => check_error(&frame["error"]),
        ["jsonrpc", "id", "method", "params"] => {
            let short = frame["id"].as_str().is_some_and(|id| (1..20).contains(&id.len()));
            assert!(short && frame["params"].is_object(), "{frame}");
        }
        ["jsonrpc", "method", "params"] => assert!(frame["params"].is_object(), "{frame}"),
        _ => panic!("not a frame of ours: {frame}"),
    }
    let inside = ["result", "error", "params"].iter().filter_map(|member| frame.get(member));
    walk(inside, &|value| assert!(value.get("jsonrpc").is_none(), "some clients take this for a message: {value}"));
}

/// Some clients keep numbers as floats. Ids are their own, and so is what is passed on.
#[track_caller]
pub fn check_numbers(frame: &Value) {
    const EXACT: u64 = 1 << 53;
    let inside = ["result", "error", "params"].iter().filter_map(|member| frame.get(member));
    walk(inside, &|value| {
        let exact = value.as_i64().is_some_and(|number| number.unsigned_abs() <= EXACT);
        assert!(!value.is_number() || value.is_f64() || exact, "{value} comes as another number: {frame}");
    });
}

fn walk<'a>(values: impl Iterator<Item = &'a Value>, check: &dyn Fn(&Value)) {
    let mut left: Vec<&Value> = values.collect();
    while let Some(value) = left.pop() {
        check(value);
        left.extend(value.as_array().into_iter().flatten());
        left.extend(value.as_object().into_iter().flat_map(|members| members.values()));
    }
}

#[track_caller]
fn check_error(error: &Value) {
    let data = &error["data"];
    assert!(error["code"].is_i64(), "{error}");
    assert!(error["message"].as_str().is_some_and(|message| message.len() > 10), "{error}");
    assert!(data["code"].as_str().is_some_and(|code| code.starts_with("E_")), "{error}");
    assert!(data["retryable"].is_boolean() && data["requestId"].is_string(), "{error}");
}
