//! Real programs, small ones, through the plugin's own skills.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::kill;
use nix::unistd::Pid;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::environment::{Own, Variables};
use super::{Children, build};
use crate::config::{CommandSkill, Config, Environment};
use crate::model::ClientPlace;
use crate::plugins::Readiness;
use crate::skills::{Skill, SkillError};

/// Far more than any of these needs: it turns a hang into a failure.
const PATIENCE: Duration = Duration::from_secs(60);

fn shell(script: &str) -> CommandSkill {
    CommandSkill {
        id: "probe".to_owned(),
        description: "A probe.".to_owned(),
        input_schema: json!({"type": "object"}),
        dangerous: false,
        command: ["/bin/sh", "-c", script].map(str::to_owned).to_vec(),
        timeout: PATIENCE,
        output_limit: 1000,
        pass_env: Vec::new(),
        tags: Vec::new(),
    }
}

fn skill(command: CommandSkill) -> Skill {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let environment = [("PATH".to_owned(), path), ("CARGO_SECRET".to_owned(), "hidden".into())];
    let environment = Environment::new(environment.into());
    let config = Config { skills: vec![command], environment, ..Config::default() };
    build(&config, &Children::default()).skills.remove(0)
}

async fn call(command: CommandSkill, input: Value) -> Result<Value, SkillError> {
    tokio::time::timeout(PATIENCE, skill(command).run(input, &ClientPlace::default())).await.expect("the call hangs")
}

async fn answer(script: &str, input: Value) -> Value {
    call(shell(script), input).await.unwrap()
}

async fn fault(command: CommandSkill) -> String {
    call(command, json!({})).await.unwrap_err().message
}

