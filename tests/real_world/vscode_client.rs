//! The extension for VS Code passes its own tests and packs, away from this checkout.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use crate::home::PROGRAM;
use crate::needs::has;
use crate::npm;

/// What is made there, or is another's business.
const LEFT_OUT: [&str; 3] = ["node_modules", "dist", "build"];

#[test]
fn the_extension_for_vs_code_passes_its_tests() {
    if !(has("node") && has("npm")) {
        return;
    }
    let clients = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("extension/clients");
    let extension = target.join("vscode");
    for old in ["vscode/src", "vscode/test", "typescript"] {
        let _ = fs::remove_dir_all(target.join(old));
    }
    // It is built from both; packages are installed for itself alone.
    copy(&clients.join("typescript"), &target.join("typescript"));
    copy(&clients.join("vscode"), &extension);
    npm::ci(&extension);
    let test = Command::new("npm").arg("test").current_dir(&extension).env("OPEN_THINK_BIN", PROGRAM).output();
    let test = test.expect("npm starts");
    let said = String::from_utf8_lossy(&test.stdout);
    assert!(test.status.success(), "{said}\n{}", String::from_utf8_lossy(&test.stderr));
    for figure in said.lines().filter(|line| line.contains("bytes packed") || line.contains("activated in")) {
        let _ = writeln!(std::io::stderr(), "clients/vscode: {figure}");
    }
}

fn copy(source: &Path, target: &Path) {
    fs::create_dir_all(target).expect("a directory under target");
    for entry in fs::read_dir(source).expect("the package") {
        let source = entry.expect("a file of it").path();
        let name = source.file_name().expect("a file has a name");
        if LEFT_OUT.iter().any(|left_out| name == *left_out) {
            continue;
        }
        if source.is_dir() {
            copy(&source, &target.join(name));
        } else {
            fs::copy(&source, target.join(name)).expect("a copy");
        }
    }
}
