//! How a test that cannot run says so.

use std::io::Write;

/// Straight to standard error: what a test that passes prints in the usual way is seen by nobody.
pub fn skipped(why: &str) {
    let thread = std::thread::current();
    let _ = writeln!(std::io::stderr(), "{}: skipped: {why}", thread.name().unwrap_or_default());
}
