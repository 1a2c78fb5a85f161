//! `service`, with a `systemctl` that writes down how it is called.

use std::os::unix::fs::PermissionsExt;

use crate::program::{Home, PROGRAM, Run};

fn run(home: &Home, args: &[&str]) -> Run {
    let mut command = home.command(PROGRAM);
    command.env("PATH", format!("{}:/usr/bin:/bin", home.path().join("bin").display())).arg("service").args(args);
    home.ended(command.output().expect("it starts"))
}

fn with_systemctl(script: &str) -> Home {
    let home = Home::new();
    let bin = home.path().join("bin");
    std::fs::create_dir(&bin).expect("a directory");
    let file = bin.join("systemctl");
    std::fs::write(&file, format!("#!/bin/sh\necho \"$@\" >> \"$HOME/asked\"\n{script}")).expect("a program");
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o700)).expect("rights");
    home
}

fn asked(home: &Home) -> String {
    std::fs::read_to_string(home.path().join("asked")).unwrap_or_default()
}

#[cfg(target_os = "linux")]
#[test]
fn the_units_are_written_and_systemd_is_told_only_when_asked() {
    let home = with_systemctl("[ \"$2\" = is-active ] && echo active || true");
    let socket = home.path().join(".config/systemd/user/open-think.socket");
    let installed = run(&home, &["install"]);
    assert_eq!(installed.code, 0, "{}", installed.stderr);
    assert!(installed.stdout.contains("wrote HOME/.config/systemd/user/open-think.socket"), "{}", installed.stdout);
    assert!(installed.stderr.contains("systemctl --user enable --now open-think.socket"), "{}", installed.stderr);
    let service = std::fs::read_to_string(socket.with_extension("service")).expect("a unit");
    assert!(service.contains(&format!("ExecStart={PROGRAM} serve\n")), "{service}");
    assert_eq!(asked(&home), "");

    assert_eq!(run(&home, &["install", "--now"]).code, 0);
    assert_eq!(asked(&home), "--user daemon-reload\n--user enable --now open-think.socket\n");
    let status = run(&home, &["status"]).stdout;
    assert!(status.contains("is as it should be") && status.contains("open-think.socket is active"), "{status}");
    std::fs::write(&socket, "changed").expect("a unit");
    assert!(run(&home, &["status"]).stdout.contains("not as this program writes it"));
    let kept = socket.with_extension("socket.old");
    let again = run(&home, &["install"]);
    assert!(again.stderr.contains("it is kept as HOME/.config/systemd/user/open-think.socket.old"), "{}", again.stderr);
    assert_eq!(again.stderr.matches("is kept as").count(), 1, "{}", again.stderr);
    assert_eq!(std::fs::read_to_string(&kept).expect("what stood there"), "changed");
    assert!(!run(&home, &["install"]).stderr.contains("is kept as") && kept.exists());

    let removed = run(&home, &["uninstall", "--now"]);
    assert_eq!(removed.code, 0, "{}", removed.stderr);
    let last = "--user disable --now open-think.socket open-think.service\n--user daemon-reload\n";
    assert!(asked(&home).ends_with(last) && !socket.exists(), "{}", asked(&home));
    assert!(run(&home, &["status", "--json"]).stdout.contains("\"installed\":false"));
}

#[cfg(target_os = "linux")]
#[test]
fn without_a_session_it_says_what_to_run_and_the_files_stay() {
    let home = with_systemctl("echo 'Failed to connect to bus' >&2; exit 1");
    let installed = run(&home, &["install", "--now"]);
    assert_eq!(installed.code, 1);
    assert!(installed.stderr.contains("Failed to connect to bus"), "{}", installed.stderr);
    assert!(home.path().join(".config/systemd/user/open-think.service").exists());
    let status = run(&home, &["status"]);
    assert!(status.stderr.contains("asked whether it is in use: Failed to connect to bus."), "{}", status.stderr);
    let removed = run(&home, &["uninstall", "--now"]);
    assert_eq!((removed.code, removed.stdout.as_str()), (1, ""));
    assert!(removed.stderr.contains("The files stay.") && !removed.stderr.contains("in order"), "{}", removed.stderr);
    assert!(home.path().join(".config/systemd/user/open-think.service").exists());
    let other = run(&home, &["--state-dir", "/elsewhere", "install"]);
    assert_eq!(other.code, 2, "{}", other.stdout);
}
