//! The socket of a shared daemon: never stale, never half ready, for one user.
//!
//! The lock says who serves; the socket is made under another name and renamed when it listens, in the place of what an
//! earlier daemon may have left.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener as StdUnixListener, UnixStream as StdUnixStream};
use std::path::PathBuf;
use std::time::Duration;

use nix::unistd::getuid;
use tokio::net::{UnixListener, UnixStream};
use tokio::time::{Instant, sleep};

use super::address::{Address, AddressError};
use super::lock::Lock;
use super::record::{Record, temporary};

/// How long one that ends may take to give its address back.
const PATIENCE: Duration = Duration::from_secs(10);

/// For how long one must take connections to count as serving: one that was killed does so until the system has closed
/// all that it had open.
const SURE: Duration = Duration::from_secs(1);

/// How often that is tried.
const EVERY: Duration = Duration::from_millis(10);

#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    #[error(transparent)]
    Address(#[from] AddressError),
    #[error("a daemon serves {} already{}; {end}", path.display(), who(record.as_deref()))]
    Served { path: PathBuf, record: Option<Box<Record>>, end: String },
    #[error("{} cannot be made", path.display())]
    Io { path: PathBuf, source: io::Error },
}

fn who(record: Option<&Record>) -> String {
    record.map(|record| format!(" (process {}, version {})", record.pid, record.version)).unwrap_or_default()
}

/// Commands find a daemon at the usual address alone.
fn end(address: &Address, record: Option<&Record>) -> String {
    match record {
        _ if !address.is_named() => "open-think stop ends it".to_owned(),
        Some(record) => format!("kill {} ends it", record.pid),
        None => "end its process".to_owned(),
    }
}

/// An address that nobody else can serve any more; nobody finds it yet.
pub struct Claim {
    address: Address,
    lock: Lock,
}

/// An address that is served. Dropping it gives the address back.
pub struct Listening {
    listener: UnixListener,
    address: Address,
    /// Last, for all else is given back under it.
    _lock: Lock,
}

impl Claim {
    /// Waits a little for a daemon that is about to end.
    pub async fn take(address: &Address) -> Result<Self, ListenError> {
        address.prepare()?;
        let fault = |source| ListenError::Io { path: address.lock(), source };
        let begun = Instant::now();
        let lock = loop {
            if let Some(lock) = Lock::try_take(&address.lock()).map_err(fault)? {
                break lock;
            }
            let serves = begun.elapsed() > SURE && StdUnixStream::connect(address.socket()).is_ok();
            if serves || begun.elapsed() > PATIENCE {
                let record = Record::read(address).map(Box::new);
                let end = end(address, record.as_deref());
                return Err(ListenError::Served { path: address.socket().to_owned(), record, end });
            }
            sleep(EVERY).await;
        };
        Ok(Self { address: address.clone(), lock })
    }

    /// From now on clients find it.
    pub fn listen(self) -> Result<Listening, ListenError> {
        let Self { address, lock } = self;
        let fault = |source| ListenError::Io { path: address.socket().to_owned(), source };
        let listener = bind(&address).map_err(fault)?;
        Ok(Listening { listener, address, _lock: lock })
    }
}

impl Listening {
    /// For a daemon that is ready.
    pub async fn open(address: &Address) -> Result<Self, ListenError> {
        Claim::take(address).await?.listen()
    }

    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The next connection of a process of this user's; others are hung up on, unheard. Cancel safe.
    pub async fn accept(&self) -> io::Result<UnixStream> {
        loop {
            let (stream, _) = self.listener.accept().await?;
            match stream.peer_cred() {
                Ok(peer) if peer.uid() == getuid().as_raw() => return Ok(stream),
                Ok(peer) => tracing::warn!(uid = peer.uid(), pid = peer.pid(), "another user was refused"),
                Err(error) => tracing::warn!(%error, "a client that cannot be known was refused"),
            }
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        // Under the lock these are ours alone. Whoever removed them before has done the work.
        let _ = fs::remove_file(self.address.record());
        let _ = fs::remove_file(self.address.socket());
    }
}

fn bind(address: &Address) -> io::Result<UnixListener> {
    let path = temporary(address.socket());
    // What a process of the same number has left.
    let _ = fs::remove_file(&path);
    let listener = StdUnixListener::bind(&path)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    fs::rename(&path, address.socket())?;
    listener.set_nonblocking(true)?;
    UnixListener::from_std(listener)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn address(directory: &Path) -> Address {
        Address::at(&directory.join("a.sock")).expect("short")
    }

    #[tokio::test]
    async fn one_serves_and_says_so_to_the_next() {
        let directory = tempfile::tempdir().expect("a directory");
        let address = address(directory.path());
        let first = Listening::open(&address).await.expect("nobody serves");
        let mode = fs::metadata(address.socket()).expect("a socket").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let said = Listening::open(&address).await.err().expect("it is served").to_string();
        assert!(said.contains("serves") && said.contains("end its process"), "{said}");
        let client = UnixStream::connect(address.socket()).await.expect("it listens");
        assert_eq!(
            first.accept().await.expect("us").peer_cred().expect("known").uid(),
            client.peer_cred().expect("known").uid()
        );
        drop(first);
        assert_eq!(fs::read_dir(directory.path()).expect("a directory").count(), 0);
    }

    #[tokio::test]
    async fn a_socket_that_was_left_behind_is_replaced_and_a_file_is_not() {
        let directory = tempfile::tempdir().expect("a directory");
        let address = address(directory.path());
        drop(StdUnixListener::bind(address.socket()).expect("a socket"));
        fs::write(address.lock(), "").expect("a lock");
        let listening = Listening::open(&address).await.expect("nobody serves");
        UnixStream::connect(address.socket()).await.expect("it listens");
        drop(listening);
        fs::write(address.socket(), "precious").expect("a file");
        let said = Listening::open(&address).await.err().expect("occupied").to_string();
        assert!(said.contains("no socket"), "{said}");
        assert_eq!(fs::read_to_string(address.socket()).expect("text"), "precious");
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_about_to_end_is_waited_for() {
        let directory = tempfile::tempdir().expect("a directory");
        let address = address(directory.path());
        let held = Lock::try_take(&address.lock()).expect("it can be locked").expect("it is free");
        tokio::spawn(async move {
            sleep(Duration::from_secs(1)).await;
            drop(held);
        });
        Listening::open(&address).await.expect("it is free by then");
    }
}