/// Polls until the process that wrote its number here is gone.
async fn gone(pid_file: &Path) {
    let wait = async {
        loop {
            let text = std::fs::read_to_string(pid_file).unwrap_or_default();
            if let Ok(pid) = text.trim().parse::<i32>()
                && is_gone(pid)
            {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("the process lives on");
}

/// A zombie counts: where nobody reaps orphans it stays one.
fn is_gone(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    kill(Pid::from_raw(pid), None).is_err() || stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('Z'))
}

async fn written(file: &Path) {
    let wait = async {
        while std::fs::read_to_string(file).unwrap_or_default().trim().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("nothing is written");
}

#[tokio::test]
async fn standard_output_is_the_result() {
    assert_eq!(answer("cat", json!({"a": [1, "ü"]})).await, json!({"a": [1, "ü"]}));
    assert_eq!(answer("echo hello; echo world", json!({})).await, json!({"text": "hello\nworld"}));
    assert_eq!(answer("read -r line && echo \"$line\"", json!({"a": "b"})).await, json!({"a": "b"}));
    assert_eq!(answer("echo ' 42 '", json!({})).await, json!(42));
    assert_eq!(answer("true", json!({})).await, json!({"text": ""}));
    assert_eq!(answer("printf '\\377'", json!({})).await, json!({"text": "\u{fffd}"}));
}

#[tokio::test]
async fn arguments_reach_no_shell() {
    let command = ["/bin/echo", "$HOME; `id`", "*"].map(str::to_owned).to_vec();
    let result = call(CommandSkill { command, ..shell("") }, json!({})).await.unwrap();
    assert_eq!(result, json!({"text": "$HOME; `id` *"}));
}

#[tokio::test]
async fn failures_say_what_happened() {
    let missing = CommandSkill { command: vec!["/no/such/program".to_owned()], ..shell("") };
    let directory = CommandSkill { command: vec!["/".to_owned()], ..shell("") };
    let slow = CommandSkill { timeout: Duration::from_millis(50), ..shell("echo started >&2; exec sleep 600") };
    let faults = [
        fault(shell("echo out; echo 'no zone' >&2; exit 3")).await,
        fault(shell("exit 1")).await,
        fault(shell("kill -9 $$")).await,
        fault(missing).await,
        fault(directory).await,
        fault(slow).await.replace(": started", ""),
        fault(shell("exec cat /dev/zero")).await,
    ];
    insta::assert_snapshot!(faults.join("\n"), @r"
    probe failed with exit code 3: no zone
    probe failed with exit code 1
    probe was ended by signal 9
    probe could not start '/no/such/program': there is no such program, or not its interpreter
    probe could not start '/': it is not executable for this user
    probe was stopped after its time limit of 50ms
    probe was stopped for printing more than 1000 bytes
    ");
}

#[tokio::test]
async fn the_end_of_a_flood_on_stderr_is_kept() {
    let message = fault(shell("i=0; while [ $i -lt 20000 ]; do echo line $i >&2; i=$((i+1)); done; exit 1")).await;
    assert!(message.len() < 2200 && message.ends_with("line 19999"), "{message}");
}

#[tokio::test]
async fn input_that_nobody_reads_blocks_nothing() {
    let large = json!({"text": "x".repeat(1_000_000)});
    assert_eq!(answer("echo '{\"ok\": true}'", large.clone()).await, json!({"ok": true}));
    let echoed = call(CommandSkill { output_limit: 2_000_000, ..shell("cat") }, large.clone()).await.unwrap();
    assert_eq!(echoed, large);
}

#[tokio::test]
async fn grandchildren_end_with_the_call() {
    let dir = TempDir::new().unwrap();
    let pid_file = dir.path().join("pid");
    let background = format!("sleep 600 & echo $! > {}; ", pid_file.display());
    let slow = Duration::from_millis(300);
    for (rest, timeout) in [("echo done", PATIENCE), ("wait", slow), ("cat /dev/zero", PATIENCE)] {
        std::fs::write(&pid_file, "").unwrap();
        let _ = call(CommandSkill { timeout, ..shell(&(background.clone() + rest)) }, json!({})).await;
        gone(&pid_file).await;
    }
}

#[tokio::test]
async fn pipes_held_open_by_one_that_escaped_do_not_hang_the_call() {
    let dir = TempDir::new().unwrap();
    let pid_file = dir.path().join("pid");
    let pid = pid_file.display();
    let escape = format!("setsid sh -c 'echo $$ > {pid}; exec sleep 600' &");
    let script = format!("command -v setsid >&2 || exit 9; {escape} until [ -s {pid} ]; do :; done; echo done");
    match call(shell(&script), json!({})).await {
        Ok(result) => assert_eq!(result, json!({"text": "done"})),
        Err(error) => assert_eq!(error.message, "probe failed with exit code 9", "only where there is no setsid"),
    }
    if let Ok(escaped) = std::fs::read_to_string(&pid_file).unwrap_or_default().trim().parse() {
        kill(Pid::from_raw(escaped), nix::sys::signal::Signal::SIGKILL).unwrap();
    }
}

#[tokio::test]
async fn a_call_that_nobody_waits_for_is_killed() {
    let dir = TempDir::new().unwrap();
    let pid_file = dir.path().join("pid");
    let skill = skill(shell(&format!("sleep 600 & echo $! > {}; wait", pid_file.display())));
    let running = tokio::spawn(async move { skill.run(json!({}), &ClientPlace::default()).await });
    written(&pid_file).await;
    running.abort();
    gone(&pid_file).await;
}

#[tokio::test]
async fn only_harmless_and_named_variables_are_seen() {
    let all = ["PATH", "HOME", "LC_ALL", "TZ", "ANTHROPIC_API_KEY", "DEPLOY_TOKEN", "LD_PRELOAD", "EDITOR"];
    let all = all.map(|name| (name.to_owned(), OsString::from(format!("value of {name}"))));
    let own = Own::of(&Environment::new(all.into()), &["DEPLOY_TOKEN".to_owned()]);
    assert_eq!(names(&own.with(&[])), ["DEPLOY_TOKEN", "HOME", "LC_ALL", "PATH", "TZ"]);
    assert_eq!(own.secrets().collect::<Vec<_>>(), ["value of DEPLOY_TOKEN"]);

    let seen = answer("env", json!({})).await;
    let seen = seen["text"].as_str().unwrap();
    assert!(seen.contains("PATH=") && !seen.contains("CARGO"), "{seen}");
}

fn names(variables: &Variables) -> Vec<&str> {
    let mut names: Vec<&str> = variables.iter().filter_map(|(name, _)| name.to_str()).collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn a_program_sees_its_clients_environment_in_place_of_that_of_whoever_started_the_daemon() {
    let all = ["PATH", "HOME", "LC_ALL", "TERM", "DEPLOY_TOKEN", "NO_PROXY"];
    let all = all.map(|name| (name.to_owned(), OsString::from("of the daemon")));
    let own = Own::of(&Environment::new(all.into()), &["DEPLOY_TOKEN".to_owned(), "NO_PROXY".to_owned()]);
    let told = ["LANG", "NO_PROXY", "VIRTUAL_ENV"].map(|name| (name.to_owned(), "of the client".to_owned()));
    let variables = own.with(&told);
    assert_eq!(names(&variables), ["DEPLOY_TOKEN", "HOME", "LANG", "NO_PROXY", "PATH", "VIRTUAL_ENV"]);
    let of_client = variables.iter().filter(|(_, value)| value == "of the client").count();
    assert_eq!(of_client, 2, "what the skill names comes from the daemon");
    let with_path = own.with(&[("PATH".to_owned(), "/bin".to_owned())]);
    assert_eq!(with_path.iter().find(|(name, _)| name == "PATH").map(|(_, value)| value.clone()), Some("/bin".into()));
}

#[tokio::test]
async fn a_program_works_where_its_client_is() {
    let directory = TempDir::new().unwrap();
    let cwd = directory.path().canonicalize().unwrap();
    let place =
        ClientPlace { cwd: Some(cwd.clone()), env: vec![("LANG".into(), "tlh".into())], ..ClientPlace::default() };
    let answer = skill(shell("pwd; echo $LANG")).run(json!({}), &place).await.unwrap();
    assert_eq!(answer, json!({ "text": format!("{}\ntlh", cwd.display()) }));
    let gone = ClientPlace { cwd: Some(cwd.join("gone")), env: Vec::new(), ..ClientPlace::default() };
    let error = skill(shell("pwd")).run(json!({}), &gone).await.unwrap_err();
    assert!(error.message.ends_with("where its client is: there is no such directory"), "{error}");
}

#[test]
fn it_is_configured_by_its_first_skill() {
    let empty = build(&Config::default(), &Children::default());
    assert!(!empty.enabled && matches!(empty.readiness, Readiness::Missing { .. }));
    let one = Config { skills: vec![shell("")], ..Config::default() };
    assert!(build(&one, &Children::default()).enabled);
    let others_only = Config { enabled_plugins: Some(vec!["admin".to_owned()]), ..one };
    assert!(!build(&others_only, &Children::default()).enabled);
}
