//! What a test would like of the machine, and does without.

use crate::skipped::skipped;

/// Whether a test may go on that needs what not every machine has.
pub fn finds(program: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&paths).any(|path| path.join(program).is_file());
    if !found {
        skipped(&format!("there is no {program} on this machine"));
    }
    found
}
