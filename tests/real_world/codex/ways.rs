//! Every way to an app-server, and what is said where there is none.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::harness::app_server::{AppServer, CodexHome, Listen};
use super::harness::program::codex;
use super::harness::upstream::Upstream;
use super::setting::{Found, Setting, begin, rpc, said, spawning, turn, wait_for_state};
use crate::client::Client;
use crate::home::{Home, PROGRAM};

const TOKEN: &str = "capability-7f3a";

#[test]
fn a_port_a_guarded_port_and_a_socket() {
    let directory = TempDir::new().expect("a directory");
    for listen in [Listen::port(), Listen::guarded(TOKEN), Listen::socket(&directory)] {
        let Some(setting) = Setting::listening(listen) else { return };
        let mut client = setting.client_by(&setting.server.url(), &[("CODEX_APP_SERVER_TOKEN", TOKEN)]);
        assert_eq!(said(&turn(&mut client, "here", "auto", "hello")), "You said: hello");
        let status = client.ask("codex.status", json!({})).expect("a status");
        assert_eq!((&status["mode"], &status["link"]["state"]), (&json!("app-server"), &json!("ready")), "{status}");
        assert_eq!(status["link"]["server"]["version"], "0.169.0", "{status}");
        assert!(!status.to_string().contains(TOKEN), "the token shows: {status}");
        assert!(client.hang_up().success());
    }
}

#[test]
fn a_wrong_token_is_told_and_not_tried_again() {
    let Some(setting) = Setting::listening(Listen::guarded(TOKEN)) else { return };
    for settings in [&[("CODEX_APP_SERVER_TOKEN", "wrong")][..], &[]] {
        let mut client = setting.client_by(&setting.server.url(), settings);
        let error = rpc(&mut client, "thread/loaded/list", json!({})).expect_err("no way in");
        assert_eq!((&error["code"], &error["data"]["code"]), (&json!(-32018), &json!("E_CODEX_LINK")), "{error}");
        assert!(error.to_string().contains("CODEX_APP_SERVER_TOKEN"), "what to set: {error}");
        let status = client.ask("codex.status", json!({})).expect("a status");
        assert_eq!(status["link"]["state"], "refused", "{status}");
        assert_eq!(status["problem"]["kind"], "wrong-token", "{status}");
        let turn = json!({"sessionName": "s", "mode": "auto", "content": "hello"});
        assert!(client.ask("conductor.message", turn).is_err());
    }
}

#[test]
fn a_server_that_could_not_read_its_configuration_is_not_used() {
    let Some(program) = codex() else { return };
    let upstream = Upstream::start();
    let codex_home = CodexHome::new(&upstream);
    std::fs::write(codex_home.path().join("config.toml"), "model = [broken").expect("a configuration");
    let server = AppServer::start_in(codex_home, program, Listen::port());
    let home = Home::new();
    let mut daemon = home.command(PROGRAM);
    daemon.env("CODEX_APP_SERVER_URL", server.url());
    let mut client = Client::start(daemon);
    let status = wait_for_state(&mut client, "refused");
    assert_eq!(status["problem"]["kind"], "bad-configuration", "{status}");
    let error = rpc(&mut client, "thread/list", json!({})).expect_err("it would run with defaults");
    assert_eq!(error["data"]["code"], "E_CODEX_LINK", "{error}");
}

#[test]
fn a_missing_program_is_told() {
    let home = Home::with("[codex]\nspawn = true\n");
    let mut daemon = home.command(PROGRAM);
    daemon.env("CODEX_BIN", "/nowhere/codex");
    let mut client = Client::start(daemon);
    let error = rpc(&mut client, "thread/list", json!({})).expect_err("nothing to start");
    assert_eq!(error["data"]["code"], "E_CODEX_LINK", "{error}");
    let status = client.ask("codex.status", json!({})).expect("a status");
    assert_eq!(status["problem"]["kind"], "not-installed", "{status}");
    assert!(status["problem"]["hint"].to_string().contains("CODEX_BIN"), "{status}");
}

#[test]
fn where_nothing_listens_it_says_so_and_comes_up_with_the_server() {
    let Some(mut setting) = Setting::new() else { return };
    setting.server.kill();
    let mut client = setting.client();
    let error = rpc(&mut client, "thread/loaded/list", json!({})).expect_err("nothing listens");
    assert_eq!(error["data"]["code"], "E_CODEX_LINK", "{error}");
    let status = client.ask("codex.status", json!({})).expect("a status");
    assert_eq!(status["problem"]["kind"], "nothing-listening", "{status}");
    setting.server.revive();
    wait_for_state(&mut client, "ready");
    assert_eq!(said(&turn(&mut client, "here", "auto", "hello")), "You said: hello");
}

#[test]
fn a_child_is_started_comes_back_and_ends_with_the_daemon() {
    for found in [Found::ByName, Found::OnPath] {
        let upstream = Upstream::start();
        let Some((mut client, _home, _codex_home)) = spawning(&upstream, found) else { return };
        assert_eq!(said(&turn(&mut client, "child", "auto", "hello")), "You said: hello");
        let status = client.ask("codex.status", json!({})).expect("a status");
        assert_eq!(status["mode"], "app-server-spawn", "{status}");
        let first = pid(&status);
        kill(first);
        let second = loop {
            let status = wait_for_state(&mut client, "ready");
            if pid(&status) != first {
                break pid(&status);
            }
        };
        assert_eq!(said(&turn(&mut client, "child", "auto", "hello again")), "You said: hello again");
        assert!(client.hang_up().success());
        assert!(!is_alive(second), "it outlives the daemon");
    }
}

#[test]
fn a_child_does_not_outlive_a_daemon_that_was_killed() {
    let upstream = Upstream::start();
    let Some((mut client, _home, _codex_home)) = spawning(&upstream, Found::ByName) else { return };
    turn(&mut client, "child", "auto", "hello");
    let pid = pid(&client.ask("codex.status", json!({})).expect("a status"));
    client.kill();
    let deadline = Instant::now() + Duration::from_secs(30);
    while is_alive(pid) {
        assert!(Instant::now() < deadline, "it outlives the daemon");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_turn_dies_with_the_child_and_the_next_one_is_answered() {
    let upstream = Upstream::start();
    let Some((mut client, _home, _codex_home)) = spawning(&upstream, Found::ByName) else { return };
    let id = begin(&mut client, "killed", "auto", "slowly killed");
    client.wait_for("text-delta");
    kill(pid(&client.ask("codex.status", json!({})).expect("a status")));
    let error = client.answer(id).expect_err("the turn is dead");
    assert_eq!((&error["data"]["provider"], &error["data"]["retryable"]), (&json!("codex"), &json!(true)), "{error}");
    client.events.clear();
    assert_eq!(said(&turn(&mut client, "killed", "auto", "after")), "You said: after");
}

fn pid(status: &Value) -> u64 {
    status["link"]["pid"].as_u64().unwrap_or_else(|| panic!("no process: {status}"))
}

fn kill(pid: u64) {
    let status = Command::new("kill").args(["-9", &pid.to_string()]).status().expect("kill starts");
    assert!(status.success());
}

/// A process that has ended and was not waited for is not alive.
fn is_alive(pid: u64) -> bool {
    let stat = std::fs::read_to_string(PathBuf::from(format!("/proc/{pid}/stat"))).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| !rest.is_empty() && !rest.trim_start().starts_with('Z'))
}
