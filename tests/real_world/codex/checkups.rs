//! What `codex.status` and `doctor` say of a real app-server that cannot be used just now.

use serde_json::{Value, json};

use super::harness::app_server::{AppServer, CodexHome, Listen};
use super::harness::program::{codex, old_codex};
use super::harness::upstream::Upstream;
use super::setting::rpc;
use crate::client::Client;
use crate::home::{Home, PROGRAM};

/// What is said of the app-server by a program that has just been started.
fn doctor(home: &Home, settings: &[(&str, &str)]) -> Value {
    let mut doctor = home.command(PROGRAM);
    doctor.args(["doctor", "--json"]).envs(settings.iter().copied());
    let output = doctor.output().expect("it starts");
    let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let findings = told["findings"].as_array().unwrap_or_else(|| panic!("{told}"));
    findings.iter().find(|finding| finding["area"] == "codex").unwrap_or_else(|| panic!("{told}")).clone()
}

fn daemon(home: &Home, settings: &[(&str, &str)]) -> Client {
    let mut daemon = home.command(PROGRAM);
    daemon.envs(settings.iter().copied());
    Client::start(daemon)
}

#[test]
fn a_usage_limit_is_told_by_whoever_asks_and_when_it_ends() {
    let Some(program) = codex() else { return };
    let upstream = Upstream::start();
    let server = AppServer::start_in(CodexHome::signed_in(&upstream), program, Listen::port());
    let (home, url) = (Home::new(), server.url());
    let settings = [("CODEX_APP_SERVER_URL", url.as_str())];
    let found = doctor(&home, &settings);
    assert_eq!(found["level"], "warn", "{found}");
    assert!(found["message"].as_str().is_some_and(|message| message.contains("usage limit")), "{found}");
    assert!(found["fix"].as_str().is_some_and(|fix| fix.contains("2038-01-01T00:00:00Z")), "{found}");

    let mut client = daemon(&home, &settings);
    let status = client.ask("codex.status", json!({"probe": true})).expect("a status");
    assert_eq!(status["problem"]["kind"], "usage-limit-reached", "{status}");
    assert_eq!(status["account"]["account"]["planType"], "pro", "{status}");
    let turn = json!({"sessionName": "s", "mode": "propose", "content": "fail usage"});
    let error = client.ask("conductor.message", turn).expect_err("the limit is reached");
    assert!(error["data"]["retryAfterMs"].as_u64().is_some_and(|left| left > 1_000_000), "{error}");
}

#[track_caller]
fn check_old(home: &Home, settings: &[(&str, &str)]) {
    let found = doctor(home, settings);
    let says = |value: &Value, words: &str| value.as_str().is_some_and(|text| text.contains(words));
    assert_eq!(found["level"], "fail", "{found}");
    assert!(says(&found["message"], "is version 0.107.0, and at least 0.169.0 is needed"), "{found}");
    assert!(says(&found["fix"], "npm install -g @openai/codex@latest"), "{found}");

    let mut client = daemon(home, settings);
    let error = rpc(&mut client, "thread/list", json!({})).expect_err("it is too old");
    assert!(says(&error["message"], "0.107.0"), "{error}");
    let status = client.ask("codex.status", json!({})).expect("a status");
    assert_eq!(
        (&status["problem"]["kind"], &status["link"]["state"]),
        (&json!("wrong-version"), &json!("refused")),
        "{status}"
    );
}

#[test]
fn one_that_is_too_old_says_so_where_it_is_started() {
    let Some(program) = old_codex() else { return };
    let home = Home::with("[codex]\nspawn = true\n");
    check_old(&home, &[("CODEX_BIN", program.to_str().expect("a path"))]);
}

#[test]
fn one_that_is_too_old_says_so_where_it_listens() {
    let Some(program) = old_codex() else { return };
    let server = AppServer::start(program, &Upstream::start(), Listen::port());
    check_old(&Home::new(), &[("CODEX_APP_SERVER_URL", &server.url())]);
}
