//! The Python package passes its own check as it is installed, against the built program and a model's API that others
//! wrote.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output};

use crate::home::{Home, PROGRAM};
use crate::needs::has;
use crate::skipped::skipped;
use crate::upstream::Upstream;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/python");

/// Ends with 0 if the client can be used with this Python.
const IS_NEW_ENOUGH: &str = "import sys; sys.exit(sys.version_info < (3, 10))";

#[test]
fn the_python_package_passes_its_tests() {
    if !has("python3") {
        return;
    }
    let asked = Command::new("python3").args(["-c", IS_NEW_ENOUGH]).status();
    if !asked.is_ok_and(|status| status.success()) {
        return skipped("the python3 of this machine is older than 3.10");
    }
    let home = Home::new();
    let upstream = Upstream::start(&home);
    let mut check = Command::new("python3");
    check.arg("check.py").arg(Path::new(env!("CARGO_TARGET_TMPDIR")).join("python")).current_dir(FOLDER);
    check.env("OPEN_THINK_BIN", PROGRAM).env("PYTHONDONTWRITEBYTECODE", "1");
    if let Some(upstream) = &upstream {
        check.env("OPEN_THINK_MODEL_URL", upstream.url());
    }
    let Output { status, stdout, stderr } = check.output().expect("Python starts");
    let (said, complaints) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{said}\n{complaints}");
    // In a checkout there is all that its tests need, but for what needs Node.
    assert_eq!(complaints.contains("skipped="), upstream.is_none(), "{complaints}");
    for figure in said.lines().filter(|line| line.contains("bytes packed") || line.contains("connected in")) {
        let _ = writeln!(std::io::stderr(), "clients/python: {figure}");
    }
}
