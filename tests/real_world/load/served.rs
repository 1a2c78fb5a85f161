//! A daemon in the foreground, which listens on its socket and for HTTP, and how much memory it has.

use std::process::{Child, Stdio};
use std::time::Duration;

use open_think::daemon::Record;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{sleep, timeout};

use super::line::Line;
use crate::home::{Home, PROGRAM};

/// A test that waits longer hangs.
pub const PATIENCE: Duration = Duration::from_secs(120);

const GLANCE: Duration = Duration::from_millis(20);

pub struct Served {
    pub home: Home,
    process: Child,
    record: Record,
    pub token: String,
}

impl Served {
    /// With settings by their environment name.
    pub async fn start(home: Home, settings: &[(&str, String)]) -> Self {
        let mut command = home.command(PROGRAM);
        command.args(["serve", "--listen", "http://127.0.0.1:0"]).stderr(Stdio::null());
        let process = command.envs(settings.iter().cloned()).spawn().expect("it starts");
        let there = async || home.daemon().filter(|record| record.pid == process.id());
        let record = until("it serves", there).await;
        let file = &record.http.as_ref().expect("it listens for HTTP").token_file;
        let token = std::fs::read_to_string(file).expect("a token").trim().to_owned();
        Self { home, process, record, token }
    }

    pub fn url(&self) -> &str {
        &self.record.http.as_ref().expect("it listens for HTTP").url
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> &str {
        self.url().trim_start_matches("http://")
    }

    pub async fn http(&self) -> TcpStream {
        TcpStream::connect(self.address()).await.expect("it listens")
    }

    pub async fn socket(&self) -> UnixStream {
        UnixStream::connect(&self.record.socket).await.expect("it listens")
    }

    pub async fn connect(&self) -> Line {
        Line::new(self.socket().await)
    }

    /// The lines of a request's head that say for whom it is, and from whom.
    pub fn head(&self) -> String {
        format!("Host: {}\r\nAuthorization: Bearer {}\r\n", self.address(), self.token)
    }

    /// Asks in both ways whether it is there.
    pub async fn is_answered(&self) {
        let status = self.connect().await.ask("daemon.status", Value::Null).await;
        assert_eq!(status["pid"], self.record.pid, "{status}");
        let mut stream = self.http().await;
        let request = format!("GET /health HTTP/1.1\r\n{}connection: close\r\n\r\n", self.head());
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut answer = String::new();
        let read = timeout(PATIENCE, stream.read_to_string(&mut answer)).await;
        read.expect("an answer in time").expect("text");
        assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.contains("\"ok\": true"), "{answer}");
    }

    /// Resident, in MiB.
    pub fn memory(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).expect("it lives");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line");
        line.trim().trim_end_matches("kB").trim().parse::<f64>().expect("a number") / 1024.0
    }

    /// What remains once all have left but the one who asks, in MiB.
    pub async fn memory_when_all_have_left(&self) -> f64 {
        let mut line = self.connect().await;
        while line.ask("daemon.status", Value::Null).await["clients"] != 1 {
            sleep(GLANCE).await;
        }
        self.memory()
    }

    /// Until no more than this is left of what was needed, once nobody is there: some seconds later.
    pub async fn memory_falls_below(&self, limit: f64) -> f64 {
        until("memory is given back", async || Some(self.memory()).filter(|now| *now < limit)).await
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Looks until there is something.
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let looking = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            sleep(GLANCE).await;
        }
    };
    timeout(PATIENCE, looking).await.unwrap_or_else(|_| panic!("never: {what}"))
}
