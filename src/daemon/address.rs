//! Where a daemon is found: a path that follows from the user and the profile, so that a client that was started with
//! hardly any environment finds the same daemon as one with all of it.

use std::fmt::Write;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::unistd::{Uid, User, getuid};
use ring::digest;

use crate::config::{self, ConfigError, Platform, Sources};

/// Bytes of a socket's path. The least that systems allow is 103, and the socket is made under a longer name first.
const LONGEST: usize = 92;

/// The socket's path; what belongs to it stands beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    socket: PathBuf,
    directory: Directory,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Directory {
    /// Ours: nobody else may look into it.
    Runtime,
    /// The user's: nobody else may write to it.
    Named,
}

/// What of the user and of the command decides on the address, every path absolute.
#[derive(Clone, Debug, Default)]
struct Facts {
    uid: u32,
    /// As the system's list of users has it.
    users_home: Option<PathBuf>,
    /// `HOME`.
    home: Option<PathBuf>,
    profile: Option<String>,
    state_dir: Option<PathBuf>,
    config_file: Option<PathBuf>,
}

#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("{} {what}", path.display())]
    Unsafe { path: PathBuf, what: String },
    #[error("{} is no {wanted} and is left as it is: {}", path.display(), move_away(path))]
    Occupied { path: PathBuf, wanted: &'static str },
    #[error(
        "the socket's path is {bytes} bytes long and may have {LONGEST}: {}; choose a shorter one",
        path.display()
    )]
    TooLong { path: PathBuf, bytes: usize },
    #[error("{} cannot be used", path.display())]
    Io { path: PathBuf, source: io::Error },
}

impl Address {
    /// Of the daemon that serves these sources; nothing is made yet.
    pub fn of(sources: &Sources) -> Result<Self, AddressError> {
        let uid = getuid();
        let facts = Facts {
            uid: uid.as_raw(),
            users_home: User::from_uid(uid).ok().flatten().map(|user| user.dir),
            home: sources.home().map(absolute),
            profile: sources.profile()?,
            state_dir: sources.named_state_dir().map(absolute),
            config_file: sources.named_config_file().map(absolute),
        };
        let run = PathBuf::from(format!("/run/user/{uid}"));
        let run = Some(run).filter(|run| check(run, Directory::Runtime, uid).is_ok());
        let directory = runtime_directory(&facts, Platform::current(), run);
        Ok(Self { socket: directory.join(format!("{}.sock", name(&facts))), directory: Directory::Runtime })
    }

    /// At a path that the user chose.
    pub fn at(socket: &Path) -> Result<Self, AddressError> {
        let address = Self { socket: absolute(socket.to_owned()), directory: Directory::Named };
        let bytes = address.socket.as_os_str().len();
        if bytes > LONGEST {
            return Err(AddressError::TooLong { path: address.socket, bytes });
        }
        Ok(address)
    }

    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Whether its user chose the path, where no command looks for a daemon.
    pub fn is_named(&self) -> bool {
        self.directory == Directory::Named
    }

    /// Held by the daemon for as long as it serves.
    pub fn lock(&self) -> PathBuf {
        self.beside("lock")
    }

    /// Held by a client that starts a daemon.
    pub fn spawn_lock(&self) -> PathBuf {
        self.beside("spawn")
    }

    pub fn record(&self) -> PathBuf {
        self.beside("json")
    }

    /// Makes the directory, or makes sure that it can be trusted, and that nobody else's things are in the way there.
    pub fn prepare(&self) -> Result<(), AddressError> {
        let directory = self.socket.parent().unwrap_or(Path::new("/"));
        if self.directory == Directory::Runtime {
            let made = DirBuilder::new().recursive(false).mode(0o700).create(directory);
            let made = made.or_else(|error| match error.kind() {
                io::ErrorKind::AlreadyExists => Ok(()),
                io::ErrorKind::NotFound => DirBuilder::new().recursive(true).mode(0o700).create(directory),
                _ => Err(error),
            });
            made.map_err(|source| AddressError::Io { path: directory.to_owned(), source })?;
        }
        check(directory, self.directory, getuid())?;
        self.check_places()
    }

