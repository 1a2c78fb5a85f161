//! The units that are written, as systemd reads them.

use std::process::Command;

use crate::home::{Home, PROGRAM};
use crate::skipped::skipped;

#[test]
fn systemd_finds_no_fault_in_the_units() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        return skipped("there is no systemd-analyze on this machine");
    }
    let home = Home::new();
    let run = |program: &str, args: &[&str]| {
        let output = home.command(program).args(args).output().expect("it starts");
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.success(), said)
    };
    let (installed, said) = run(PROGRAM, &["service", "install"]);
    assert!(installed, "{said}");
    let units: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix("wrote ")).collect();
    assert_eq!(units.len(), 2, "{said}");
    let (good, found) = run("systemd-analyze", &[&["verify", "--user"], &units[..]].concat());
    assert!(good && !found.contains("open-think."), "{found}");
}
