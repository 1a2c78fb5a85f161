//! The log: JSON lines in the state directory, for the user alone. Nothing goes to standard output or error.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use tracing::Metadata;
use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use super::telemetry;
use crate::config::Config;

const FILE: &str = "open-think.log";

/// A longer file makes way for a new one; the one before it is kept.
const MAX_BYTES: u64 = 8 * 1024 * 1024;

pub fn path(state_dir: &Path) -> PathBuf {
    state_dir.join(FILE)
}

/// A log that cannot be written is no reason not to serve; the error is for whoever wants to tell the user.
pub fn start(config: &Config) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&config.state_dir)?;
    let file = LogFile::open(path(&config.state_dir), MAX_BYTES)?;
    let filter = EnvFilter::try_new(&config.log.filter).unwrap_or_else(|_| EnvFilter::new("info"));
    // Spans are for a collector alone: without one they cost nothing.
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .log_internal_errors(false)
        .with_writer(Mutex::new(file))
        .with_filter(filter.and(filter_fn(is_event)));
    let subscriber = tracing_subscriber::registry().with(lines).with(telemetry::layer(&config.telemetry));
    // A process that has a log already, as a test has, keeps it.
    let _ = subscriber.try_init();
    Ok(())
}

fn is_event(metadata: &Metadata<'_>) -> bool {
    metadata.is_event()
}

/// From now on a panic is told to the log instead of standard error, which editors show to their users.
pub fn take_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or("no message");
        let location = panic.location().map(ToString::to_string);
        tracing::error!(location, message, "panicked");
    }));
}

/// Several processes may write to it: one that finds its file full goes on in the one that another has begun.
struct LogFile {
    path: PathBuf,
    file: File,
    max_bytes: u64,
}

impl LogFile {
    fn open(path: PathBuf, max_bytes: u64) -> io::Result<Self> {
        if fs::metadata(&path).is_ok_and(|file| file.len() > max_bytes) {
            fs::rename(&path, path.with_extension("log.1"))?;
        }
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path)?;
        Ok(Self { path, file, max_bytes })
    }
}

impl Write for LogFile {
    /// Called once a line.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.file.metadata().is_ok_and(|file| file.len() > self.max_bytes)
            && let Ok(next) = Self::open(self.path.clone(), self.max_bytes)
        {
            *self = next;
        }
        self.file.write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use super::LogFile;

    #[test]
    fn a_file_that_is_full_makes_way_for_a_new_one_for_all_who_write() {
        let directory = tempfile::TempDir::new().expect("a temporary directory");
        let path = directory.path().join("a.log");
        let mut logs = [0, 1].map(|_| LogFile::open(path.clone(), 10).expect("it opens"));
        for line in ["0123456789\n", "new\n", "too\n", "9876543210\n", "newer\n"] {
            for log in &mut logs {
                log.write_all(line.as_bytes()).expect("it can be written");
            }
        }
        let text = |path| fs::read_to_string(path).expect("it is there");
        assert!(text(path.clone()).len() < 40, "{}", text(path.clone()));
        assert_eq!(text(path.clone()).lines().last(), Some("newer"));
        assert!(fs::read_dir(directory.path()).expect("a directory").count() == 2);
        assert!(text(path.with_extension("log.1")).contains("9876543210"));
    }
}
