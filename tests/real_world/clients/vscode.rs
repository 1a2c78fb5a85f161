//! The extension for VS Code, which is built with the sources of the npm package and packed as well.

use std::process::Command;

use super::{copied, passes};
use crate::needs::has;

#[test]
fn the_extension_for_vs_code_passes_its_tests() {
    if has("node") && has("npm") {
        let extension = copied("extension", &["vscode", "typescript"]);
        passes("vscode", Command::new("npm").arg("test").current_dir(extension));
    }
}
