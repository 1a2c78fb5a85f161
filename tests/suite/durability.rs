//! What was acknowledged is there after the process was killed, and a disk that will not take more is said plainly.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::home::Home;
use crate::skipped::skipped;
use crate::wire::{Framing, Wire};

fn say(mode: &str, content: &str) -> Value {
    json!({"sessionName": "s", "mode": mode, "content": content, "stream": true})
}

const HELD: &str = "call read-note {\"name\":\"quince\"}\ncall write-note {\"text\":\"medlar\"}";

async fn session(wire: &mut Wire) -> Value {
    wire.ask("sessions.get", json!({"sessionName": "s"})).await.expect("the session")
}

#[tokio::test]
async fn what_was_answered_survives_a_kill() {
    let home = Home::new();
    let mut wire = home.spawn(Framing::Lines);
    let halted = wire.ask("conductor.message", say("selective", HELD)).await.expect("a result");
    let last = wire.events("s").last().expect("events")["seq"].clone();
    wire.kill().await;

    let mut wire = home.spawn(Framing::Lines);
    let detail = session(&mut wire).await;
    assert_eq!(detail["seq"], last, "the next event follows the last");
    assert_eq!(detail["heldActions"], halted["suggestedActions"]);
    let messages = wire.ask("sessions.messages", json!({"sessionName": "s"})).await.expect("messages");
    let roles: Vec<&str> =
        messages["messages"].as_array().expect("rows").iter().filter_map(|row| row["role"].as_str()).collect();
    assert_eq!(roles, ["user", "assistant", "tool"]);

    let ids = json!([halted["suggestedActions"][0]["id"]]);
    let params = json!({"sessionName": "s", "actionIds": ids, "decision": "approve", "stream": true});
    let result = wire.ask("conductor.approve", params).await.expect("the turn goes on");
    assert_eq!(result["turnId"], halted["turnId"]);
    let said = result["assistantMessage"]["content"].as_str().expect("an answer");
    assert!(said.contains("quince") && said.contains("medlar"), "{said}");
    assert_eq!(home.notes(), [json!({"text": "medlar"})]);
    let events = wire.events("s");
    crate::clients::check_numbers(&events);
    assert_eq!(events[0]["seq"].as_u64(), last.as_u64().map(|last| last + 1));
}

#[tokio::test]
async fn what_was_accepted_survives_a_kill() {
    let home = Home::new();
    let mut wire = home.spawn(Framing::Lines);
    let mut params = say("auto", "call take-a-nap {}");
    params["wait"] = "accepted".into();
    wire.ask("conductor.message", params).await.expect("a turn id");
    wire.kill().await;

    let mut wire = home.spawn(Framing::Lines);
    let messages = wire.ask("sessions.messages", json!({"sessionName": "s"})).await.expect("messages");
    assert_eq!(messages["messages"][0]["content"], "call take-a-nap {}");
}

#[tokio::test]
async fn a_turn_that_was_killed_in_the_middle_leaves_a_session_that_works() {
    let home = Home::new();
    let mut wire = home.spawn(Framing::Lines);
    wire.send("conductor.message", say("auto", "call take-a-nap {}")).await;
    wire.until_event("turn-stop").await;
    wire.kill().await;
    // What outlives a kill of the daemon is cleaned up by nobody else.
    for nap in home.naps() {
        let _ = kill(Pid::from_raw(nap), Signal::SIGKILL);
    }

    let mut wire = home.spawn(Framing::Lines);
    let detail = session(&mut wire).await;
    assert_eq!((&detail["running"], &detail["heldActions"]), (&json!(false), &json!([])));
    for round in 0..2 {
        let result = wire.ask("conductor.message", say("auto", "call read-note {\"name\":\"medlar\"}")).await;
        assert_eq!(result.expect("a result")["trace"][0]["ok"], true, "round {round}");
    }
}

#[tokio::test]
async fn two_processes_share_one_state_directory() {
    let home = Home::new();
    let mut first = home.spawn(Framing::Lines);
    let mut second = home.spawn(Framing::Headers);
    for round in 0..5 {
        let content = format!("call read-note {{\"name\":\"{round}\"}}");
        let ask = |session: &str| json!({"sessionName": session, "mode": "auto", "content": content});
        let ids = (
            first.send("conductor.message", ask("first")).await,
            second.send("conductor.message", ask("second")).await,
        );
        assert_eq!(first.answer(ids.0).await.expect("a result")["stopReason"], "end-turn");
        assert_eq!(second.answer(ids.1).await.expect("a result")["stopReason"], "end-turn");
    }
    for wire in [&mut first, &mut second] {
        for session in ["first", "second"] {
            let params = json!({"sessionName": session});
            assert_eq!(wire.ask("sessions.get", params).await.expect("the session")["messageCount"], 20);
        }
    }
    // What one held the other decides.
    let halted = first.ask("conductor.message", say("selective", HELD)).await.expect("a result");
    let ids = json!([halted["suggestedActions"][0]["id"]]);
    let params = json!({"sessionName": "s", "actionIds": ids, "decision": "approve"});
    assert_eq!(second.ask("conductor.approve", params.clone()).await.expect("a result")["stopReason"], "end-turn");
    assert_eq!(first.ask("conductor.approve", params).await.expect_err("it is decided")["code"], -32602);
    assert_eq!(home.notes().len(), 1);
}