    /// A link counts as somebody else's: what it leads to is not ours to touch.
    fn check_places(&self) -> Result<(), AddressError> {
        let files = [self.lock(), self.spawn_lock(), self.record()].map(|path| (path, "file"));
        for (path, wanted) in [(self.socket.clone(), "socket")].into_iter().chain(files) {
            match fs::symlink_metadata(&path).map(|found| found.file_type()) {
                Ok(found) if wanted == "socket" && found.is_socket() || wanted == "file" && found.is_file() => {}
                Ok(_) => return Err(AddressError::Occupied { path, wanted }),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(AddressError::Io { path, source }),
            }
        }
        Ok(())
    }

    fn beside(&self, extension: &str) -> PathBuf {
        match self.socket.extension().is_some_and(|extension| extension == "sock") {
            true => self.socket.with_extension(extension),
            false => {
                let mut name = self.socket.clone().into_os_string();
                name.push(".");
                name.push(extension);
                name.into()
            }
        }
    }
}

/// The system's directory for what lives as long as the user is there, whether or not the environment names it.
fn runtime_directory(facts: &Facts, platform: Platform, run: Option<PathBuf>) -> PathBuf {
    let below_home = facts.users_home.as_ref().filter(|_| platform == Platform::MacOs);
    match (run, below_home) {
        (Some(run), _) => run.join("open-think"),
        (None, Some(home)) => home.join("Library/Application Support/open-think/run"),
        (None, None) => PathBuf::from(format!("/tmp/open-think-{}", facts.uid)),
    }
}

/// What was named explicitly makes another daemon; what only custom says does not, since it differs from client to
/// client.
fn name(facts: &Facts) -> String {
    let elsewhere = facts.home.as_ref().filter(|home| facts.users_home.as_ref().is_none_or(|users| &users != home));
    let places = [elsewhere, facts.state_dir.as_ref(), facts.config_file.as_ref()];
    let profile = facts.profile.as_deref().unwrap_or(config::DEFAULT);
    if places.iter().all(Option::is_none) {
        return profile.to_owned();
    }
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(profile.as_bytes());
    for place in places {
        // No path holds it, and none is empty.
        context.update(b"\0");
        context.update(place.map_or(&[], |path| path.as_os_str().as_bytes()));
    }
    hex(&context.finish().as_ref()[..8])
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Without what does not matter, as a slash at the end.
fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path).components().collect()
}

fn check(path: &Path, directory: Directory, uid: Uid) -> Result<(), AddressError> {
    let found = match directory {
        Directory::Runtime => fs::symlink_metadata(path),
        Directory::Named => fs::metadata(path),
    };
    let found = found.map_err(|source| AddressError::Io { path: path.to_owned(), source })?;
    let fault = fault(found.is_dir(), found.uid(), found.mode() & 0o7777, uid.as_raw(), directory);
    let shown = path.display();
    match fault {
        None => Ok(()),
        Some(Fault::NotADirectory) => Err(format!("is no directory of its own: {}", move_away(path))),
        Some(Fault::Foreign(owner)) => {
            Err(format!("belongs to user {owner}: another user may have put it there; remove it"))
        }
        Some(Fault::Open(mode)) => Err(format!("is open to other users (mode {mode:o}): run chmod 700 '{shown}'")),
    }
    .map_err(|what| AddressError::Unsafe { path: path.to_owned(), what })
}

fn move_away(path: &Path) -> String {
    let shown = path.display();
    format!("move it away, as in mv '{shown}' '{shown}.old'")
}

#[derive(Debug, PartialEq)]
enum Fault {
    NotADirectory,
    Foreign(u32),
    Open(u32),
}

