//! The Python package as it is installed, with a model's API that others wrote.

use std::path::Path;
use std::process::Command;

use super::{CLIENTS, passes};
use crate::home::Home;
use crate::needs::has;
use crate::skipped::skipped;
use crate::upstream::Upstream;

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
    check.arg("check.py").arg(Path::new(env!("CARGO_TARGET_TMPDIR")).join("python"));
    check.current_dir(format!("{CLIENTS}/python")).env("PYTHONDONTWRITEBYTECODE", "1");
    if let Some(upstream) = &upstream {
        check.env("OPEN_THINK_MODEL_URL", upstream.url());
    }
    let said = passes("python", &mut check);
    // In a checkout there is all that its tests need, but for what needs Node.
    assert_eq!(said.contains("skipped="), upstream.is_none(), "{said}");
}