/// No turn can be kept, which is said with the file and the reason; what needs no file is served all the same.
async fn check_refusal(wire: &mut Wire, says: &str) {
    let error = wire.ask("conductor.message", say("auto", "hello")).await.expect_err("it cannot be kept");
    assert_eq!(error["data"]["code"], "E_STORE", "{error}");
    let message = error["message"].as_str().expect("a sentence");
    assert!(message.contains(says) && message.contains("sessions.db"), "{message}");
    wire.ask("skills.invoke", json!({"skill": "read-note", "input": {"name": "quince"}})).await.expect("a result");
}

#[tokio::test]
async fn a_state_directory_that_is_a_file_is_said() {
    let home = Home::new();
    let home =
        Home::new().set("OPEN_THINK_STATE_DIR", &home.path().join("open-think/config.toml").display().to_string());
    check_refusal(&mut home.spawn(Framing::Lines), "is a file, not a directory").await;
}

#[tokio::test]
async fn a_state_directory_that_is_read_only_is_said() {
    let directory = tempfile::tempdir().expect("a directory");
    let state = directory.path().join("state");
    std::fs::create_dir(&state).expect("a directory");
    let permissions = |mode| std::fs::set_permissions(&state, std::fs::Permissions::from_mode(mode));
    permissions(0o555).expect("permissions");
    // Root writes where nobody may, but not onto a disk that is mounted read-only.
    let mount = std::fs::write(state.join("probe"), "").is_ok().then(|| Mount::new(&state, "ro,size=64k"));
    if matches!(mount, Some(None)) {
        return skipped("this user may write anywhere and may mount nothing");
    }
    let home = Home::new().set("OPEN_THINK_STATE_DIR", &state.display().to_string());
    let mut wire = home.spawn(Framing::Lines);
    check_refusal(&mut wire, "not writable").await;
    // Once it is mended the same process goes on.
    drop(mount);
    permissions(0o755).expect("permissions");
    wire.ask("conductor.message", say("auto", "hello")).await.expect("a result");
}

#[tokio::test]
async fn a_full_disk_is_said_and_nothing_acknowledged_is_lost() {
    let directory = tempfile::tempdir().expect("a directory");
    let Some(_mount) = Mount::new(directory.path(), "size=512k") else {
        return skipped("a small disk can be mounted by root only");
    };
    let state = directory.path().join("state");
    let home = Home::new().set("OPEN_THINK_STATE_DIR", &state.display().to_string());
    let mut wire = home.spawn(Framing::Lines);
    let text = "x".repeat(20_000);
    let mut kept = Vec::new();
    let error = loop {
        let params = json!({"sessionName": "s", "content": format!("{} {text}", kept.len())});
        match wire.ask("conductor.message", params).await {
            Ok(result) => kept.push(result["turnId"].clone()),
            Err(error) => break error,
        }
    };
    assert_eq!(error["data"]["code"], "E_STORE", "{error}");
    assert!(error["message"].as_str().is_some_and(|message| message.contains("disk is full")), "{error}");
    // The connection lives on, and so does what can be done without the disk.
    wire.ask("skills.invoke", json!({"skill": "read-note", "input": {"name": "quince"}})).await.expect("a result");
    wire.kill().await;

    std::fs::remove_file(state.join("open-think.log")).expect("room for the files that reading needs");
    let mut wire = home.spawn(Framing::Lines);
    let params = json!({"sessionName": "s", "limit": 1000});
    let messages = wire.ask("sessions.messages", params).await.expect("messages");
    let answered = |turn: &Value| {
        let rows = messages["messages"].as_array().expect("rows").iter();
        rows.filter(|row| row["turnId"] == *turn && row["role"] == "assistant").count() == 1
    };
    assert!(kept.len() > 1 && kept.iter().all(answered), "an answer that was given is gone");
}

/// A small disk in memory.
struct Mount(std::path::PathBuf);

impl Mount {
    fn new(at: &std::path::Path, options: &str) -> Option<Self> {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(at);
        let mounted = mount.output().is_ok_and(|output| output.status.success());
        mounted.then(|| Self(at.to_owned()))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Lazily: the program may still be ending.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
