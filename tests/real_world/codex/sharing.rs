//! One thread and several who talk in it: those of one daemon, and one that goes straight to the app-server.

use serde_json::json;

use super::harness::connection::Connection;
use super::setting::{Setting, begin, decide, end, said, turn};

/// The thread in which a session's turns run.
fn thread_of(setting: &Setting) -> String {
    let request = setting.upstream.requests().pop().expect("a request");
    request["prompt_cache_key"].as_str().expect("an id").to_owned()
}

/// That thread, and a client of the app-server's own in it.
fn beside(setting: &Setting) -> (String, Connection) {
    let thread = thread_of(setting);
    let mut direct = setting.server.connect();
    direct.ask("thread/resume", json!({"threadId": thread, "excludeTurns": true})).expect("the thread");
    (thread, direct)
}

#[test]
fn what_was_said_to_the_app_server_itself_is_history_of_the_session() {
    let Some(setting) = Setting::new() else { return };
    let mut client = setting.client();
    turn(&mut client, "shared", "auto", "from us");
    let (thread, mut direct) = beside(&setting);
    direct.start_turn(&thread, "from elsewhere");
    direct.wait_for("turn/completed");
    assert_eq!(said(&turn(&mut client, "shared", "auto", "from us again")), "You said: from us again");
    let last = setting.upstream.requests().pop().expect("a request")["input"].to_string();
    for words in ["from us", "from elsewhere", "from us again"] {
        assert_eq!(last.matches(&format!("\"{words}\"")).count(), 1, "{words} is said once: {last}");
    }
}

#[test]
fn a_turn_is_watched_from_elsewhere_and_a_question_answered_there() {
    let Some(setting) = Setting::new() else { return };
    let mut client = setting.client();
    turn(&mut client, "shared", "selective", "hello");
    let (_, mut direct) = beside(&setting);
    client.events.clear();
    let id = begin(&mut client, "shared", "selective", "slowly watched");
    setting.upstream.wait_reached("watched");
    setting.upstream.open("watched");
    let completed = direct.wait_for("turn/completed");
    assert!(completed.to_string().contains("Slowly but surely."), "{completed}");
    assert_eq!(said(&end(&mut client, "shared", id)), "Slowly but surely.");
}

#[test]
fn a_session_asks_for_leave_although_another_client_has_changed_that_in_its_thread() {
    let Some(setting) = Setting::new() else { return };
    let mut client = setting.client();
    turn(&mut client, "shared", "selective", "hello");
    let (thread, mut direct) = beside(&setting);
    for (number, change) in [
        json!({"approvalPolicy": "never"}),
        json!({"approvalPolicy": "on-request", "sandboxPolicy": {"type": "dangerFullAccess"}}),
    ]
    .into_iter()
    .enumerate()
    {
        let mut change = change;
        change["threadId"] = json!(thread);
        direct.ask("thread/settings/update", change).expect("a change");
        direct.wait_for("thread/settings/updated");
        let file = format!("change-{number}.txt");
        let result = turn(&mut client, "shared", "selective", &format!("run outside touch {file}"));
        assert_eq!(result["halted"], "dangerous-skill", "{result}");
        assert!(!setting.made(&file), "it ran without leave");
        decide(&mut client, "shared", &result["suggestedActions"][0], "deny");
        assert!(!setting.made(&file), "it ran against the decision");
    }
    assert_eq!(thread_of(&setting), thread);
}

#[test]
fn a_turn_of_a_session_is_not_disturbed_by_another_that_names_its_thread() {
    let Some(setting) = Setting::new() else { return };
    let mut client = setting.client();
    turn(&mut client, "first", "auto", "hello");
    let thread = thread_of(&setting);
    client.events.clear();
    let id = begin(&mut client, "first", "auto", "slowly shared");
    setting.upstream.wait_reached("shared");
    let params = json!({"sessionName": "second", "mode": "auto", "content": "me too", "threadId": thread});
    let error = client.ask("conductor.message", params).expect_err("it is at work");
    assert!(error.to_string().contains("is at work for session first"), "{error}");
    setting.upstream.open("shared");
    assert_eq!(said(&end(&mut client, "first", id)), "Slowly but surely.");
}
