//! The way to the app-server breaks, or the app-server itself: the link comes back by itself, what went on there is
//! followed to its end, and nothing is lost or said twice.

use serde_json::{Value, json};

use super::harness::impostor::Impostor;
use super::harness::proxy::Proxy;
use super::setting::{Setting, begin, decide, end, rpc, said, turn, wait_for_state};
use crate::client::Client;
use crate::home::{Home, PROGRAM};

#[test]
fn a_turn_goes_on_while_the_connection_is_cut() {
    let Some(setting) = Setting::new() else { return };
    let proxy = Proxy::to(setting.server.address());
    let mut client = setting.client_by(&proxy.url(), &[]);
    for opened_while_cut in [false, true] {
        client.events.clear();
        let gate = format!("cut-{opened_while_cut}");
        let id = begin(&mut client, "cut", "auto", &format!("slowly {gate}"));
        client.wait_for("text-delta");
        setting.upstream.wait_reached(&gate);
        proxy.cut();
        if opened_while_cut {
            wait_for_state(&mut client, "backoff");
            setting.upstream.open(&gate);
        }
        proxy.heal();
        if !opened_while_cut {
            wait_for_state(&mut client, "ready");
            setting.upstream.open(&gate);
        }
        let result = end(&mut client, "cut", id);
        assert_eq!(said(&result), "Slowly but surely.");
        assert_eq!(setting.upstream.asked(&format!("slowly {gate}")), 1, "the model was asked once");
    }
    assert_eq!(said(&turn(&mut client, "cut", "auto", "hello")), "You said: hello");
}

