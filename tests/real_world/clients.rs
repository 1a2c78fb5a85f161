//! The packages that clients are made with pass their own tests, away from this checkout.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use crate::home::PROGRAM;
use crate::needs::has;
use crate::npm;

/// What marks the lines of figures, and of what was left out.
const WORTH_SAYING: [&str; 4] = ["bytes packed", "connected in", "# SKIP", "not tried"];

#[test]
fn the_typescript_package_passes_its_tests() {
    if !(has("node") && has("npm")) {
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("packages");
    let package = target.join("clients/typescript");
    for old in ["src", "test", "dist", "build"] {
        let _ = fs::remove_dir_all(package.join(old));
    }
    copy(&root.join("schema"), &target.join("schema"));
    copy(&root.join("clients/typescript"), &package);
    npm::ci(&package);
    let test = Command::new("npm").arg("test").current_dir(&package).env("OPEN_THINK_BIN", PROGRAM).output();
    let test = test.expect("npm starts");
    let said = String::from_utf8_lossy(&test.stdout);
    assert!(test.status.success(), "{said}\n{}", String::from_utf8_lossy(&test.stderr));
    for line in said.lines().filter(|line| WORTH_SAYING.iter().any(|words| line.contains(words))) {
        let _ = writeln!(std::io::stderr(), "clients/typescript: {line}");
    }
}

/// All but what is made there.
fn copy(source: &Path, target: &Path) {
    const MADE: [&str; 3] = ["node_modules", "dist", "build"];
    fs::create_dir_all(target).expect("a directory under target");
    for entry in fs::read_dir(source).expect("the package") {
        let source = entry.expect("a file of it").path();
        let name = source.file_name().expect("a file has a name");
        if MADE.iter().any(|made| name == *made) {
            continue;
        }
        if source.is_dir() {
            copy(&source, &target.join(name));
        } else {
            fs::copy(&source, target.join(name)).expect("a copy");
        }
    }
}
