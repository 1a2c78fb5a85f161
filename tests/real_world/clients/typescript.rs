//! The npm package.

use std::process::Command;

use super::{copied, passes};
use crate::needs::has;

#[test]
fn the_typescript_package_passes_its_tests() {
    if has("node") && has("npm") {
        let package = copied("packages", &["typescript"]);
        passes("typescript", Command::new("npm").arg("test").current_dir(package));
    }
}
