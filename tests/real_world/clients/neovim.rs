//! The plugin for Neovim.

use std::path::PathBuf;
use std::process::Command;

use super::{CLIENTS, passes};
use crate::needs::has;
use crate::npm;
use crate::skipped::skipped;

const UNPACKED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/neovim/trixie/nvim");

#[test]
fn the_neovim_plugin_passes_its_tests() {
    let Some(neovim) = new_enough() else {
        return skipped("there is no Neovim 0.10 or later: .ci/neovim gets one, or OPEN_THINK_NVIM names it");
    };
    if !has("python3") {
        return;
    }
    let Some(upstream) = npm::installed("node") else { return };
    let mut tests = Command::new(&neovim);
    tests.args(["--headless", "-u", "NONE", "-i", "NONE", "-l", "tests/run.lua"]);
    tests.current_dir(format!("{CLIENTS}/neovim")).env("OPEN_THINK_NVIM", &neovim).env("OPEN_THINK_UPSTREAM", upstream);
    let said = passes("neovim", &mut tests);
    assert!(!said.contains("skipped: "), "here is all that its tests need: {said}");
}

/// The one that is named, that of the machine, or that which `.ci/neovim` has unpacked.
fn new_enough() -> Option<PathBuf> {
    let named = std::env::var_os("OPEN_THINK_NVIM").map(PathBuf::from);
    let mut candidates = named.into_iter().chain(["nvim", UNPACKED].map(PathBuf::from));
    candidates.find(|neovim| {
        let has_it = ["--headless", "-u", "NONE", "-i", "NONE", "+if !has('nvim-0.10') | cquit | endif", "+qall"];
        Command::new(neovim).args(has_it).output().is_ok_and(|output| output.status.success())
    })
}