fn fault(is_directory: bool, owner: u32, mode: u32, uid: u32, directory: Directory) -> Option<Fault> {
    const STICKY: u32 = 0o1000;
    let (trusted, open) = match directory {
        Directory::Runtime => (owner == uid, mode & 0o077 != 0),
        // In a directory such as /tmp nobody can put another file in the place of ours.
        Directory::Named => (owner == uid || owner == 0, mode & 0o022 != 0 && mode & STICKY == 0),
    };
    match () {
        () if !is_directory => Some(Fault::NotADirectory),
        () if !trusted => Some(Fault::Foreign(owner)),
        () if open => Some(Fault::Open(mode)),
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use nix::unistd::getuid;

    use super::*;

    fn facts() -> Facts {
        Facts { uid: 1000, users_home: Some("/home/u".into()), home: Some("/home/u".into()), ..Facts::default() }
    }

    #[test]
    fn the_name_depends_on_what_was_named_and_not_on_how_much_is_known() {
        assert_eq!(name(&facts()), "default");
        assert_eq!(name(&Facts { home: None, ..facts() }), "default");
        assert_eq!(name(&Facts { profile: Some("work".into()), ..facts() }), "work");
        let mut names = vec![
            name(&Facts { home: Some("/tmp/h".into()), ..facts() }),
            name(&Facts { state_dir: Some("/tmp/h".into()), ..facts() }),
            name(&Facts { config_file: Some("/tmp/h".into()), ..facts() }),
            name(&Facts { config_file: Some("/tmp/h".into()), profile: Some("work".into()), ..facts() }),
        ];
        assert!(names.iter().all(|name| name.len() == 16), "{names:?}");
        // It must be the same in the next version.
        assert_eq!(names[0], "6194f841a34ed9c3");
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 4);
    }

    #[test]
    fn the_directory_is_the_systems_for_the_user_or_one_of_our_own() {
        let run = || Some(PathBuf::from("/run/user/1000"));
        let of = |platform, run| runtime_directory(&facts(), platform, run).display().to_string();
        assert_eq!(of(Platform::Unix, run()), "/run/user/1000/open-think");
        assert_eq!(of(Platform::Unix, None), "/tmp/open-think-1000");
        assert_eq!(of(Platform::MacOs, None), "/home/u/Library/Application Support/open-think/run");
    }

    #[test]
    fn what_belongs_to_a_socket_stands_beside_it() {
        let beside = |socket: &str| Address::at(Path::new(socket)).expect("short").lock().display().to_string();
        assert_eq!(beside("/a/default.sock"), "/a/default.lock");
        assert_eq!(beside("/a/mine"), "/a/mine.lock");
    }

    #[test]
    fn a_path_that_is_too_long_is_refused_with_the_limit() {
        let error = Address::at(&Path::new("/").join("x".repeat(LONGEST))).expect_err("one byte more");
        assert!(error.to_string().contains(&format!("{} bytes long and may have {LONGEST}", LONGEST + 1)), "{error}");
        assert!(Address::at(&Path::new("/").join("x".repeat(LONGEST - 1))).is_ok());
    }

    #[test]
    fn directories_of_others_and_for_others_are_not_trusted() {
        use Directory::{Named, Runtime};
        let runtime = |owner, mode| fault(true, owner, mode, 1000, Runtime);
        assert_eq!(runtime(1000, 0o700), None);
        assert_eq!(runtime(0, 0o700), Some(Fault::Foreign(0)));
        assert_eq!(runtime(1000, 0o750), Some(Fault::Open(0o750)));
        let named = |owner, mode| fault(true, owner, mode, 1000, Named);
        assert_eq!(named(1000, 0o755), None);
        assert_eq!(named(0, 0o1777), None);
        assert_eq!(named(1001, 0o700), Some(Fault::Foreign(1001)));
        assert_eq!(named(1000, 0o775), Some(Fault::Open(0o775)));
        assert_eq!(fault(false, 1000, 0o700, 1000, Named), Some(Fault::NotADirectory));
    }

    #[test]
    fn a_link_or_an_open_directory_in_place_of_ours_is_refused_and_said() {
        let base = tempfile::tempdir().expect("a directory");
        let at = |name: &str| Address { socket: base.path().join(name).join("a.sock"), directory: Directory::Runtime };
        at("new").prepare().expect("it is made");
        let made = fs::metadata(base.path().join("new")).expect("it is there");
        assert_eq!((made.mode() & 0o777, made.uid()), (0o700, getuid().as_raw()));
        symlink(base.path().join("new"), base.path().join("link")).expect("a link");
        let error = at("link").prepare().expect_err("a link").to_string();
        assert!(error.contains("link is no directory") && error.contains("mv '"), "{error}");
        fs::set_permissions(base.path().join("new"), fs::Permissions::from_mode(0o755)).expect("a mode");
        let error = at("new").prepare().expect_err("open").to_string();
        assert!(error.contains("mode 755") && error.contains("chmod 700"), "{error}");
    }
}
