//! The socket of a shared daemon: never stale, never half ready, for one user.
//!
//! The lock says who serves; the socket is made under another name and renamed when it listens, in the place of what an
//! earlier daemon may have left. Whoever cleans up may remove both: they are looked after as long as they are needed.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener as StdUnixListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::unistd::getuid;
use tokio::net::{UnixListener, UnixStream};
use tokio::time::{Instant, sleep};

use super::address::{Address, AddressError};
use super::inherited::Inherited;
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
    #[error(
        "another program listens on {}: systemd, if the service is installed, and then the next client starts the \
         daemon; systemctl --user stop open-think.socket makes way for this one",
        .0.display()
    )]
    Listened(PathBuf),
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
    inherited: Option<Inherited>,
    lock: Lock,
}

/// An address that is served. Dropping it gives the address back.
pub struct Listening {
    listener: UnixListener,
    /// The socket as it stands in the directory, and whose it is.
    file: FileId,
    owner: Owner,
    address: Address,
    record: Option<Record>,
    /// Last, for all else is given back under it.
    lock: Lock,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Us,
    /// Whoever passed it on to us.
    Parent,
}

/// A file system and a number in it.
type FileId = (u64, u64);

/// How it was with what clients look for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Whole,
    /// Something of it was gone, and is there again.
    Mended,
    /// It is another's now: this daemon is to make way.
    Taken,
}

impl Claim {
    /// Waits a little for a daemon that is about to end.
    pub async fn take(address: &Address, inherited: Option<Inherited>) -> Result<Self, ListenError> {
        address.prepare()?;
        let path = || address.socket().to_owned();
        let fault = |source| ListenError::Io { path: address.lock(), source };
        let begun = Instant::now();
        // One that is passed on takes connections whoever serves.
        let is_served = async || inherited.is_none() && is_listened_on(address.socket()).await;
        let served = || {
            let record = Record::read(address).map(Box::new);
            ListenError::Served { path: path(), end: end(address, record.as_deref()), record }
        };
        let lock = loop {
            if let Some(lock) = Lock::try_take(&address.lock()).map_err(fault)? {
                break lock;
            }
            if begun.elapsed() > PATIENCE || begun.elapsed() > SURE && is_served().await {
                return Err(served());
            }
            sleep(EVERY).await;
        };
        let locked = Instant::now();
        while is_served().await {
            if locked.elapsed() > SURE {
                // Somebody may have removed the lock of one that serves.
                let is_known = Record::read(address).is_some();
                return Err(if is_known { served() } else { ListenError::Listened(path()) });
            }
            sleep(EVERY).await;
        }
        Ok(Self { address: address.clone(), inherited, lock })
    }

    /// From now on clients find it.
    pub fn listen(self) -> Result<Listening, ListenError> {
        let Self { address, inherited, lock } = self;
        let owner = if inherited.is_some() { Owner::Parent } else { Owner::Us };
        let opened = match inherited {
            Some(inherited) => adopt(inherited),
            None => bind(&address),
        };
        let fault = |source| ListenError::Io { path: address.socket().to_owned(), source };
        let (listener, file) = opened.map_err(fault)?;
        Ok(Listening { listener, file, owner, address, record: None, lock })
    }
}

