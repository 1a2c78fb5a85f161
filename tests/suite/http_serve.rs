//! The program that listens for HTTP: where it says that it does, over TLS, and what ten thousand who come and go leave.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::program::{Home, PROGRAM};
use crate::site;

const PATIENCE: Duration = Duration::from_secs(20);

const CONNECTS: usize = 10_000;

/// What may be left of them, in bytes: an allocator does not give all of it back.
const LEFT: u64 = 16 * 1024 * 1024;

struct Served {
    home: Home,
    process: Child,
    url: String,
    token: String,
}

impl Served {
    async fn start(config: &str, listen: &[&str]) -> Self {
        let home = Home::with_config(config);
        let socket = format!("unix://{}/d.sock", home.path().display());
        let mut command = home.command(PROGRAM);
        command.args(["serve", "--listen", &socket]).args(listen).stderr(Stdio::null());
        let process = command.spawn().expect("it starts");
        let record = loop {
            let text = std::fs::read_to_string(home.path().join("d.json")).unwrap_or_default();
            match serde_json::from_str::<Value>(&text) {
                Ok(record) => break record,
                Err(_) => sleep(Duration::from_millis(10)).await,
            }
        };
        let text = |name: &str| record["http"][name].as_str().expect("it is told").to_owned();
        let file = PathBuf::from(text("tokenFile"));
        assert_eq!(file, home.state_dir().join("http-token"));
        let mode = std::fs::metadata(&file).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let token = std::fs::read_to_string(file).expect("a token").trim().to_owned();
        Self { url: text("url"), token, home, process }
    }

    fn address(&self) -> &str {
        self.url.split("://").nth(1).expect("an address")
    }

    async fn health(&self) -> Value {
        let mut stream = TcpStream::connect(self.address()).await.expect("it listens");
        let (host, token) = (self.address(), &self.token);
        let head = format!("Host: {host}\r\nAuthorization: Bearer {token}\r\nconnection: close\r\n");
        stream.write_all(format!("GET /health HTTP/1.1\r\n{head}\r\n").as_bytes()).await.expect("sent");
        site::read(stream).await.json()
    }

    /// Resident bytes.
    fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).expect("it lives");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line");
        line.trim().trim_end_matches("kB").trim().parse::<u64>().expect("a number") * 1024
    }

    async fn end(mut self) {
        let pid = i32::try_from(self.process.id()).expect("a process id");
        kill(Pid::from_raw(pid), Signal::SIGTERM).expect("it lives");
        let ended = timeout(PATIENCE, async {
            while self.process.try_wait().expect("it can be waited for").is_none() {
                sleep(Duration::from_millis(10)).await;
            }
        });
        ended.await.expect("it ends in time");
        let log = std::fs::read_to_string(self.home.state_dir().join("open-think.log")).expect("a log");
        assert!(!log.contains(&self.token), "the token is in the log");
        assert!(TcpStream::connect(self.address()).await.is_err(), "nobody listens there any more");
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It is gone already where the test went well.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn ten_thousand_who_come_and_go_leave_nothing_behind() {
    let served = Served::start("", &["--listen", "http://127.0.0.1:0"]).await;
    let round = async |count: usize| {
        for number in 0..count {
            let mut stream = TcpStream::connect(served.address()).await.expect("it listens");
            let said = ["", "GET ", "GET /health HTTP/1.1\r\nHost: x\r\n\r\n", "\x16\x03\x01\x02\x00"][number % 4];
            let _ = stream.write_all(said.as_bytes()).await;
            drop(stream);
            if number % 1000 == 0 {
                assert_eq!(served.health().await["ok"], true);
            }
        }
    };
    let idle = served.memory();
    round(CONNECTS).await;
    assert_eq!(served.health().await["ok"], true);
    let after = served.memory();
    println!("{CONNECTS} connects and hang-ups: {} KiB before, {} KiB after", idle / 1024, after / 1024);
    assert!(after < idle + LEFT, "{idle} bytes became {after}");
    served.end().await;
}

#[tokio::test]
async fn the_configuration_says_where_and_a_certificate_makes_it_tls() {
    let fixtures = format!("{}/tests/fixtures/tls", env!("CARGO_MANIFEST_DIR"));
    let config = format!(
        "[daemon]\nlisten = \"https://127.0.0.1:0\"\ntls_cert = \"{fixtures}/certificate.pem\"\ntls_key = \"{fixtures}/key.pem\"\n"
    );
    let served = Served::start(&config, &[]).await;
    assert!(served.url.starts_with("https://127.0.0.1:"), "{}", served.url);
    let mut curl = Command::new("curl");
    curl.args(["-q", "-sS", "-k", "-H", &format!("Authorization: Bearer {}", served.token)]);
    let output = curl.arg(format!("{}/health", served.url)).output().expect("curl");
    let answer: Value = serde_json::from_slice(&output.stdout).expect("an answer");
    assert_eq!(answer["ok"], true, "{answer}");
    served.end().await;
}

#[test]
fn what_cannot_be_listened_at_is_refused_with_the_way_out() {
    let home = Home::new();
    let socket = format!("unix://{}/d.sock", home.path().display());
    for (listen, why) in [
        ("http://0.0.0.0:7878", "is reached from other machines"),
        ("https://127.0.0.1:0", "set tls_cert and tls_key"),
        ("http://example.com:1", "is no address to listen on"),
        ("tcp://127.0.0.1:1", "is no address to listen on"),
    ] {
        let run = home.run(&["serve", "--listen", &socket, "--listen", listen]);
        assert!(run.code == 2 && run.stderr.contains(why), "{listen}: {}", run.stderr);
    }
}
