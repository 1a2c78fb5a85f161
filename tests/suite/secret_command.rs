//! `secret`, and what it keeps, as every other command meets it; and what `config check` says of a whole file.

use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use nix::pty::openpty;
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{LocalFlags, tcgetattr};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::program::{Home, PROGRAM, Run};

const KEY: &str = "sk-quince-7b1f";

/// No program of the system's keyring is on the PATH, so the file serves.
fn run(home: &Home, env: &[(&str, &str)], args: &[&str], input: &str) -> Run {
    use std::io::Write;
    let mut command = home.command(PROGRAM);
    command.env("PATH", home.path().join("bin")).env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere");
    command.envs(env.iter().copied()).args(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().expect("it starts");
    // It may well end without reading.
    let _ = process.stdin.take().expect("it is piped").write_all(input.as_bytes());
    home.ended(process.wait_with_output().expect("it ends"))
}

fn from(home: &Home, env: &[(&str, &str)]) -> Value {
    let listed = run(home, env, &["secret", "list", "--json"], "").stdout;
    let rows: Value = serde_json::from_str(&listed).expect("JSON");
    let mut rows = rows.as_array().expect("rows").iter();
    rows.find(|row| row["name"] == "ANTHROPIC_API_KEY").expect("a row").clone()
}

#[test]
fn a_key_is_put_listed_used_and_deleted_and_never_shown() {
    let home = Home::new();
    let mut said = String::new();
    let mut check = |args: &[&str], input: &str, code: i32, words: &[&str]| {
        let Run { code: ended, stdout, stderr } = run(&home, &[], args, input);
        let all = format!("{stdout}{stderr}");
        assert_eq!(ended, code, "{args:?}: {all}");
        for word in words {
            assert!(all.contains(word), "{args:?}: {word}: {all}");
        }
        said.push_str(&all);
    };
    let put = ["secret", "put", "anthropic_api_key"];
    check(&put, &format!("{KEY}\n"), 0, &["ANTHROPIC_API_KEY is kept in HOME", "no program secret-tool"]);
    check(&["secret", "list"], "", 0, &["ANTHROPIC_API_KEY", "secret file"]);
    check(&["config", "show"], "", 0, &["secret file"]);
    check(&["doctor"], "", 0, &["anthropic is enabled and configured", "kept: ANTHROPIC_API_KEY"]);
    check(&["secret", "delete", "ANTHROPIC_API_KEY"], "", 0, &["ANTHROPIC_API_KEY is forgotten."]);
    check(&["secret", "delete", "ANTHROPIC_API_KEY"], "", 2, &["ANTHROPIC_API_KEY is not kept", "secret list"]);
    check(&["secret", "put", "ANTHROPIC_APY_KEY"], KEY, 2, &["Did you mean ANTHROPIC_API_KEY?"]);
    check(&put, " \n", 2, &["no secret was given"]);
    check(&put, "cmd:pass show it", 2, &["is a reference (cmd:)"]);
    check(&put, "two words", 2, &["holds a space"]);
    check(&["secret", "put", "ANTHROPIC_API_KEY", KEY], "", 2, &[]);
    // What stands on the command line is shown by whoever reads that, not by us alone.
    let shown = said.rsplit_once("unexpected argument").map_or(said.as_str(), |(before, _)| before);
    assert!(!shown.contains(KEY), "{said}");
    let file = home.state_dir().join("secrets.json");
    assert_eq!(std::fs::metadata(file).expect("a file").permissions().mode() & 0o777, 0o600);
}

#[test]
fn where_a_key_comes_from_is_said_with_the_kind_of_its_reference() {
    let home = Home::new();
    assert_eq!(from(&home, &[])["from"], "default");
    run(&home, &[], &["secret", "put", "ANTHROPIC_API_KEY"], KEY);
    assert_eq!(from(&home, &[])["from"], "secret-file");
    let set = from(&home, &[("ANTHROPIC_API_KEY", "cmd:pass show it")]);
    assert_eq!((&set["from"], &set["via"], &set["value"]), (&json!("environment"), &json!("cmd"), &json!("***")));
    let put = run(&home, &[("ANTHROPIC_API_KEY", "other")], &["secret", "put", "ANTHROPIC_API_KEY"], KEY);
    assert!(put.stderr.contains("It is not used yet"), "{}", put.stderr);
}

#[test]
fn a_check_says_every_fault_with_its_line_and_its_way_out() {
    let home = Home::with_config("model_defualt = 'm'\n[limits]\nin_flight = 0\nframe_byte = 1\n[http]\nwarm = 1\n");
    let env = [("OPENAI_COMPATIBLE_URL", "ftp://x")];
    let checked = run(&home, &env, &["config", "check", "--json"], "");
    assert_eq!(checked.code, 2);
    let report: Value = serde_json::from_str(&checked.stdout).expect("JSON");
    let faults = report["faults"].as_array().expect("faults");
    let lines: Vec<&Value> = faults.iter().map(|fault| &fault["line"]).collect();
    assert_eq!(lines, [&json!(1), &json!(3), &json!(4), &json!(6), &Value::Null], "{report}");
    assert_eq!(report["ok"], false);
    let checked = run(&home, &env, &["config", "check"], "");
    assert_eq!((checked.code, checked.stdout.as_str()), (2, ""));
    for words in ["did you mean model_default?", "frame_bytes", "from 1 to", "OPENAI_COMPATIBLE_URL must be a URL"] {
        assert!(checked.stderr.contains(words), "{words}: {}", checked.stderr);
    }
    let path = run(&home, &env, &["config", "path"], "");
    assert_eq!((path.code, path.stdout.as_str()), (0, "HOME/.config/open-think/config.toml\n"));
}

#[test]
fn a_reference_that_leads_nowhere_is_told_and_stops_nobody_else() {
    let home =
        Home::with_config("anthropic_api_key = 'file:~/none'\nopenai_compatible_url = 'http://127.0.0.1:9/v1'\n");
    let checked = run(&home, &[], &["config", "check"], "");
    assert_eq!(checked.code, 2);
    assert!(checked.stderr.contains("ANTHROPIC_API_KEY is not used: there is no file HOME/none"), "{}", checked.stderr);
    let listed = run(&home, &[], &["providers", "--json"], "");
    let listed: Value = serde_json::from_str(&listed.stdout).expect("JSON");
    let provider = |id: &str| listed["providers"].as_array().expect("rows").iter().find(|row| row["id"] == id).cloned();
    let anthropic = provider("anthropic").expect("a row");
    assert!(anthropic["hint"].as_str().is_some_and(|hint| hint.contains("there is no file")), "{anthropic}");
    assert_eq!(provider("openai-compatible").expect("a row")["configured"], true);
    let told = run(&home, &[], &["doctor"], "");
    assert!(told.stdout.contains("warn  secrets: ANTHROPIC_API_KEY is not used"), "{}", told.stdout);
}

#[test]
fn a_signal_while_a_secret_is_typed_leaves_the_terminal_as_it_was() {
    let home = Home::new();
    for (signal, code) in [(Signal::SIGTERM, 143), (Signal::SIGHUP, 129), (Signal::SIGINT, 130)] {
        let terminal = openpty(None, None).expect("a terminal");
        let echoes = || tcgetattr(&terminal.slave).expect("its state").local_flags.contains(LocalFlags::ECHO);
        assert!(echoes());
        let mut command = home.command(PROGRAM);
        command.args(["secret", "put", "ANTHROPIC_API_KEY"]).stdout(Stdio::null()).stderr(Stdio::null());
        command.stdin(terminal.slave.try_clone().expect("another of it"));
        let mut process = command.spawn().expect("it starts");
        while echoes() {
            assert_eq!(process.try_wait().expect("a status"), None, "it does not ask");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        kill(Pid::from_raw(i32::try_from(process.id()).expect("a process id")), signal).expect("it lives");
        assert_eq!(process.wait().expect("it ends").code(), Some(code));
        assert!(echoes(), "{signal}");
    }
    assert!(!home.state_dir().exists());
}

#[test]
fn what_no_key_can_be_is_not_kept_and_what_is_kept_stays() {
    let home = Home::new();
    assert_eq!(run(&home, &[], &["secret", "put", "ANTHROPIC_API_KEY"], KEY).code, 0);
    let put = run(&home, &[], &["secret", "put", "OPENAI_API_KEY"], &"a".repeat(3_000_000));
    assert_eq!(put.code, 2, "{}", put.stdout);
    assert!(put.stderr.contains("longer than 64 KiB") && put.stderr.contains("Give the key alone."), "{}", put.stderr);
    // One of the greatest length can be put and had, whatever is in it.
    let put = run(&home, &[], &["secret", "put", "OPENAI_API_KEY"], &"\"".repeat(64 * 1024));
    assert_eq!((put.code, put.stderr.as_str()), (0, ""), "{}", put.stdout);
    assert_eq!(run(&home, &[], &["secret", "delete", "OPENAI_API_KEY"], "").code, 0);
    assert_eq!(from(&home, &[])["from"], "secret-file");
}

#[test]
fn a_store_that_cannot_be_used_is_told_with_what_mends_it() {
    let home = Home::new();
    let file = home.state_dir().join("secrets.json");
    let check = |why: &str, fix: &str| {
        for args in [["secret", "list"].as_slice(), &["secret", "list", "--json"]] {
            let listed = run(&home, &[], args, "");
            assert_eq!(listed.code, 1, "{}", listed.stderr);
            assert!(listed.stderr.contains(why) && listed.stderr.contains(fix), "{}", listed.stderr);
            assert!(!listed.stderr.contains("No secret is set"), "{}", listed.stderr);
        }
        let put = run(&home, &[], &["secret", "put", "OPENAI_API_KEY"], KEY);
        assert!(put.code == 2 && put.stderr.contains(fix), "{}", put.stderr);
        let shown = run(&home, &[], &["config", "show"], "");
        assert!(shown.code == 0 && shown.stderr.contains(fix), "{}", shown.stderr);
    };
    assert_eq!(run(&home, &[], &["secret", "put", "ANTHROPIC_API_KEY"], KEY).code, 0);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).expect("it is ours");
    check("other users may read", "Run chmod 600 'HOME");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("it is ours");
    std::fs::write(&file, "garbage").expect("it is ours");
    check("is not what open-think writes", "Run rm 'HOME");
    std::fs::write(&file, "a".repeat(5_000_000)).expect("it is ours");
    check("is longer than what open-think writes", "Run rm 'HOME");
    std::fs::remove_file(&file).expect("it is ours");
    std::fs::create_dir(&file).expect("it is ours");
    check("is no file", "run mv 'HOME");
}

#[test]
fn a_check_says_where_nobody_can_listen_and_which_page_never_comes() {
    let check = |config: &str, why: &str| {
        let home = Home::with_config(config);
        let checked = run(&home, &[], &["config", "check"], "");
        assert!(checked.code == 2 && checked.stderr.contains(why), "{config}: {} {}", checked.code, checked.stderr);
        let told = run(&home, &[], &["doctor"], "");
        assert!(told.stdout.contains(why), "{config}: {}", told.stdout);
    };
    check("[daemon]\nlisten = 'http://0.0.0.0:1'\n", "config.toml:2: daemon.listen cannot be used");
    check("[daemon]\nlisten = 'https://127.0.0.1:0'\n", "set tls_cert and tls_key");
    let files = "tls_cert = 'HOME/cert.pem'\ntls_key = 'HOME/cert.pem'";
    check(
        &format!("[daemon]\nlisten = 'https://127.0.0.1:0'\n{files}\n"),
        "tls_cert cannot be read from HOME/cert.pem",
    );
    let garbage = files.replace("cert.pem", ".config/open-think/config.toml");
    check(&format!("[daemon]\nlisten = 'https://127.0.0.1:0'\n{garbage}\n"), "must hold the certificate");
    check("[daemon]\nallowed_origins = ['*', 'evil']\n", "daemon.allowed_origins[0] must be origins");
}