impl Listening {
    /// For a daemon that is ready.
    pub async fn open(address: &Address) -> Result<Self, ListenError> {
        Claim::take(address, None).await?.listen()
    }

    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Leaves this beside the socket for as long as it is served.
    pub fn tell(&mut self, record: Record) -> Result<(), ListenError> {
        record.write(&self.address).map_err(|source| ListenError::Io { path: self.address.record(), source })?;
        self.record = Some(record);
        Ok(())
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

    /// Looks whether clients still find it, and whether it is still the only one: what somebody has removed is made anew,
    /// and connections go on.
    pub async fn look(&mut self) -> Result<Standing, ListenError> {
        let mut standing = Standing::Whole;
        let fault = |path: &Path, source| ListenError::Io { path: path.to_owned(), source };
        if !self.lock.is_there() {
            self.address.prepare()?;
            let path = self.address.lock();
            match Lock::try_take(&path).map_err(|source| fault(&path, source))? {
                Some(lock) => (self.lock, standing) = (lock, Standing::Mended),
                // Who came meanwhile has found nothing of ours.
                None => return Ok(Standing::Taken),
            }
        }
        let path = self.address.socket();
        let found = fs::symlink_metadata(path).ok();
        match found {
            Some(file) if id(&file) == self.file => {}
            Some(file) if !file.file_type().is_socket() => {
                return Err(AddressError::Occupied { path: path.to_owned(), wanted: "socket" }.into());
            }
            Some(_) if is_listened_on(path).await => return Ok(Standing::Taken),
            Some(_) | None => {
                (self.listener, self.file) = bind(&self.address).map_err(|source| fault(path, source))?;
                (self.owner, standing) = (Owner::Us, Standing::Mended);
            }
        }
        if let Some(record) = self.record.as_ref().filter(|_| !self.is_recorded()) {
            record.write(&self.address).map_err(|source| fault(&self.address.record(), source))?;
            standing = Standing::Mended;
        }
        Ok(standing)
    }

    fn is_recorded(&self) -> bool {
        Record::read(&self.address).is_some_and(|record| record.pid == std::process::id())
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        // What is another's by now is left alone. Whoever removed ours before has done the work.
        if self.is_recorded() {
            let _ = fs::remove_file(self.address.record());
        }
        let is_ours = fs::symlink_metadata(self.address.socket()).is_ok_and(|file| id(&file) == self.file);
        if is_ours && self.owner == Owner::Us {
            let _ = fs::remove_file(self.address.socket());
        }
    }
}

fn bind(address: &Address) -> io::Result<(UnixListener, FileId)> {
    let path = temporary(address.socket());
    // What a process of the same number has left.
    let _ = fs::remove_file(&path);
    let listener = StdUnixListener::bind(&path)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    let file = id(&fs::symlink_metadata(&path)?);
    fs::rename(&path, address.socket())?;
    listener.set_nonblocking(true)?;
    Ok((UnixListener::from_std(listener)?, file))
}

fn adopt(inherited: Inherited) -> io::Result<(UnixListener, FileId)> {
    let file = id(&fs::symlink_metadata(inherited.path())?);
    let listener = inherited.into_listener();
    listener.set_nonblocking(true)?;
    Ok((UnixListener::from_std(listener)?, file))
}

fn id(file: &Metadata) -> FileId {
    (file.dev(), file.ino())
}

/// One that takes no more for now is listened on too.
async fn is_listened_on(path: &Path) -> bool {
    match UnixStream::connect(path).await {
        Ok(_) => true,
        Err(error) => !matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn address(directory: &Path) -> Address {
        Address::at(&directory.join("a.sock")).expect("short")
    }

    fn all(address: &Address) -> [PathBuf; 3] {
        [address.socket().to_owned(), address.lock(), address.record()]
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

    #[tokio::test]
    async fn what_somebody_has_removed_is_made_anew() {
        let directory = tempfile::tempdir().expect("a directory");
        let address = address(directory.path());
        let mut listening = Listening::open(&address).await.expect("nobody serves");
        listening.tell(Record::of(&address, std::process::id())).expect("it can be written");
        let early = UnixStream::connect(address.socket()).await.expect("it listens");
        let served = listening.accept().await.expect("us");
        assert_eq!(listening.look().await.expect("it can be looked at"), Standing::Whole);
        for gone in [&[address.socket().to_owned()][..], &[address.lock(), address.record()], &all(&address)] {
            gone.iter().for_each(|path| fs::remove_file(path).expect("it is there"));
            assert_eq!(listening.look().await.expect("it can be mended"), Standing::Mended, "{gone:?}");
            assert_eq!(listening.look().await.expect("it can be looked at"), Standing::Whole, "{gone:?}");
            let mode = fs::metadata(address.socket()).expect("a socket").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            UnixStream::connect(address.socket()).await.expect("it listens");
            listening.accept().await.expect("us");
            assert!(Lock::try_take(&address.lock()).expect("it can be looked at").is_none(), "{gone:?}");
        }
        early.try_write(b"x").expect("it goes on");
        served.readable().await.expect("it goes on");
        drop(listening);
        assert_eq!(fs::read_dir(directory.path()).expect("a directory").count(), 0);
    }

    #[tokio::test]
    async fn one_whose_address_is_anothers_makes_way_and_leaves_it_alone() {
        let directory = tempfile::tempdir().expect("a directory");
        let address = address(directory.path());
        let mut lost = Listening::open(&address).await.expect("nobody serves");
        all(&address).iter().take(2).for_each(|path| fs::remove_file(path).expect("it is there"));
        let mut next = Listening::open(&address).await.expect("nobody is found");
        next.tell(Record::of(&address, std::process::id())).expect("it can be written");
        assert_eq!(lost.look().await.expect("it can be looked at"), Standing::Taken);
        fs::write(address.record(), "another's").expect("a record");
        drop(lost);
        assert!(address.record().exists() && address.socket().exists() && address.lock().exists());
        // With the lock in place as well, as when systemd begins to listen there.
        fs::remove_file(address.socket()).expect("it is there");
        let listener = StdUnixListener::bind(address.socket()).expect("a socket");
        assert_eq!(next.look().await.expect("it can be looked at"), Standing::Taken);
        drop(listener);
        assert_eq!(next.look().await.expect("it can be looked at"), Standing::Mended, "nobody listens there");
        fs::remove_file(address.socket()).expect("it is there");
        fs::write(address.socket(), "precious").expect("a file");
        assert!(matches!(next.look().await, Err(ListenError::Address(AddressError::Occupied { .. }))));
    }

    #[tokio::test(start_paused = true)]
    async fn a_socket_of_another_program_is_left_alone() {
        let directory = tempfile::tempdir().expect("a directory");
        let address = address(directory.path());
        let listener = StdUnixListener::bind(address.socket()).expect("a socket");
        let said = Listening::open(&address).await.err().expect("it is listened on").to_string();
        assert!(said.contains("systemctl --user stop open-think.socket"), "{said}");
        Record::of(&address, std::process::id()).write(&address).expect("it can be written");
        let said = Listening::open(&address).await.err().expect("one serves without a lock").to_string();
        assert!(said.contains("serves") && said.contains("version 1.0.0"), "{said}");
        drop(listener);
        Listening::open(&address).await.expect("nobody listens there any more");
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
