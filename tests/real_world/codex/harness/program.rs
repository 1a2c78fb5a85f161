//! The real program, from npm.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::npm;
use crate::skipped::skipped;

const PROJECT: &str = "codex/npm";

/// With one that the daemon has to refuse: it knows websockets and no sockets, and other words.
const OLD_PROJECT: &str = "codex/npm_old";

/// The package with the binary, and the folder in it, for the platforms that there are binaries for.
const PLATFORMS: [(&str, &str, &str, &str); 4] = [
    ("linux", "x86_64", "codex-linux-x64", "x86_64-unknown-linux-musl"),
    ("linux", "aarch64", "codex-linux-arm64", "aarch64-unknown-linux-musl"),
    ("macos", "x86_64", "codex-darwin-x64", "x86_64-apple-darwin"),
    ("macos", "aarch64", "codex-darwin-arm64", "aarch64-apple-darwin"),
];

/// The binary itself, without the script around it. None, and said so, where there is none.
pub fn codex() -> Option<&'static Path> {
    static FOUND: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    FOUND.get_or_init(|| find(PROJECT, "bin/codex")).as_deref().map_err(|why| skipped(why)).ok()
}

/// Of a version that is too old.
pub fn old_codex() -> Option<&'static Path> {
    static FOUND: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let found = || match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => find(OLD_PROJECT, "codex/codex"),
        (os, architecture) => {
            Err(format!("an old Codex is installed on linux on x86_64, and this is {os} on {architecture}"))
        }
    };
    FOUND.get_or_init(found).as_deref().map_err(|why| skipped(why)).ok()
}

fn find(project: &str, program: &str) -> Result<PathBuf, String> {
    let (os, architecture) = (std::env::consts::OS, std::env::consts::ARCH);
    let platform = PLATFORMS.iter().find(|platform| (platform.0, platform.1) == (os, architecture));
    let Some((_, _, package, target)) = platform else {
        return Err(format!("npm has no Codex for {os} on {architecture}"));
    };
    let Some(project) = npm::installed(project) else {
        return Err("Codex comes from npm, and there is none on this machine".to_owned());
    };
    let binary = project.join("node_modules/@openai").join(package).join("vendor").join(target).join(program);
    // npm leaves an optional package out without a word when its download fails.
    assert!(binary.is_file(), "{} is missing: remove {} and try again", binary.display(), project.display());
    Ok(binary)
}
