//! The Emacs package's own tests, against the built program and a model's API from npm.

use std::io::Write;
use std::process::{Command, Output};

use crate::home::PROGRAM;
use crate::finds::finds;
use crate::npm;
use crate::skipped::skipped;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/emacs");

const IS_NEW_ENOUGH: &str = "(kill-emacs (if (version< emacs-version \"28.1\") 1 0))";

#[test]
fn the_emacs_package_passes_its_tests() {
    if !finds("emacs") {
        return;
    }
    let asked = Command::new("emacs").args(["-Q", "--batch", "--eval", IS_NEW_ENOUGH]).status();
    if !asked.is_ok_and(|status| status.success()) {
        return skipped("the emacs of this machine is older than 28.1");
    }
    let Some(node) = npm::installed("node") else { return };
    let Output { status, stdout, stderr } = Command::new("emacs")
        .args(["-Q", "--batch", "-L", ".", "-l", "tests/all.el", "-f", "ert-run-tests-batch-and-exit"])
        .current_dir(FOLDER)
        .env("OPEN_THINK_BIN", PROGRAM)
        .env("OPEN_THINK_TEST_UPSTREAM", node.join("upstream.mjs"))
        .output()
        .expect("Emacs starts");
    let said = String::from_utf8_lossy(&stderr);
    // With all that its tests need, none is skipped.
    assert!(status.success() && !said.contains("SKIPPED"), "{}\n{said}", String::from_utf8_lossy(&stdout));
    for figure in said.lines().filter(|line| line.starts_with("clients/emacs: ")) {
        let _ = writeln!(std::io::stderr(), "{figure}");
    }
}
