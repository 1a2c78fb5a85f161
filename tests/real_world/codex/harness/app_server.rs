//! An app-server of its own: its home, how it is listened to, and its end by force.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::connection::Connection;
use super::subscription;
use super::upstream::Upstream;

const PATIENCE: Duration = Duration::from_secs(30);

/// The name of the variable with the key for the upstream.
pub const KEY_NAME: &str = "MOCK_KEY";

/// The home of an app-server: its configuration, its threads and the folder it works in.
pub struct CodexHome {
    directory: TempDir,
}

/// How an app-server speaks to the model.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// A request a call, answered with events.
    Events,
    /// A websocket a thread, kept.
    Socket,
}

#[derive(Clone, Debug)]
pub enum Listen {
    Port(SocketAddr),
    /// With this token and no other.
    Guarded(SocketAddr, &'static str),
    Socket(PathBuf),
}

pub struct AppServer {
    pub home: CodexHome,
    program: PathBuf,
    listen: Listen,
    process: Child,
}

impl CodexHome {
    /// Not where temporary files are: there, the program refuses to keep what it needs.
    pub fn new(upstream: &Upstream) -> Self {
        Self::with(upstream, Wire::Events)
    }

    pub fn with(upstream: &Upstream, wire: Wire) -> Self {
        let directory = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory under target");
        let config = format!(
            r#"
model = "gpt-5.5"
model_provider = "mock"
check_for_update_on_startup = false

[analytics]
enabled = false

[model_providers.mock]
name = "mock"
base_url = "{}"
wire_api = "responses"
env_key = "{KEY_NAME}"
supports_websockets = {}
request_max_retries = 1
stream_max_retries = 1
"#,
            upstream.base_url(),
            wire == Wire::Socket
        );
        std::fs::write(directory.path().join("config.toml"), config).expect("a configuration");
        std::fs::create_dir(directory.path().join("work")).expect("a folder to work in");
        Self { directory }
    }

    /// Of somebody who is signed in to a subscription, whose backend is the upstream too.
    pub fn signed_in(upstream: &Upstream) -> Self {
        let home = Self::new(upstream);
        let file = home.path().join("config.toml");
        let config = std::fs::read_to_string(&file).expect("a configuration");
        let backend = upstream.base_url().replace("/v1", "/backend-api/");
        let config = config.replace(&format!("env_key = \"{KEY_NAME}\""), "requires_openai_auth = true");
        std::fs::write(file, format!("chatgpt_base_url = \"{backend}\"\n{config}")).expect("a configuration");
        std::fs::write(home.path().join("auth.json"), subscription::sign_in().to_string()).expect("a sign-in");
        home
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The folder that turns work in.
    pub fn work(&self) -> PathBuf {
        self.directory.path().join("work")
    }

    /// The program with this home and no other setting of the machine.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("CODEX_HOME", self.path()).env("HOME", self.path()).env(KEY_NAME, "sk-mock");
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).current_dir(self.work());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }
}

impl Listen {
    pub fn port() -> Self {
        Self::Port(free_address())
    }

    pub fn guarded(token: &'static str) -> Self {
        Self::Guarded(free_address(), token)
    }

    /// Paths of sockets are short: not below `target`.
    pub fn socket(directory: &TempDir) -> Self {
        Self::Socket(directory.path().join("codex.sock"))
    }

    pub fn url(&self) -> String {
        match self {
            Self::Port(address) | Self::Guarded(address, _) => format!("ws://{address}"),
            Self::Socket(path) => format!("unix://{}", path.display()),
        }
    }

    fn answers(&self) -> bool {
        match self {
            Self::Port(address) | Self::Guarded(address, _) => TcpStream::connect(address).is_ok(),
            Self::Socket(path) => UnixStream::connect(path).is_ok(),
        }
    }
}

impl AppServer {
    pub fn start(program: &Path, upstream: &Upstream, listen: Listen) -> Self {
        Self::start_in(CodexHome::new(upstream), program, listen)
    }

    pub fn start_in(home: CodexHome, program: &Path, listen: Listen) -> Self {
        let process = spawn(program, &home, &listen);
        let server = Self { home, program: program.to_owned(), listen, process };
        server.wait();
        server
    }

    pub fn url(&self) -> String {
        self.listen.url()
    }

    /// The address, where it has one.
    pub fn address(&self) -> SocketAddr {
        match &self.listen {
            Listen::Port(address) | Listen::Guarded(address, _) => *address,
            Listen::Socket(path) => panic!("{} is no address", path.display()),
        }
    }

    /// A connection without anything between.
    pub fn connect(&self) -> Connection {
        match &self.listen {
            Listen::Port(address) => Connection::to_port(*address, None),
            Listen::Guarded(address, token) => Connection::to_port(*address, Some(token)),
            Listen::Socket(path) => Connection::to_socket(path),
        }
    }

    /// No chance to write anything: SIGKILL.
    pub fn kill(&mut self) {
        self.process.kill().expect("it can be killed");
        self.process.wait().expect("it ends");
    }

    /// Again, with the same home and at the same place.
    pub fn revive(&mut self) {
        self.process = spawn(&self.program, &self.home, &self.listen);
        self.wait();
    }

    fn wait(&self) {
        let deadline = Instant::now() + PATIENCE;
        while !self.listen.answers() {
            assert!(Instant::now() < deadline, "{} does not answer", self.url());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for AppServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn spawn(program: &Path, home: &CodexHome, listen: &Listen) -> Child {
    let mut command = home.command(program);
    command.args(["app-server", "--listen", &listen.url()]);
    if let Listen::Guarded(_, token) = listen {
        let file = home.path().join("token");
        std::fs::write(&file, token).expect("a file with the token");
        command.args(["--ws-auth", "capability-token", "--ws-token-file"]).arg(file);
    }
    command.spawn().expect("the app-server starts")
}

/// Free when it is asked for, which has to be enough.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
    listener.local_addr().expect("a bound port")
}
