//! Turns that run in the app-server: what is said, which skills run and who decides about it.

use serde_json::{Value, json};

use super::setting::{Setting, begin, decide, end, said, turn};

#[test]
fn the_three_modes_answer_streamed_and_whole() {
    let Some(setting) = Setting::new() else { return };
    let mut client = setting.client();
    for mode in ["propose", "selective", "auto"] {
        let streamed = turn(&mut client, mode, mode, &format!("hello {mode}"));
        assert_eq!(said(&streamed), format!("You said: hello {mode}"));
        assert_eq!((&streamed["mode"], &streamed["stopReason"]), (&json!(mode), &json!("end-turn")), "{streamed}");
        assert_eq!((&streamed["providerUsed"], &streamed["modelUsed"]), (&json!("codex"), &json!("gpt-5.5")));
        let usage = &streamed["usage"];
        assert_eq!((&usage["inputTokens"], &usage["outputTokens"]), (&json!(1200), &json!(40)), "{streamed}");
        let deltas = client
            .events
            .iter()
            .filter(|params| params["sessionName"] == mode && params["event"]["kind"] == "text-delta");
        assert!(deltas.count() > 0, "it is streamed");

        let params = json!({"sessionName": mode, "mode": mode, "content": "and again"});
        let whole = client.ask("conductor.message", params).expect("an answer");
        assert_eq!(said(&whole), "You said: and again");
    }
    assert_eq!(said(&turn(&mut client, "thought", "auto", "think")), "Thought through.");
    assert!(client.events.iter().any(|params| params["event"]["kind"] == "reasoning-delta"));
}

#[test]
fn a_session_keeps_its_thread_and_the_thread_its_history() {
    let Some(setting) = Setting::new() else { return };
    let mut client = setting.client();
    for words in ["first", "second", "third"] {
        turn(&mut client, "kept", "selective", words);
    }
    assert!(client.hang_up().success());
    let mut client = setting.client();
    turn(&mut client, "kept", "selective", "fourth");
    let requests = setting.upstream.requests();
    let threads: Vec<&Value> = requests.iter().map(|body| &body["prompt_cache_key"]).collect();
    assert!(threads.iter().all(|thread| *thread == threads[0] && thread.is_string()), "one thread: {threads:?}");
    let text = requests.last().expect("a request")["input"].to_string();
    for words in ["first", "second", "third", "fourth"] {
        assert_eq!(text.matches(&format!("\"{words}\"")).count(), 1, "{words} is said once: {text}");
    }
}

#[test]
fn safe_skills_run_and_the_answer_quotes_them() {
    let Some(setting) = Setting::new() else { return };
    let mut client = setting.client();
    let two = r#"call read-note {"name":"quince"} and call read-note {"name":"medlar"}"#;
    for mode in ["selective", "auto"] {
        let result = turn(&mut client, mode, mode, two);
        let mut names: Vec<&str> = result["trace"].as_array().expect("a trace").iter().filter_map(name).collect();
        names.sort_unstable();
        assert_eq!(names, ["medlar", "quince"], "{result}");
        assert!(said(&result).contains("quince") && said(&result).contains("medlar"), "{result}");
        assert_eq!((&result["stopReason"], &result["halted"]), (&json!("end-turn"), &Value::Null));
    }
    let auto = turn(&mut client, "auto", "auto", r#"call write-note {"text":"automatic"}"#);
    assert_eq!(auto["trace"][0]["skill"], "write-note", "{auto}");
    assert_eq!(setting.home.notes(), [json!({"text": "automatic"})]);
}

fn name(row: &Value) -> Option<&str> {
    row["result"]["name"].as_str()
}

#[test]
fn a_dangerous_skill_is_held_until_somebody_decides() {
    let Some(setting) = Setting::new() else { return };
    let mut client = setting.client();
    let words = r#"call read-note {"name":"quince"} then call write-note {"text":"medlar"}"#;
    for (session, decision, kept) in [("denied", "deny", 0), ("approved", "approve", 1)] {
        let held = turn(&mut client, session, "selective", words);
        assert_eq!(held["halted"], "dangerous-skill", "{held}");
        let action = &held["suggestedActions"][0];
        assert_eq!((&action["skill"], &action["input"]), (&json!("write-note"), &json!({"text": "medlar"})));
        assert_eq!(setting.home.notes().len(), 0, "a held skill ran");
        let result = decide(&mut client, session, action, decision);
        assert_eq!((&result["turnId"], &result["stopReason"]), (&held["turnId"], &json!("end-turn")), "{result}");
        assert!(said(&result).starts_with("Done: "), "the model hears of it: {result}");
        assert_eq!(setting.home.notes().len(), kept, "{session}");
    }
}

#[test]
fn a_plan_runs_nothing() {
    let Some(setting) = Setting::new() else { return };
    let mut client = setting.client();
    for words in [r#"call write-note {"text":"planned"}"#, "run touch planned.txt", "patch planned.txt"] {
        let result = turn(&mut client, "plan", "propose", words);
        assert_eq!(result["halted"], Value::Null, "{result}");
    }
    assert!(setting.home.notes().is_empty() && !setting.made("planned.txt"));
    let tools = setting.upstream.requests().pop().expect("a request")["tools"].to_string();
    assert!(!tools.contains("write-note"), "{tools}");
}

#[test]
fn an_interrupt_ends_the_turn_and_what_the_model_was_saying() {
    let Some(setting) = Setting::new() else { return };
    let mut client = setting.client();
    let id = begin(&mut client, "slow", "auto", "slowly interrupted");
    client.wait_for("text-delta");
    let interrupted = client.ask("conductor.interrupt", json!({"sessionName": "slow"})).expect("an answer");
    assert_eq!(interrupted, json!({"interrupted": true}));
    assert_eq!(end(&mut client, "slow", id)["stopReason"], "cancelled");
    setting.upstream.wait_left("interrupted");

    client.events.clear();
    let id = begin(&mut client, "slow", "auto", "slowly cancelled");
    client.wait_for("text-delta");
    client.notify("$/cancelRequest", json!({"id": id}));
    assert_eq!(client.answer(id).expect_err("it was cancelled")["code"], -32800);
    setting.upstream.wait_left("cancelled");
    assert_eq!(said(&turn(&mut client, "slow", "auto", "hello")), "You said: hello");
}

#[test]
fn a_message_meanwhile_waits_or_steers() {
    let Some(setting) = Setting::new() else { return };
    let mut client = setting.client();
    let first = begin(&mut client, "lane", "auto", "slowly queued");
    client.wait_for("text-delta");
    let second = begin(&mut client, "lane", "auto", "afterwards");
    setting.upstream.wait_reached("queued");
    setting.upstream.open("queued");
    assert_eq!(said(&client.answer(first).expect("an answer")), "Slowly but surely.");
    assert_eq!(said(&client.answer(second).expect("an answer")), "You said: afterwards");

    client.events.clear();
    let first = begin(&mut client, "lane", "auto", "slowly steered");
    client.wait_for("text-delta");
    let params = json!({"sessionName": "lane", "content": "to the left", "steer": true, "mode": "auto"});
    let steer = client.send("conductor.message", params);
    setting.upstream.wait_reached("steered");
    setting.upstream.open("steered");
    let first = client.answer(first).expect("an answer");
    let steer = client.answer(steer).expect("an answer");
    assert_eq!(first["turnId"], steer["turnId"], "it is the same turn: {first} {steer}");
    assert_eq!(setting.upstream.asked("to the left"), 1, "the model hears of it");
}
