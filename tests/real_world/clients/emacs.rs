//! The package for Emacs, with a model's API from npm.

use std::process::Command;

use super::{CLIENTS, passes};
use crate::finds::finds;
use crate::npm;
use crate::skipped::skipped;

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
    let mut tests = Command::new("emacs");
    tests.args(["-Q", "--batch", "-L", ".", "-l", "tests/all.el", "-f", "ert-run-tests-batch-and-exit"]);
    tests.current_dir(format!("{CLIENTS}/emacs")).env("OPEN_THINK_TEST_UPSTREAM", node.join("upstream.mjs"));
    let said = passes("emacs", &mut tests);
    assert!(!said.contains("SKIPPED"), "here is all that its tests need: {said}");
}
