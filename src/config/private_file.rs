//! Files that only their owner may read. Whoever writes one holds a lock on it, or is alone with it.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Whole or not at all, for those who read it.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    put(path, bytes, |_| Ok(()))
}

/// As [`write()`], and on the disk when this returns.
pub fn keep(path: &Path, bytes: &[u8]) -> io::Result<()> {
    put(path, bytes, File::sync_all)
}

fn put(path: &Path, bytes: &[u8], settle: impl FnOnce(&File) -> io::Result<()>) -> io::Result<()> {
    let new = beside(path, "new");
    let mut file = create(&new)?;
    let written = file.write_all(bytes).and_then(|()| settle(&file));
    written.and_then(|()| fs::rename(&new, path)).inspect_err(|_| drop(fs::remove_file(&new)))
}

/// In the place of one that was left there, which may have other rights.
pub fn create(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => OpenOptions::new().write(true).create_new(true).mode(0o600).open(path),
    }
}

/// The same name with something behind it.
pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".");
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn it_is_private_whatever_was_there_and_leaves_nothing_behind() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("a.json");
        for left in [path.clone(), beside(&path, "new")] {
            fs::write(&left, "left").expect("a file");
            fs::set_permissions(&left, fs::Permissions::from_mode(0o644)).expect("it is ours");
        }
        write(&path, b"quince").expect("it can be written");
        assert_eq!(fs::read(&path).expect("a file"), b"quince");
        assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(directory.path()).expect("a directory").count(), 1);
        assert!(write(&directory.path().join("none/a"), b"").is_err());
        let taken = directory.path().join("taken");
        fs::create_dir(&taken).expect("a directory");
        assert!(write(&taken, b"").is_err());
        assert!(!beside(&taken, "new").exists());
    }
}
