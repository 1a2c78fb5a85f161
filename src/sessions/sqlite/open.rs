//! The file: made private, opened, brought to the present format.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::unistd::geteuid;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use super::fault::Fault;

/// What makes version n+1 of version n. A row is never changed once it was released.
const MIGRATIONS: [&str; 4] =
    [include_str!("schema.sql"), include_str!("usage.sql"), include_str!("threads.sql"), include_str!("actions.sql")];

/// More than there are different statements.
const STATEMENTS: usize = 40;

/// How long a writer waits for other processes.
const BUSY: Duration = Duration::from_secs(5);

/// How long opening waits for other processes, over all attempts: a daemon starts behind it.
const OPEN_WAIT: Duration = Duration::from_secs(5);
/// While opening, so that no single statement uses up that time.
const OPEN_BUSY: Duration = Duration::from_millis(100);
/// When two processes turn a new file to WAL at once, one is refused without a wait.
const OPEN_PAUSE: Duration = Duration::from_millis(10);

/// A checkpoint waits for the disk, and the turn it falls into with it: a rare one is worth 16 MiB.
const CHECKPOINT_PAGES: u32 = 4000;

const PRIVATE_FILE: u32 = 0o600;
const PRIVATE_DIR: u32 = 0o700;

/// A directory of this name is made for us alone; one of another name was chosen by the user and may be shared.
const OUR_DIR: &str = "open-think";

pub(super) fn file(path: &Path) -> Result<Connection, Fault> {
    file_within(path, OPEN_WAIT)
}

/// Tries again for as long as `wait`, and once at least.
pub(super) fn file_within(path: &Path, wait: Duration) -> Result<Connection, Fault> {
    make_private(path)?;
    let begun = Instant::now();
    let connection = loop {
        match connect(path) {
            Err(Fault::Sqlite(error)) if is_busy(&error) && begun.elapsed() < wait => std::thread::sleep(OPEN_PAUSE),
            outcome => break outcome?,
        }
    };
    connection.busy_timeout(BUSY)?;
    Ok(connection)
}

fn is_busy(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
}

pub(super) fn memory() -> Result<Connection, Fault> {
    prepare(Connection::open_in_memory()?)
}

fn make_private(path: &Path) -> Result<(), Fault> {
    if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
        fs::DirBuilder::new().recursive(true).mode(PRIVATE_DIR).create(dir)?;
        if dir.file_name().is_some_and(|name| name == OUR_DIR) {
            tighten(dir, PRIVATE_DIR)?;
        }
    }
    // Only a file that is new is opened here: closing it would free the locks this process holds on an old one.
    match fs::OpenOptions::new().write(true).create_new(true).mode(PRIVATE_FILE).open(path) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => tighten(path, PRIVATE_FILE)?,
        Err(error) => return Err(error.into()),
    }
    // After the main file, whose mode SQLite gives to new ones beside it; those that are there keep theirs.
    for suffix in ["-wal", "-shm"] {
        tighten(&beside(path, suffix), PRIVATE_FILE)?;
    }
    Ok(())
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Leaves alone what belongs to another user, and what is of another kind than it should be: opening it says why.
fn tighten(path: &Path, mode: u32) -> Result<(), Fault> {
    let outcome = fs::metadata(path).and_then(|metadata| {
        let expected = if mode == PRIVATE_DIR { metadata.is_dir() } else { metadata.is_file() };
        let ours = expected && metadata.uid() == geteuid().as_raw();
        if ours && metadata.mode() & 0o077 != 0 {
            fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
        }
        Ok(())
    });
    match outcome {
        // Another process that closed the file has taken it away.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => Ok(outcome?),
    }
}

fn connect(path: &Path) -> Result<Connection, Fault> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(OPEN_BUSY)?;
    let version = version(&connection)?;
    // Asked before anything is written: a file of a newer version is left as it is.
    refuse_newer(version)?;
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    prepare(connection)
}

fn prepare(mut connection: Connection) -> Result<Connection, Fault> {
    // Enough to outlive the process: only a power cut can take the last transactions.
    connection.pragma_update(None, "synchronous", "normal")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // Or statements are planned anew whenever a parameter changes, which takes longer than running them.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    if version(&connection)? < MIGRATIONS.len() {
        migrate(&mut connection)?;
    }
    Ok(connection)
}

fn migrate(connection: &mut Connection) -> Result<(), Fault> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have been first.
    let version = version(&transaction)?;
    refuse_newer(version)?;
    for migration in &MIGRATIONS[version..] {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "user_version", MIGRATIONS.len() as i64)?;
    Ok(transaction.commit()?)
}

fn version(connection: &Connection) -> Result<usize, Fault> {
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    // A negative one was never ours.
    Ok(usize::try_from(version).unwrap_or(usize::MAX))
}

fn refuse_newer(version: usize) -> Result<(), Fault> {
    if version > MIGRATIONS.len() { Err(Fault::Newer { found: version, known: MIGRATIONS.len() }) } else { Ok(()) }
}
