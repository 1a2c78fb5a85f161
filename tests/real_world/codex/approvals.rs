//! What the app-server itself may do only with leave: commands and patches, held until somebody decides.

use serde_json::{Value, json};

use super::setting::{Setting, begin, decide, end, said, turn};

/// The one action that is held.
fn held(result: &Value, skill: &str) -> Value {
    assert_eq!(result["halted"], "dangerous-skill", "{result}");
    let actions = result["suggestedActions"].as_array().expect("actions");
    assert_eq!(actions.len(), 1, "{result}");
    assert_eq!(actions[0]["skill"], skill, "{result}");
    actions[0].clone()
}

#[test]
fn a_command_runs_when_it_is_approved_and_only_then() {
    let Some(setting) = Setting::new() else { return };
    let mut client = setting.client();
    for (session, decision) in [("declined", "deny"), ("accepted", "approve")] {
        let file = format!("{session}.txt");
        let result = turn(&mut client, session, "selective", &format!("run outside touch {file}"));
        let action = held(&result, "codex-command");
        assert!(action["input"].to_string().contains(&file), "what it is: {action}");
        assert!(!setting.made(&file), "a held command ran");
        let result = decide(&mut client, session, &action, decision);
        assert_eq!(result["stopReason"], "end-turn", "{result}");
        assert!(said(&result).starts_with("Done: "), "the model hears of it: {result}");
        assert_eq!(setting.made(&file), decision == "approve", "{session}");
    }
}

#[test]
fn a_patch_is_made_when_it_is_approved_and_only_then() {
    let Some(setting) = Setting::new() else { return };
    let mut client = setting.client();
    for (session, decision) in [("declined", "deny"), ("accepted", "approve")] {
        let file = format!("{session}.txt");
        let outside = setting.server.home.path().join(&file);
        let result = turn(&mut client, session, "selective", &format!("patch {}", outside.display()));
        let action = held(&result, "codex-file-change");
        assert!(action["input"].to_string().contains(&file), "what it is: {action}");
        assert!(!outside.exists(), "a held patch was made");
        let result = decide(&mut client, session, &action, decision);
        assert!(said(&result).starts_with("Done: "), "{result}");
        assert_eq!(outside.exists(), decision == "approve", "{session}");
    }
}

#[test]
fn a_held_command_is_decided_after_the_daemon_was_killed() {
    let Some(setting) = Setting::new() else { return };
    for (session, decision) in [("denied", "deny"), ("approved", "approve")] {
        let file = format!("{session}.txt");
        let mut client = setting.client();
        let result = turn(&mut client, session, "selective", &format!("run outside touch {file}"));
        let action = held(&result, "codex-command");
        client.kill();
        let mut client = setting.client();
        let detail = client.ask("sessions.get", json!({"sessionName": session})).expect("the session is there");
        assert_eq!(detail["heldActions"][0]["id"], action["id"], "{detail}");
        let ended = decide(&mut client, session, &action, decision);
        assert_eq!((&ended["turnId"], &ended["stopReason"]), (&result["turnId"], &json!("end-turn")), "{ended}");
        assert_eq!(setting.made(&file), decision == "approve", "{session}");
        let params = json!({"sessionName": session, "actionIds": [action["id"]], "decision": decision});
        assert!(client.ask("conductor.approve", params).is_err(), "an action is decided once");
        assert_eq!(said(&turn(&mut client, session, "selective", "hello")), "You said: hello");
    }
}

#[test]
fn a_held_skill_is_decided_after_the_daemon_was_killed() {
    let Some(setting) = Setting::new() else { return };
    let mut client = setting.client();
    let result = turn(&mut client, "skill", "selective", r#"call write-note {"text":"medlar"}"#);
    let action = held(&result, "write-note");
    client.kill();
    let mut client = setting.client();
    let ended = decide(&mut client, "skill", &action, "approve");
    assert!(said(&ended).starts_with("Done: "), "{ended}");
    assert_eq!(setting.home.notes(), [json!({"text": "medlar"})], "it ran once");
}

#[test]
fn where_everything_may_run_nobody_is_asked() {
    let Some(setting) = Setting::new() else { return };
    let mut client = setting.client();
    let result = turn(&mut client, "auto", "auto", "run touch automatic.txt");
    assert_eq!(result["halted"], Value::Null, "{result}");
    assert!(setting.made("automatic.txt"));
    assert!(result["trace"].to_string().contains("automatic.txt"), "what it did is told: {result}");
}

#[test]
fn a_client_that_decides_at_once_is_asked_while_the_turn_waits() {
    let Some(setting) = Setting::new() else { return };
    let mut client = setting.client();
    let capabilities = json!({"approvals": true});
    client
        .ask("initialize", json!({"clientInfo": {"name": "asked"}, "capabilities": capabilities}))
        .expect("a greeting");
    client.notify("initialized", json!({}));
    for (session, decision) in [("declined", "deny"), ("accepted", "approve")] {
        let file = format!("{session}.txt");
        let words = format!(r#"run outside touch {file}"#);
        let id = begin(&mut client, session, "selective", &words);
        let (request, params) = client.request("conductor.approval");
        assert_eq!(params["actions"][0]["skill"], "codex-command", "{params}");
        client.respond(&request, json!({"decision": decision}));
        let result = end(&mut client, session, id);
        assert_eq!((&result["halted"], &result["stopReason"]), (&Value::Null, &json!("end-turn")), "{result}");
        assert_eq!(setting.made(&file), decision == "approve", "{session}");
    }
}

#[test]
fn what_was_decided_elsewhere_is_not_decided_again() {
    let Some(setting) = Setting::new() else { return };
    let mut client = setting.client();
    let result = turn(&mut client, "shared", "selective", "run outside touch shared.txt");
    let action = held(&result, "codex-command");
    let request = setting.upstream.requests().pop().expect("a request");
    let thread = &request["prompt_cache_key"];
    let mut direct = setting.server.connect();
    direct.ask("thread/resume", json!({"threadId": thread, "excludeTurns": true})).expect("the thread");
    let question = direct.wait_for("item/commandExecution/requestApproval");
    direct.answer(&question, json!({"decision": "accept"}));
    direct.wait_for("turn/completed");
    assert!(setting.made("shared.txt"));
    let params = json!({"sessionName": "shared", "actionIds": [action["id"]], "decision": "approve"});
    let late = client.ask("conductor.approve", params);
    client.events.clear();
    assert_eq!(setting.upstream.asked("run outside touch shared.txt"), 2, "it ran once: {late:?}");
    assert_eq!(said(&turn(&mut client, "shared", "selective", "hello")), "You said: hello");
}
