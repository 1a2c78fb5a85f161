//! The log: JSON lines in the state directory, for the user alone. Nothing goes to standard output or error.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use tracing_subscriber::EnvFilter;

use crate::config::Config;

const FILE: &str = "open-think.log";

/// At the start a longer file makes way for a new one; the one before it is kept.
const MAX_BYTES: u64 = 8 * 1024 * 1024;

pub fn path(config: &Config) -> PathBuf {
    config.state_dir.join(FILE)
}

/// A log that cannot be written is no reason not to serve; the error is for whoever wants to tell the user.
pub fn start(config: &Config) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&config.state_dir)?;
    let file = open(&path(config))?;
    let filter = EnvFilter::try_new(&config.log.filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let subscriber =
        tracing_subscriber::fmt().json().flatten_event(true).with_env_filter(filter).with_writer(Mutex::new(file));
    // A process that has a log already, as a test has, keeps it.
    let _ = subscriber.try_init();
    Ok(())
}

fn open(path: &Path) -> io::Result<File> {
    if fs::metadata(path).is_ok_and(|file| file.len() > MAX_BYTES) {
        fs::rename(path, path.with_extension("log.1"))?;
    }
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}
