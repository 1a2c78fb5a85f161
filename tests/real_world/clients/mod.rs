//! The packages in `clients` pass their own tests against the built program, and start as their pages say.
//!
//! What is measured there, and what is left out, is printed.

mod emacs;
mod neovim;
mod python;
mod starts;
mod typescript;
mod vscode;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::home::PROGRAM;
use crate::npm;

const CLIENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clients");

/// What marks the lines that are worth repeating.
const WORTH_SAYING: [&str; 6] = ["bytes packed", "bytes in", "connected in", "activated in", "# SKIP", "not tried"];

/// Runs the tests of a package and gives all that they said.
#[track_caller]
fn passes(package: &str, tests: &mut Command) -> String {
    let Output { status, stdout, stderr } = tests.env("OPEN_THINK_BIN", PROGRAM).output().expect("they start");
    let said = [stdout, stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).join("\n");
    assert!(status.success(), "{said}");
    for line in said.lines().filter(|line| WORTH_SAYING.iter().any(|words| line.contains(words))) {
        // Not by a macro whose output tests keep to themselves.
        let _ = writeln!(std::io::stderr(), "clients/{package}: {line}");
    }
    said
}

/// A copy of packages away from this checkout, with what npm has for the first of them.
fn copied(folder: &str, packages: &[&str]) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join(folder);
    for package in packages {
        for old in ["src", "test", "dist", "build"] {
            let _ = fs::remove_dir_all(target.join(package).join(old));
        }
        copy(&Path::new(CLIENTS).join(package), &target.join(package));
    }
    let package = target.join(packages[0]);
    npm::ci(&package);
    package
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
