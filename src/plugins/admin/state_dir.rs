//! Whether the state directory can be written to, and whether its disk has room. Asks the system and writes nothing.

use std::path::Path;

use nix::sys::statvfs::{Statvfs, statvfs};
use nix::unistd::{AccessFlags, access};

use super::health::Issue;

const MEBIBYTE: u64 = 1024 * 1024;
/// Less than this fills up in a day of use.
const LOW: u64 = 100 * MEBIBYTE;
/// Less than this may refuse the next message.
const EXHAUSTED: u64 = MEBIBYTE;

pub(super) fn check(dir: &Path) -> Vec<Issue> {
    // One that is not there yet is made when the first session is; what counts is where it would be made.
    let Some(nearest) = dir.ancestors().find(|ancestor| ancestor.exists()) else { return Vec::new() };
    let shown = dir.display();
    if !nearest.is_dir() {
        let problem = format!("The state directory {shown} cannot be made: {} is a file.", nearest.display());
        return vec![Issue::error(&problem, "Move that file away, or set OPEN_THINK_STATE_DIR.")];
    }
    let mut issues = Vec::new();
    if let Err(reason) = access(nearest, AccessFlags::W_OK | AccessFlags::X_OK) {
        let problem = format!("The state directory {shown} is not writable: {}.", reason.desc());
        issues.push(Issue::error(&problem, "Change its permissions, or set OPEN_THINK_STATE_DIR."));
    }
    issues.extend(statvfs(nearest).ok().and_then(|disk| room(dir, free(&disk)?)));
    issues
}

fn room(dir: &Path, free: u64) -> Option<Issue> {
    let fix = "Free some space, or set OPEN_THINK_STATE_DIR to a directory on another disk.";
    let problem = || format!("The disk of the state directory {} has {} MiB left.", dir.display(), free / MEBIBYTE);
    match free {
        ..EXHAUSTED => Some(Issue::error(&problem(), fix)),
        EXHAUSTED..LOW => Some(Issue::warning(&problem(), fix)),
        LOW.. => None,
    }
}

/// Bytes for this user; none where the system does not count.
fn free(disk: &Statvfs) -> Option<u64> {
    let available = wide(disk.blocks_available());
    (wide(disk.blocks()) > 0).then(|| available.saturating_mul(wide(disk.fragment_size())))
}

/// These counts are of different widths on different systems.
fn wide(count: impl Into<u64>) -> u64 {
    count.into()
}

#[cfg(test)]
mod tests {
    use super::{EXHAUSTED, LOW, check, room};

    fn severity(issue: impl serde::Serialize) -> serde_json::Value {
        serde_json::to_value(issue).unwrap()["severity"].clone()
    }

    #[test]
    fn room_is_judged_by_what_is_left() {
        let dir = std::path::Path::new("/state");
        let severities = [0, EXHAUSTED - 1, EXHAUSTED, LOW - 1, LOW].map(|free| severity(room(dir, free)));
        assert_eq!(
            severities,
            ["error", "error", "warning", "warning", ""].map(|name| match name {
                "" => serde_json::Value::Null,
                name => name.into(),
            })
        );
    }

    #[test]
    fn a_directory_that_cannot_be_is_an_error() {
        let dir = tempfile::TempDir::new().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(check(&dir.path().join("not/there/yet")).is_empty());
        assert_eq!(severity(&check(&file.join("state"))[0]), "error");
        // A place where even the superuser may not write.
        if std::path::Path::new("/proc/self").exists() {
            assert_eq!(severity(&check(std::path::Path::new("/proc/self/open-think"))[0]), "error");
        }
    }
}
