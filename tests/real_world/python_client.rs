//! The Python client's own tests, against the built program.

use std::process::{Command, Output};

use crate::home::PROGRAM;
use crate::needs::has;
use crate::skipped::skipped;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/python");

/// Ends with 0 if the client can be used with this Python.
const IS_NEW_ENOUGH: &str = "import sys; sys.exit(sys.version_info < (3, 10))";

#[test]
fn the_python_client_passes_its_tests() {
    if !has("python3") {
        return;
    }
    let asked = Command::new("python3").args(["-c", IS_NEW_ENOUGH]).status();
    if !asked.is_ok_and(|status| status.success()) {
        return skipped("the python3 of this machine is older than 3.10");
    }
    let Output { status, stderr, .. } = Command::new("python3")
        .args(["-m", "unittest", "discover"])
        .current_dir(FOLDER)
        .env("OPEN_THINK_BIN", PROGRAM)
        .env("PYTHONPATH", "src")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .expect("Python starts");
    let said = String::from_utf8_lossy(&stderr);
    // In a checkout there is all that its tests need.
    assert!(status.success() && !said.contains("skipped="), "{said}");
}
