//! Keys in a real keyring: GNOME's, in a session of its own.

use std::process::Output;

use crate::finds::finds;
use crate::home::{Home, PROGRAM};

/// What a fresh machine has not.
const PROGRAMS: [&str; 3] = ["dbus-run-session", "gnome-keyring-daemon", "secret-tool"];

/// Opens the keyring with an empty password, and does the rest in its session.
const SESSION: &str = r#"
printf '\n' | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1
exec sh -euc "$0"
"#;

fn in_session(home: &Home, script: &str) -> Output {
    let mut command = home.command("dbus-run-session");
    command.args(["--", "sh", "-c", SESSION, script]).output().expect("a session")
}

#[test]
fn a_key_is_kept_used_and_forgotten() {
    if !PROGRAMS.into_iter().all(finds) {
        return;
    }
    let home = Home::new();
    let script = format!(
        "open_think={PROGRAM}\n\
         echo sk-quince | $open_think secret put anthropic_api_key\n\
         $open_think secret list --json\n\
         $open_think providers\n\
         $open_think doctor\n\
         secret-tool search --all service open-think 2>/dev/null\n\
         $open_think secret delete ANTHROPIC_API_KEY\n\
         $open_think secret delete ANTHROPIC_API_KEY || echo it is gone\n"
    );
    let output = in_session(&home, &script);
    let said = String::from_utf8_lossy(&output.stdout);
    let all = format!("{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{all}");
    for words in [
        "ANTHROPIC_API_KEY is kept in the system's keyring.",
        r#""name":"ANTHROPIC_API_KEY","value":"***","from":"keyring""#,
        "anthropic is enabled and configured",
        "the system's keyring keeps them; kept: ANTHROPIC_API_KEY",
        "secret = sk-quince",
        "ANTHROPIC_API_KEY is forgotten.",
        "it is gone",
    ] {
        assert!(said.contains(words), "{words}: {all}");
    }
    assert_eq!(all.matches("sk-quince").count(), 1, "only the keyring itself shows it: {all}");
}
