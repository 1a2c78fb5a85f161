//! Packages from npm at the versions of a lock file, installed once under `target`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::needs::has;

/// The folder below `target` to which the files of this one, below `tests/real_world`, were copied and where their
/// packages are. None where there is no Node.
///
/// Several test processes may come here at once; the first one works, the others wait for it.
pub fn installed(project: &str) -> Option<PathBuf> {
    if !(has("node") && has("npm")) {
        return None;
    }
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real_world").join(project);
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join(project);
    fs::create_dir_all(&target).expect("a directory under target");
    let lock = File::create(target.join("lock")).expect("a lock file");
    lock.lock().expect("the lock");
    for entry in fs::read_dir(sources).expect("the project") {
        let source = entry.expect("a file of it").path();
        if source.is_file() {
            copy(&source, &target);
        }
    }
    ci(&target);
    Some(target)
}

/// Installs what the lock file of this folder names, unless that is done.
pub fn ci(directory: &Path) {
    let wanted = fs::read_to_string(directory.join("package-lock.json")).expect("a lock file");
    let stamp = directory.join("installed");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return;
    }
    let npm = Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(directory).output();
    let npm = npm.expect("npm starts");
    assert!(npm.status.success(), "npm ci failed: {}", String::from_utf8_lossy(&npm.stderr));
    fs::write(stamp, wanted).expect("a stamp");
}

/// Leaves alone what is the same: another process may be reading it.
fn copy(source: &Path, directory: &Path) {
    let target = directory.join(source.file_name().expect("a file has a name"));
    let text = fs::read(source).expect("a file of the project");
    if fs::read(&target).ok().as_ref() != Some(&text) {
        fs::write(target, text).expect("a copy");
    }
}
