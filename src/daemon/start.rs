//! A client finds the daemon of its address, or starts it: one client does, the others wait for what comes of it.
//!
//! The daemon must outlive the one who starts it, and whoever ends that with all its children. So it is started by a
//! launcher (`detach.rs`) that has ended by then, and has nothing of the client's but a pipe on which it says that it
//! is ready, or why it is not.

use std::ffi::OsString;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use nix::unistd::getuid;
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio::process::Command;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::address::{Address, AddressError};
use super::detach::Report;
use super::lock::Lock;

/// How long it may take until the daemon is there.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often it is looked whether somebody else has started it.
const EVERY: Duration = Duration::from_millis(5);

/// What a daemon may say of its start.
const REPORT: u64 = 16 * 1024;

/// How a daemon is started.
#[derive(Clone, Debug)]
pub struct Launch {
    pub program: PathBuf,
    /// After the flags that `detach.rs` wants.
    pub args: Vec<OsString>,
}

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("{0}")]
    Address(#[from] AddressError),
    #[error("{} belongs to user {owner}: another user may listen there; remove it", path.display())]
    Foreign { path: PathBuf, owner: u32 },
    /// In its own words, with the exit code that it had at the command line.
    #[error("{text}")]
    Refused { code: u8, text: String },
    #[error("{0}")]
    Incompatible(String),
    #[error("the daemon was not ready within {} s; open-think doctor may say why", PATIENCE.as_secs())]
    TimedOut,
    #[error("the daemon could not be started: {0}")]
    NotStarted(io::Error),
    #[error("{} cannot be connected to: {source}", path.display())]
    NotConnected { path: PathBuf, source: io::Error },
}

/// None where nobody listens.
pub async fn connect(address: &Address) -> Result<Option<UnixStream>, StartError> {
    let path = || address.socket().to_owned();
    let ours = getuid().as_raw();
    let fault = |source| StartError::NotConnected { path: path(), source };
    match std::fs::symlink_metadata(address.socket()) {
        Ok(found) if found.uid() != ours => return Err(StartError::Foreign { path: path(), owner: found.uid() }),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(fault(error)),
    }
    let deadline = Instant::now() + PATIENCE;
    loop {
        match UnixStream::connect(address.socket()).await {
            Ok(stream) => {
                let owner = stream.peer_cred().map_err(fault)?.uid();
                let fine = owner == ours;
                return fine.then_some(Some(stream)).ok_or_else(|| StartError::Foreign { path: path(), owner });
            }
            Err(error) => match error.kind() {
                // The last is said where one has ended before it took the connection.
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset => {
                    return Ok(None);
                }
                // So many wait to be heard that it takes no more for now.
                io::ErrorKind::WouldBlock if Instant::now() < deadline => sleep(EVERY).await,
                _ => return Err(fault(error)),
            },
        }
    }
}

/// Connects to the daemon, which is started if there is none.
pub async fn connect_or_start(address: &Address, launch: &Launch) -> Result<UnixStream, StartError> {
    if let Some(stream) = connect(address).await? {
        return Ok(stream);
    }
    address.prepare()?;
    let deadline = Instant::now() + PATIENCE;
    let _lock = loop {
        if let Some(lock) = Lock::try_take(&address.spawn_lock()).map_err(StartError::NotStarted)? {
            break lock;
        }
        if Instant::now() > deadline {
            return Err(StartError::TimedOut);
        }
        sleep(EVERY).await;
        if let Some(stream) = connect(address).await? {
            return Ok(stream);
        }
    };
    // Whoever held the lock before may have done it.
    if let Some(stream) = connect(address).await? {
        return Ok(stream);
    }
    let started = timeout_at(deadline, start(launch)).await.unwrap_or(Err(StartError::TimedOut));
    match (connect(address).await?, started) {
        // However it came to be there.
        (Some(stream), _) => Ok(stream),
        (None, Err(error)) => Err(error),
        (None, Ok(())) => Err(StartError::TimedOut),
    }
}

async fn start(launch: &Launch) -> Result<(), StartError> {
    let mut command = Command::new(&launch.program);
    command.args(["serve", "--launch"]).args(&launch.args);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut launcher = command.spawn().map_err(StartError::NotStarted)?;
    let output = launcher.stdout.take().ok_or_else(|| StartError::NotStarted(io::ErrorKind::BrokenPipe.into()))?;
    let mut said = String::new();
    // The pipe closes when the daemon is ready, or has ended.
    output.take(REPORT).read_to_string(&mut said).await.map_err(StartError::NotStarted)?;
    // It has ended by now, but for a moment, and leaves nothing behind once it is waited for.
    let _ = timeout(Duration::from_secs(1), launcher.wait()).await;
    match Report::parse(&said) {
        Report::Ready => Ok(()),
        Report::Failed { code, text } => Err(StartError::Refused { code, text }),
    }
}

#[tokio::test]
async fn one_that_ends_before_it_takes_the_connection_is_not_there() {
    let directory = tempfile::tempdir().expect("a directory");
    let address = Address::at(&directory.path().join("a.sock")).expect("short");
    let listener = std::os::unix::net::UnixListener::bind(address.socket()).expect("a socket");
    let connecting = connect(&address);
    tokio::pin!(connecting);
    assert!(futures_util::poll!(connecting.as_mut()).is_pending());
    drop(listener);
    assert!(connecting.await.expect("it is no fault").is_none());
}
