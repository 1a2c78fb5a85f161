//! What systemd gives to a service that it starts: a socket that listens already, and somebody to tell how the service
//! fares.
//!
//! The socket stays systemd's: it is neither moved nor removed here, and who connects while nobody serves waits there
//! until systemd has started the next daemon.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use listenfd::ListenFd;
use nix::unistd::getuid;
use sd_notify::NotifyState;

use super::address::{Address, AddressError};

/// A socket that listened before this process was there.
#[derive(Debug)]
pub struct Inherited {
    listener: UnixListener,
    path: PathBuf,
}

#[derive(Debug, thiserror::Error)]
pub enum InheritedError {
    #[error("{0} sockets were passed to this process, and it serves one: leave one ListenStream= in the socket unit")]
    Many(usize),
    #[error(
        "what was passed to this process is no socket that it can serve: {0}; the socket unit needs ListenStream=PATH"
    )]
    Unfit(io::Error),
    #[error("a connection was passed to this process in place of the socket: set Accept=no in the socket unit")]
    Connection,
    #[error("the socket that was passed to this process has no path: the socket unit needs ListenStream=PATH")]
    NoPath,
    #[error("the socket that was passed to this process is no longer at {}: restart the socket unit", .0.display())]
    Vanished(PathBuf),
    #[error("the socket at {} {what}", path.display())]
    Unsafe { path: PathBuf, what: String },
    #[error(
        "the socket that was passed to this process is at {}, and --listen says {}: leave --listen out",
        path.display(), said.display()
    )]
    Elsewhere { path: PathBuf, said: PathBuf },
    #[error("{0}")]
    Address(#[from] AddressError),
}

impl Inherited {
    /// The socket that was passed to this process, if one was. To be called once, before there is another thread: it
    /// removes what tells of the socket from the environment.
    pub fn take() -> Result<Option<Self>, InheritedError> {
        let mut passed = ListenFd::from_env();
        if passed.len() > 1 {
            // The others would be left open in every program that is started here.
            return Err(InheritedError::Many(passed.len()));
        }
        let Some(listener) = passed.take_unix_listener(0).map_err(InheritedError::Unfit)? else { return Ok(None) };
        Self::of(listener).map(Some)
    }

    fn of(listener: UnixListener) -> Result<Self, InheritedError> {
        let stream = UnixStream::from(OwnedFd::from(listener));
        if stream.peer_addr().is_ok() {
            return Err(InheritedError::Connection);
        }
        let listener = UnixListener::from(OwnedFd::from(stream));
        let address = listener.local_addr().map_err(InheritedError::Unfit)?;
        let path = address.as_pathname().ok_or(InheritedError::NoPath)?.to_owned();
        let file = fs::symlink_metadata(&path).ok().filter(|file| file.file_type().is_socket());
        let file = file.ok_or_else(|| InheritedError::Vanished(path.clone()))?;
        match fault(file.uid(), file.mode() & 0o777, getuid().as_raw()) {
            None => Ok(Self { listener, path }),
            Some(what) => Err(InheritedError::Unsafe { path, what }),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where it is served: where it is, which had better be where clients look. What was said explicitly must be that.
    pub fn address(&self, customary: &Address, said: Option<&Path>) -> Result<Address, InheritedError> {
        if is_one_file(&self.path, customary.socket()) {
            return Ok(customary.clone());
        }
        match said {
            Some(said) => Err(InheritedError::Elsewhere { path: self.path.clone(), said: said.to_owned() }),
            None => Ok(Address::at(&self.path)?),
        }
    }

    pub(super) fn into_listener(self) -> UnixListener {
        self.listener
    }
}

fn fault(owner: u32, mode: u32, uid: u32) -> Option<String> {
    match () {
        () if owner != uid => Some(format!("belongs to user {owner}: set SocketUser= in the socket unit")),
        // To connect is to write.
        () if mode & 0o022 != 0 => Some(format!("is open to other users (mode {mode:o}): set SocketMode=0600")),
        () => None,
    }
}

fn is_one_file(one: &Path, other: &Path) -> bool {
    let id = |path: &Path| fs::symlink_metadata(path).ok().map(|file| (file.dev(), file.ino()));
    one == other || id(one).is_some_and(|one| Some(one) == id(other))
}

/// What the service manager wants to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Clients can connect.
    Ready,
    /// It was decided to end.
    Stopping,
}

impl Notice {
    /// Nobody hears it where no service manager has started this process.
    pub fn send(self) {
        let state = match self {
            Self::Ready => NotifyState::Ready,
            Self::Stopping => NotifyState::Stopping,
        };
        if let Err(error) = sd_notify::notify(&[state]) {
            tracing::warn!(%error, notice = ?self, "the service manager could not be told");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn listener(path: &Path, mode: u32) -> UnixListener {
        let listener = UnixListener::bind(path).expect("a socket");
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
        listener
    }

    #[test]
    fn a_socket_is_served_where_it_is() {
        let directory = tempfile::tempdir().expect("a directory");
        let at = |name: &str| Address::at(&directory.path().join(name)).expect("short");
        let inherited = Inherited::of(listener(at("a").socket(), 0o600)).expect("it is good");
        assert_eq!(inherited.path(), at("a").socket());
        assert_eq!(inherited.address(&at("a"), Some(at("a").socket())).expect("the same"), at("a"));
        assert_eq!(inherited.address(&at("b"), None).expect("where it is"), at("a"));
        let said = inherited.address(&at("b"), Some(at("b").socket())).expect_err("not where it was said").to_string();
        assert!(said.contains("leave --listen out"), "{said}");
    }

    #[test]
    fn what_others_could_use_or_nobody_could_find_is_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let refusal = |listener| Inherited::of(listener).expect_err("it is refused").to_string();
        let open = refusal(listener(&directory.path().join("open"), 0o666));
        assert!(open.contains("mode 666") && open.contains("SocketMode=0600"), "{open}");
        let gone = listener(&directory.path().join("gone"), 0o600);
        fs::remove_file(directory.path().join("gone")).expect("it was there");
        assert!(refusal(gone).contains("no longer at"));
        let (one, _other) = UnixStream::pair().expect("a pair");
        assert!(refusal(UnixListener::from(OwnedFd::from(one))).contains("Accept=no"));
        assert_eq!(fault(1, 0o600, 0).as_deref(), Some("belongs to user 1: set SocketUser= in the socket unit"));
    }
}
