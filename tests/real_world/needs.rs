//! What a test needs of the machine.

use std::process::Command;

use crate::skipped::skipped;

/// Skips the tests whose program is not there, by the word of whoever runs them.
const SKIP: &str = "OPEN_THINK_SKIP_REAL_WORLD";

/// Whether a test may go on. Without the program it fails, unless it was said that it need not be there.
pub fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success());
    let skip = std::env::var_os(SKIP).is_some_and(|value| value == "1");
    assert!(
        found || skip,
        "{program} is needed for this test: install it, or set {SKIP}=1 to do without what needs it"
    );
    if !found {
        skipped(&format!("there is no {program} on this machine, and {SKIP}=1 is set"));
    }
    found
}
