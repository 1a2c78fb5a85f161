//! The few lines that the page of the clients gives for a start do what they say.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Command, Output};

use super::{CLIENTS, copied};
use crate::home::{Home, PROGRAM};
use crate::needs::has;

/// The first block of a language below a heading of `clients/README.md`.
fn block(heading: &str, language: &str) -> String {
    let page = fs::read_to_string(format!("{CLIENTS}/README.md")).expect("the page of the clients");
    let below = page.split_once(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("no {heading}")).1;
    let begun = below.split_once(&format!("```{language}\n")).unwrap_or_else(|| panic!("no {language}")).1;
    begun.split_once("```").expect("the end of the block").0.to_owned()
}

/// Runs it where `open-think` is on the path, and gives what it printed.
fn run(home: &Home, program: &str, prepare: impl FnOnce(&mut Command)) -> String {
    let bin = home.path().join("bin");
    fs::create_dir_all(&bin).expect("a directory");
    symlink(PROGRAM, bin.join("open-think")).expect("a link");
    let mut command = home.command(program);
    command.env("PATH", format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default()));
    prepare(&mut command);
    let Output { status, stdout, stderr } = command.output().expect("it starts");
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).expect("text")
}

/// What Helm answers to what the page asks.
fn is_the_answer(said: &str) {
    assert!(said.contains("No model is configured"), "{said}");
}

#[test]
fn the_start_for_typescript_works() {
    if !(has("node") && has("npm")) {
        return;
    }
    let package = copied("starts", &["typescript"]);
    let built = Command::new("npm").args(["run", "build"]).current_dir(&package).output().expect("npm starts");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stdout));
    // Without types it is JavaScript; within the package its own name stands for it.
    let script = package.join("start.mjs");
    fs::write(&script, block("TypeScript", "ts")).expect("a file");
    is_the_answer(&run(&Home::new(), "node", |node| {
        node.arg(script);
    }));
}

#[test]
fn the_start_for_python_works() {
    if has("python3") {
        let script = block("Python", "python");
        let sources = format!("{CLIENTS}/python/src");
        let said = run(&Home::new(), "python3", |python| {
            python.env("PYTHONPATH", sources).env("PYTHONDONTWRITEBYTECODE", "1").args(["-c", &script]);
        });
        is_the_answer(&said);
    }
}

#[test]
fn the_start_for_anything_else_works() {
    let script = block("Anything else", "sh");
    is_the_answer(&run(&Home::new(), "sh", |shell| {
        shell.args(["-c", &script]);
    }));
}
