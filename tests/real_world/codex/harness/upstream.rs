//! The model behind an app-server: the Responses API on this machine, with server-sent events over HTTP or over a
//! websocket.

use std::collections::{HashMap, HashSet};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{Message, accept};

use super::script::{self, RESETS_AT, Reply, Step};
use super::subscription;

const PATIENCE: Duration = Duration::from_secs(60);

/// How often a stream that waits at a gate looks whether somebody still listens.
const GLANCE: Duration = Duration::from_millis(10);

/// What is got and answered with a websocket.
const SOCKET: &[u8; 17] = b"GET /v1/responses";

/// The windows of the usage limit, the first of them used so far.
fn limits(percent: f64) -> String {
    let window = |name: &str, percent: f64, minutes: u32| {
        let name = format!("x-codex-{name}");
        format!(
            "{name}-used-percent: {percent}\r\n{name}-window-minutes: {minutes}\r\n{name}-reset-at: {RESETS_AT}\r\n"
        )
    };
    window("primary", percent, 300) + &window("secondary", 40.0, 10_080)
}

#[derive(Clone)]
pub struct Upstream {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    requests: Vec<Value>,
    delay: Duration,
    /// What was answered, to know what is asked again.
    asked: HashSet<String>,
    gates: HashMap<String, Gate>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Gate {
    Open,
    /// A stream waits there.
    Reached,
    /// It was hung up on while it waited.
    Left,
}

impl Upstream {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
        let address = listener.local_addr().expect("a bound port");
        let upstream = Self { address, shared: Arc::default() };
        let server = upstream.clone();
        std::thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let server = server.clone();
                // Ends when the other side has had enough.
                std::thread::spawn(move || server.serve(connection));
            }
        });
        upstream
    }

    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// What the way there and back takes from now on, for each answer and for each new connection.
    pub fn delay(&self, delay: Duration) {
        self.state().delay = delay;
    }

    /// The bodies of the requests so far, in order.
    pub fn requests(&self) -> Vec<Value> {
        self.state().requests.clone()
    }

    /// How often it was asked this.
    pub fn asked(&self, words: &str) -> usize {
        self.state().requests.iter().filter(|body| script::last_words(body).0 == words).count()
    }

    /// Lets the stream through that waits, or will wait, at this gate.
    pub fn open(&self, gate: &str) {
        self.state().gates.insert(gate.to_owned(), Gate::Open);
        self.shared.changed.notify_all();
    }

    /// Until a stream waits at this gate.
    pub fn wait_reached(&self, gate: &str) {
        self.wait(gate, Gate::Reached);
    }

    /// Until the stream that waited at this gate was hung up on.
    pub fn wait_left(&self, gate: &str) {
        self.wait(gate, Gate::Left);
    }

    fn wait(&self, gate: &str, wanted: Gate) {
        let is_other = |state: &mut State| state.gates.get(gate) != Some(&wanted);
        let waited = self.shared.changed.wait_timeout_while(self.state(), PATIENCE, is_other);
        assert!(!waited.expect("no panic").1.timed_out(), "nothing happened at the gate {gate}");
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().expect("no panic")
    }

    fn serve(&self, connection: TcpStream) -> Option<()> {
        connection.set_nodelay(true).ok()?;
        self.travel();
        let mut asked = [0; SOCKET.len()];
        connection.peek(&mut asked).ok()?;
        if asked == *SOCKET { self.serve_socket(connection) } else { self.serve_http(connection) }
    }

    fn travel(&self) {
        let delay = self.state().delay;
        std::thread::sleep(delay);
    }

    /// Ends with the connection, or where the stream is cut.
    fn serve_socket(&self, connection: TcpStream) -> Option<()> {
        let held = connection.try_clone().ok()?;
        let mut socket = accept(connection).ok()?;
        loop {
            let Message::Text(request) = socket.read().ok()? else { continue };
            self.travel();
            match self.reply(request.as_bytes()) {
                Reply::Refused(status, mut body) => {
                    body["type"] = json!("error");
                    body["status"] = json!(status);
                    socket.send(Message::text(body.to_string())).ok()?;
                }
                Reply::Stream(steps) => {
                    for step in steps {
                        match step {
                            Step::Event(event) => socket.send(Message::text(event.to_string())).ok()?,
                            Step::Gate(name) => self.pass(&held, &name)?,
                            Step::Cut => return None,
                        }
                    }
                }
            }
        }
    }

    fn serve_http(&self, mut connection: TcpStream) -> Option<()> {
        let mut reader = BufReader::new(connection.try_clone().ok()?);
        while let Some((line, body)) = request(&mut reader) {
            self.travel();
            let path = line.split_whitespace().nth(1).unwrap_or_default();
            let reply = match line.starts_with("POST ") && path.ends_with("/responses") {
                true => self.reply(&body),
                false => subscription::answer(path),
            };
            match reply {
                Reply::Refused(status, body) => {
                    let (body, length) = (body.to_string(), body.to_string().len());
                    let head = "content-type: application/json\r\ncontent-length:";
                    let limits = if body.contains("usage_limit") { limits(100.0) } else { String::new() };
                    let answer = format!("HTTP/1.1 {status} No\r\n{limits}{head} {length}\r\n\r\n{body}");
                    connection.write_all(answer.as_bytes()).ok()?;
                }
                Reply::Stream(steps) => self.stream(&mut connection, steps)?,
            }
        }
        None
    }

    fn reply(&self, body: &[u8]) -> Reply {
        let body: Value = serde_json::from_slice(body).expect("a request of JSON");
        let again = !self.state().asked.insert(script::last_words(&body).0.to_owned());
        self.state().requests.push(body.clone());
        script::reply(&body, again)
    }

    /// None if the connection is not to be used again.
    fn stream(&self, connection: &mut TcpStream, steps: Vec<Step>) -> Option<()> {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n";
        connection.write_all(format!("{head}{}\r\n", limits(12.5)).as_bytes()).ok()?;
        for step in steps {
            match step {
                Step::Event(event) => {
                    let kind = event["type"].as_str().expect("a type");
                    let text = format!("event: {kind}\ndata: {event}\n\n");
                    connection.write_all(format!("{:x}\r\n{text}\r\n", text.len()).as_bytes()).ok()?;
                }
                Step::Gate(name) => self.pass(connection, &name)?,
                Step::Cut => return None,
            }
        }
        connection.write_all(b"0\r\n\r\n").ok()
    }

    /// None if nobody listens any more.
    fn pass(&self, connection: &TcpStream, gate: &str) -> Option<()> {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.state();
        if state.gates.get(gate) != Some(&Gate::Open) {
            state.gates.insert(gate.to_owned(), Gate::Reached);
            self.shared.changed.notify_all();
        }
        while state.gates.get(gate) != Some(&Gate::Open) {
            state = self.shared.changed.wait_timeout(state, GLANCE).expect("no panic").0;
            if is_closed(connection) || Instant::now() > deadline {
                state.gates.insert(gate.to_owned(), Gate::Left);
                self.shared.changed.notify_all();
                return None;
            }
        }
        Some(())
    }
}

fn is_closed(connection: &TcpStream) -> bool {
    connection.set_nonblocking(true).expect("a socket");
    let peeked = connection.peek(&mut [0]);
    connection.set_nonblocking(false).expect("a socket");
    !matches!(peeked, Err(error) if error.kind() == ErrorKind::WouldBlock)
}

/// The first line and the body; none at the end of input.
fn request(reader: &mut BufReader<TcpStream>) -> Option<(String, Vec<u8>)> {
    let mut line = String::new();
    if reader.read_line(&mut line).ok()? == 0 {
        return None;
    }
    let mut length = 0;
    loop {
        let mut header = String::new();
        if reader.read_line(&mut header).ok()? == 0 {
            return None;
        }
        let Some((name, value)) = header.split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().expect("a length");
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((line, body))
}