#[test]
fn what_is_held_stays_held_while_the_connection_is_cut() {
    let Some(setting) = Setting::new() else { return };
    let proxy = Proxy::to(setting.server.address());
    let mut client = setting.client_by(&proxy.url(), &[]);
    let calls = [("run outside touch held.txt", "codex-command"), (r#"call write-note {"text":"held"}"#, "write-note")];
    for (words, skill) in calls {
        let held = turn(&mut client, skill, "selective", words);
        let action = &held["suggestedActions"][0];
        assert_eq!(action["skill"], skill, "{held}");
        proxy.cut();
        wait_for_state(&mut client, "backoff");
        proxy.heal();
        wait_for_state(&mut client, "ready");
        let result = decide(&mut client, skill, action, "approve");
        assert_eq!((&result["turnId"], &result["stopReason"]), (&held["turnId"], &json!("end-turn")), "{result}");
        assert!(said(&result).starts_with("Done: "), "{result}");
    }
    assert!(setting.made("held.txt"));
    assert_eq!(setting.home.notes(), [json!({"text": "held"})], "it ran once");
}

#[test]
fn a_turn_dies_with_its_process_and_the_next_one_is_answered() {
    let Some(mut setting) = Setting::new() else { return };
    let mut client = setting.client();
    turn(&mut client, "killed", "auto", "before");
    client.events.clear();
    let id = begin(&mut client, "killed", "auto", "slowly killed");
    client.wait_for("text-delta");
    setting.server.kill();
    setting.server.revive();
    let error = client.answer(id).expect_err("the turn is dead");
    assert_eq!(error["data"]["provider"], "codex", "{error}");
    assert_eq!(error["data"]["retryable"], true, "{error}");
    assert_eq!(client.events.last().map(|params| &params["event"]["kind"]), Some(&json!("loop-done")));
    client.events.clear();
    let result = turn(&mut client, "killed", "auto", "after");
    assert_eq!(said(&result), "You said: after");
    let last = setting.upstream.requests().pop().expect("a request")["input"].to_string();
    for words in ["before", "after"] {
        assert_eq!(last.matches(&format!("\"{words}\"")).count(), 1, "{words} is said once: {last}");
    }
}

#[test]
fn what_was_held_when_the_process_died_cannot_be_done_any_more() {
    let Some(mut setting) = Setting::new() else { return };
    let mut client = setting.client();
    let held = turn(&mut client, "held", "selective", "run outside touch held.txt");
    setting.server.kill();
    setting.server.revive();
    let params =
        json!({"sessionName": "held", "actionIds": [held["suggestedActions"][0]["id"]], "decision": "approve"});
    let late = client.ask("conductor.approve", params);
    client.events.clear();
    assert!(!setting.made("held.txt"), "{late:?}");
    assert!(late.is_err(), "it is told: {late:?}");
    assert_eq!(said(&turn(&mut client, "held", "selective", "hello")), "You said: hello");
}

#[test]
fn a_turn_that_a_killed_daemon_left_is_stopped_before_the_next() {
    let Some(setting) = Setting::new() else { return };
    let mut client = setting.client();
    begin(&mut client, "left", "auto", "slowly left");
    client.wait_for("text-delta");
    client.kill();
    let mut client = setting.client();
    assert_eq!(said(&turn(&mut client, "left", "auto", "hello")), "You said: hello");
    setting.upstream.wait_left("left");
}

#[test]
fn calls_are_answered_while_the_process_dies_and_comes_back() {
    let Some(mut setting) = Setting::new() else { return };
    let mut client = setting.client();
    rpc(&mut client, "thread/loaded/list", json!({})).expect("an answer");
    let params = json!({"method": "thread/list", "params": {"limit": 1}, "confirm": true});
    let ids: Vec<u64> = (0..50).map(|_| client.send("codex.rpc", params.clone())).collect();
    setting.server.kill();
    let answers: Vec<Result<Value, Value>> = ids.into_iter().map(|id| client.answer(id)).collect();
    for error in answers.iter().filter_map(|answer| answer.as_ref().err()) {
        assert_eq!(error["data"]["code"], "E_CODEX_LINK", "{error}");
    }
    setting.server.revive();
    wait_for_state(&mut client, "ready");
    rpc(&mut client, "thread/loaded/list", json!({})).expect("it is back");
}

#[test]
fn one_that_accepts_and_says_nothing_holds_nobody_up() {
    let Some(setting) = Setting::new() else { return };
    let proxy = Proxy::to(setting.server.address());
    proxy.swallow();
    let mut client = setting.client_by(&proxy.url(), &[]);
    let params = json!({"method": "thread/loaded/list", "params": {}, "confirm": true, "timeoutMs": 300});
    let error = client.ask("codex.rpc", params).expect_err("nothing is said");
    assert_eq!(error["data"]["code"], "E_CODEX_LINK", "{error}");
    assert!(client.ask("skills.list", json!({})).is_ok(), "everything else goes on");
    proxy.heal();
    wait_for_state(&mut client, "ready");
    assert!(proxy.accepted() >= 2);
    assert_eq!(said(&turn(&mut client, "here", "auto", "hello")), "You said: hello");
}

#[test]
fn a_flood_holds_nobody_up_and_what_is_left_out_is_counted() {
    const FLOOD: usize = 20_000;
    let impostor = Impostor::flooding(FLOOD);
    let home = Home::new();
    let mut daemon = home.command(PROGRAM);
    daemon.env("CODEX_APP_SERVER_URL", impostor.url());
    let mut client = Client::start(daemon);
    client.ask("codex.subscribe", json!({})).expect("a subscription");
    let calls: Vec<u64> = ["flood"]
        .into_iter()
        .chain(["thread/list"; 50])
        .map(|method| client.send("codex.rpc", json!({"method": method, "confirm": true})))
        .collect();
    for call in calls {
        client.answer(call).expect("an answer");
    }
    let mut heard = 0;
    let mut last = None;
    while heard < FLOOD as u64 {
        let (method, params) = client.any_notice();
        match method.as_str() {
            "codex.notification" => {
                let number = params["params"]["number"].as_u64().expect("a number");
                assert!(last.is_none_or(|last| last < number), "{number} after {last:?}");
                last = Some(number);
                heard += 1;
            }
            "codex.lost" => heard += params["count"].as_u64().expect("a number"),
            _ => {}
        }
    }
    assert_eq!(heard, FLOOD as u64);
}

#[test]
fn a_flood_of_words_comes_through_whole() {
    let Some(setting) = Setting::new() else { return };
    let mut client = setting.client();
    let result = turn(&mut client, "flood", "auto", "talk 5000");
    assert_eq!(said(&result).trim_end(), "word ".repeat(5000).trim_end());
}
