//! The real program on two pipes or its socket, and a client that does as little as it can.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::relay;
use crate::upstream::Upstream;

const PROGRAM: &str = env!("CARGO_BIN_EXE_open-think");

const READ_AHEAD: usize = 64 * 1024;

pub struct Daemon {
    /// None where somebody else started it.
    process: Option<Child>,
    /// Gone once it has hung up.
    stdin: Option<Box<dyn Write + Send>>,
    stdout: Option<BufReader<Box<dyn Read + Send>>>,
    line: Vec<u8>,
    last_id: u64,
}

/// A frame from the daemon.
pub enum Frame<'a> {
    Answer { id: u64 },
    Notification(&'a [u8]),
}

/// A directory for sessions and logs that goes with the benchmark.
pub fn home() -> TempDir {
    TempDir::new().expect("a temporary directory")
}

/// The program in an environment of its own: nothing is configured.
pub fn program(home: &Path) -> Command {
    let mut command = Command::new(PROGRAM);
    command.env_clear().env("HOME", home);
    command.env("XDG_STATE_HOME", home.join("state")).env("XDG_CONFIG_HOME", home.join("config"));
    command
}

impl Daemon {
    /// An environment of its own: nothing is configured but the upstream.
    pub fn spawn(home: &Path, upstream: Option<&Upstream>) -> Self {
        let chat = |upstream: &Upstream| {
            [("OPENAI_COMPATIBLE_URL", upstream.base_url()), ("MODEL_DEFAULT", "gpt-4o-mini".to_owned())]
        };
        Self::spawn_with(home, upstream.into_iter().flat_map(chat))
    }

    /// With these settings.
    fn spawn_with<'a>(home: &Path, settings: impl IntoIterator<Item = (&'a str, String)>) -> Self {
        let mut command = program(home);
        command.args(["--stdio", "--no-daemon"]).envs(settings);
        Self::piped(command)
    }

    /// What an editor starts: between it and the daemon of the home, which it starts if need be.
    pub fn shim(home: &Path) -> Self {
        let mut command = program(home);
        command.arg("--stdio");
        Self::piped(command)
    }

    /// A connection of one's own to a daemon that runs.
    pub fn connect(socket: &Path) -> Self {
        let stream = UnixStream::connect(socket).expect("it listens");
        let writer = stream.try_clone().expect("a socket");
        Self::over(None, Box::new(writer), Box::new(stream))
    }

    /// Through a process that copies bytes.
    pub fn relayed(socket: &Path) -> Self {
        Self::piped(relay::command(socket))
    }

    fn piped(mut command: Command) -> Self {
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the daemon starts");
        let stdin = process.stdin.take().expect("its input is piped");
        let stdout = process.stdout.take().expect("its output is piped");
        Self::over(Some(process), Box::new(stdin), Box::new(stdout))
    }

    fn over(process: Option<Child>, stdin: Box<dyn Write + Send>, stdout: Box<dyn Read + Send>) -> Self {
        let stdout = Some(BufReader::with_capacity(READ_AHEAD, stdout));
        Self { process, stdin: Some(stdin), stdout, line: Vec::new(), last_id: 0 }
    }

    pub fn start_with<'a>(home: &Path, settings: impl IntoIterator<Item = (&'a str, String)>) -> Self {
        let mut daemon = Self::spawn_with(home, settings);
        daemon.initialize();
        daemon
    }

    pub fn start(home: &Path, upstream: Option<&Upstream>) -> Self {
        let mut daemon = Self::spawn(home, upstream);
        daemon.initialize();
        daemon
    }

    pub fn initialize(&mut self) {
        self.ask("initialize", r#"{"clientInfo":{"name":"figures"},"capabilities":{}}"#);
    }

    pub fn pid(&self) -> u32 {
        self.process.as_ref().expect("a process of our own").id()
    }

    /// How long the round trip takes. What is notified meanwhile is passed over.
    pub fn ask(&mut self, method: &str, params: &str) -> Duration {
        let start = Instant::now();
        let asked = self.send(method, params);
        loop {
            if let Frame::Answer { id } = self.next()
                && id == asked
            {
                return start.elapsed();
            }
        }
    }

    /// The result.
    pub fn value(&mut self, method: &str, params: &str) -> Value {
        let asked = self.send(method, params);
        while !matches!(self.next(), Frame::Answer { id } if id == asked) {}
        let mut frame: Value = serde_json::from_slice(&self.line).expect("JSON");
        frame["result"].take()
    }

    /// The id of the request.
    pub fn send(&mut self, method: &str, params: &str) -> u64 {
        self.last_id += 1;
        let id = self.last_id;
        let frame = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"{method}\",\"params\":{params}}}\n");
        self.stdin.as_mut().expect("it is open").write_all(frame.as_bytes()).expect("the daemon listens");
        id
    }

    pub fn notify(&mut self, method: &str, params: &str) {
        let frame = format!("{{\"jsonrpc\":\"2.0\",\"method\":\"{method}\",\"params\":{params}}}\n");
        self.stdin.as_mut().expect("it is open").write_all(frame.as_bytes()).expect("the daemon listens");
    }

    /// The answer to a request that was taken back.
    pub fn next_error(&mut self) {
        self.line.clear();
        self.stdout.as_mut().expect("it is open").read_until(b'\n', &mut self.line).expect("the daemon answers");
        assert!(self.line.windows(7).any(|part| part == b"\"error\""), "{}", String::from_utf8_lossy(&self.line));
    }

    /// As a client does that dies.
    pub fn hang_up(&mut self) {
        self.stdin = None;
        self.stdout = None;
    }

    /// The next frame, looked at no closer than needed.
    ///
    /// # Panics
    /// If it is an error.
    pub fn next(&mut self) -> Frame<'_> {
        const ANSWER: &[u8] = b"{\"jsonrpc\":\"2.0\",\"id\":";
        self.line.clear();
        let length =
            self.stdout.as_mut().expect("it is open").read_until(b'\n', &mut self.line).expect("the daemon answers");
        assert!(length > 0, "the daemon is gone");
        let Some(rest) = self.line.strip_prefix(ANSWER) else { return Frame::Notification(&self.line) };
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        assert!(rest[digits..].starts_with(b",\"result\""), "{}", String::from_utf8_lossy(&self.line));
        let id = rest[..digits].iter().fold(0, |id, digit| id * 10 + u64::from(digit - b'0'));
        Frame::Answer { id }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}
