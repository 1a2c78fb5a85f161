//! The Python client's own tests, against the built program.

use std::process::{Command, Output};

use crate::home::PROGRAM;
use crate::skipped::skipped;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/python");

/// Ends with 0 if the client can be used with this Python.
const IS_NEW_ENOUGH: &str = "import sys; sys.exit(sys.version_info < (3, 10))";

#[test]
fn the_python_client_passes_its_tests() {
    let asked = Command::new("python3").args(["-c", IS_NEW_ENOUGH]).status();
    if !asked.is_ok_and(|status| status.success()) {
        skipped("there is no Python 3.10 or later on this machine");
        return;
    }
    let Output { status, stderr, .. } = Command::new("python3")
        .args(["-m", "unittest", "discover"])
        .current_dir(FOLDER)
        .env("OPEN_THINK_BIN", PROGRAM)
        .env("PYTHONPATH", "src")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .expect("Python starts");
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
}
