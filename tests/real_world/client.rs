//! A client over newline-delimited JSON, for tests whose point is the upstream or the state and not the client.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(60);

pub struct Client {
    process: Child,
    frames: Receiver<Value>,
    last_id: u64,
    /// What was answered so far, and of that what nobody has waited for yet.
    answered: HashSet<u64>,
    answers: HashMap<u64, Value>,
    /// The `conductor.event` notifications so far.
    pub events: Vec<Value>,
    /// Everything else that the daemon said by itself and nobody has waited for yet.
    notices: VecDeque<Value>,
}

impl Client {
    /// `daemon` is the program with its environment.
    pub fn start(mut daemon: Command) -> Self {
        daemon.args(["--stdio", "--no-daemon"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = daemon.spawn().expect("the daemon starts");
        let stdout = BufReader::new(process.stdout.take().expect("its output is piped"));
        let (sender, frames) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let frame = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line:?}: {error}"));
                if sender.send(frame).is_err() {
                    break;
                }
            }
        });
        Self {
            process,
            frames,
            last_id: 0,
            answered: HashSet::new(),
            answers: HashMap::new(),
            events: Vec::new(),
            notices: VecDeque::new(),
        }
    }

    /// The result, or the error object.
    pub fn ask(&mut self, method: &str, params: Value) -> Result<Value, Value> {
        let id = self.send(method, params);
        self.answer(id)
    }

    /// The id of the request.
    pub fn send(&mut self, method: &str, params: Value) -> u64 {
        self.last_id += 1;
        self.write(&json!({"jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params}));
        self.last_id
    }

    pub fn notify(&mut self, method: &str, params: Value) {
        self.write(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    pub fn answer(&mut self, id: u64) -> Result<Value, Value> {
        while !self.answers.contains_key(&id) {
            self.next();
        }
        let frame = self.answers.remove(&id).expect("it is there");
        if frame["error"].is_null() { Ok(frame["result"].clone()) } else { Err(frame["error"].clone()) }
    }

    /// The parameters of the next notification with this method.
    pub fn notice(&mut self, method: &str) -> Value {
        self.request(method).1
    }

    /// The id and the parameters of the next request with this method that the daemon makes.
    pub fn request(&mut self, method: &str) -> (Value, Value) {
        loop {
            if let Some(at) = self.notices.iter().position(|frame| frame["method"] == method) {
                let frame = self.notices.remove(at).expect("it is there");
                return (frame["id"].clone(), frame["params"].clone());
            }
            self.next();
        }
    }

    pub fn respond(&mut self, id: &Value, result: Value) {
        self.write(&json!({"jsonrpc": "2.0", "id": id, "result": result}));
    }

    /// The method and the parameters of the next notification.
    pub fn any_notice(&mut self) -> (String, Value) {
        while self.notices.is_empty() {
            self.next();
        }
        let frame = self.notices.pop_front().expect("it is there");
        (frame["method"].as_str().expect("a method").to_owned(), frame["params"].clone())
    }

    /// Waits until an event of this kind is there.
    pub fn wait_for(&mut self, kind: &str) {
        while self.events.iter().all(|params| params["event"]["kind"] != kind) {
            let frame = self.next();
            assert!(frame["method"].is_string(), "answered before {kind}: {frame}");
        }
    }

    /// No chance to write anything: SIGKILL.
    pub fn kill(mut self) {
        self.process.kill().expect("it can be killed");
        self.process.wait().expect("it ends");
    }

    pub fn hang_up(mut self) -> ExitStatus {
        drop(self.process.stdin.take());
        self.process.wait().expect("it ends")
    }

    fn next(&mut self) -> Value {
        let frame = self.frames.recv_timeout(PATIENCE).expect("the daemon says something in time");
        assert_eq!(frame["jsonrpc"], "2.0", "{frame}");
        if frame["method"] == "conductor.event" {
            self.events.push(frame["params"].clone());
        } else if frame["method"].is_string() {
            self.notices.push_back(frame.clone());
        } else if let Some(id) = frame["id"].as_u64() {
            assert!(self.answered.insert(id), "answered twice: {frame}");
            self.answers.insert(id, frame.clone());
        }
        frame
    }

    fn write(&mut self, frame: &Value) {
        let stdin = self.process.stdin.as_mut().expect("its input is open");
        writeln!(stdin, "{frame}").expect("the daemon listens");
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The events of one session have no holes, begin with a call of the model, or with the result of a skill that was
/// approved, and end with the end of the turn.
pub fn check_events(events: &[Value], session: &str) {
    let own: Vec<&Value> = events.iter().filter(|params| params["sessionName"] == session).collect();
    let kinds: Vec<&str> = own.iter().filter_map(|params| params["event"]["kind"].as_str()).collect();
    assert!(matches!(kinds.first(), Some(&("turn-start" | "tool-result"))), "{session}: {kinds:?}");
    assert_eq!(kinds.last(), Some(&"loop-done"), "{session}: {kinds:?}");
    let mut last = None;
    for params in own {
        let seq = params["seq"].as_u64().expect("a sequence number");
        let first = params["firstSeq"].as_u64().unwrap_or(seq);
        assert!(last.is_none_or(|last| first == last + 1), "{session}: {first} after {last:?}");
        last = Some(seq);
    }
}

/// The text that came in deltas since the last call of a model began, or was begun anew.
pub fn streamed_text(events: &[Value], session: &str) -> String {
    let mut text = String::new();
    for event in events.iter().filter(|params| params["sessionName"] == session).map(|params| &params["event"]) {
        match event["kind"].as_str() {
            Some("turn-start" | "attempt-failed") => text.clear(),
            Some("text-delta") => text.push_str(event["text"].as_str().expect("text")),
            _ => {}
        }
    }
    text
}
