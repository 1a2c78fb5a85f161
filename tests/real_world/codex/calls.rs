//! `codex.rpc` and what belongs to it: calls go through as they are, and what the app-server says by itself is heard.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::harness::proxy::Proxy;
use super::setting::{Setting, rpc, turn};

#[test]
fn calls_go_through_and_come_back_as_they_are() {
    let Some(setting) = Setting::new() else { return };
    let mut client = setting.client();
    let mut direct = setting.server.connect();
    let listed = rpc(&mut client, "thread/loaded/list", json!({})).expect("threads");
    assert_eq!(listed, direct.ask("thread/loaded/list", json!({})).expect("threads"));

    let thread = direct.start_thread(json!({}));
    direct.start_turn(&thread, "hello there");
    direct.wait_for("turn/completed");
    let threads = rpc(&mut client, "thread/list", json!({"limit": 5})).expect("threads");
    assert_eq!(threads["data"][0]["id"], thread.as_str(), "{threads}");
    let resumed = rpc(&mut client, "thread/resume", json!({"threadId": thread, "excludeTurns": true}));
    assert_eq!(resumed.expect("a thread")["thread"]["id"], thread.as_str());

    let error = rpc(&mut client, "thread/resume", json!({"threadId": "nonsense"})).expect_err("no such thread");
    let own = direct.ask("thread/resume", json!({"threadId": "nonsense"})).expect_err("no such thread");
    assert_eq!((&error["code"], &error["data"]["code"]), (&json!(-32018), &json!("E_CODEX_RPC")), "{error}");
    assert!(error.to_string().contains(own["message"].as_str().expect("a message")), "{error}");
    assert!(error.to_string().contains("-32600"), "its code is kept: {error}");
}

#[test]
fn without_a_word_of_the_client_nothing_goes_through_and_some_things_never_do() {
    let Some(setting) = Setting::new() else { return };
    let mut client = setting.client();
    let params = json!({"method": "thread/loaded/list", "params": {}});
    assert_eq!(client.ask("codex.rpc", params).expect_err("not confirmed")["code"], -32016);
    let file = setting.server.home.work().join("reached.txt");
    let write = json!({"path": file, "dataBase64": "aGk="});
    for (method, params) in [("fs/writeFile", write), ("getAuthStatus", json!({"includeToken": true}))] {
        let error = rpc(&mut client, method, params).expect_err(method);
        assert_ne!(error["data"]["code"], "E_CODEX_RPC", "it was not even asked: {error}");
    }
    assert!(!file.exists());
}

#[test]
fn a_chat_that_is_cancelled_while_its_turn_is_begun_does_not_run_on() {
    let Some(setting) = Setting::new() else { return };
    let proxy = Proxy::to(setting.server.address());
    let mut client = setting.client_by(&proxy.url(), &[]);
    rpc(&mut client, "thread/loaded/list", json!({})).expect("a connection");
    // First said of the turn in the answer to what begins it.
    proxy.hold_at(r#""inProgress""#);
    let messages = json!([{"role": "user", "content": "slowly cancelled"}]);
    let params = json!({"skill": "codex-chat", "input": {"messages": messages}, "confirm": true});
    let chat = client.send("skills.invoke", params);
    setting.upstream.wait_reached("cancelled");
    client.notify("$/cancelRequest", json!({"id": chat}));
    assert_eq!(client.answer(chat).expect_err("it is cancelled")["code"], -32800);
    proxy.let_go();
    setting.upstream.wait_left("cancelled");
}

#[test]
fn a_thousand_calls_at_once_are_each_answered_once() {
    let Some(setting) = Setting::new() else { return };
    let mut client = setting.client();
    let params = json!({"method": "thread/loaded/list", "params": {}, "confirm": true});
    let ids: Vec<u64> = (0..1000).map(|_| client.send("codex.rpc", params.clone())).collect();
    let answers: Vec<_> = ids.into_iter().map(|id| client.answer(id)).collect();
    let good = answers.iter().filter(|answer| answer.is_ok()).count();
    assert!(good >= 64, "{good} went through");
    for error in answers.iter().filter_map(|answer| answer.as_ref().err()) {
        assert_eq!(error["code"], -32001, "who has no place is told so: {error}");
    }
    rpc(&mut client, "thread/loaded/list", json!({})).expect("it goes on");
}

#[test]
fn the_threads_of_a_client_are_heard_and_their_questions_answered() {
    let Some(setting) = Setting::new() else { return };
    let (mut asking, mut answering) = (setting.client(), setting.client());
    asking.ask("codex.subscribe", json!({})).expect("a subscription");
    let policy = json!({"approvalPolicy": "untrusted", "sandbox": "workspace-write"});
    let started = rpc(&mut asking, "thread/start", policy).expect("a thread");
    let thread = started["thread"]["id"].as_str().expect("an id").to_owned();
    let resume = json!({"threadId": thread, "excludeTurns": true});
    for (file, decision) in [("accepted.txt", "accept"), ("declined.txt", "decline")] {
        let input = json!([{"type": "text", "text": format!("run touch {file}"), "text_elements": []}]);
        rpc(&mut asking, "turn/start", json!({"threadId": thread, "input": input})).expect("a turn");
        let question = asking.notice("codex.request");
        assert_eq!(question["method"], "item/commandExecution/requestApproval", "{question}");
        // Who comes later sees what waits: the thread can be joined once it is on the disk.
        rpc(&mut answering, "thread/resume", resume.clone()).expect("the thread");
        let pending = answering.ask("codex.subscribe", json!({})).expect("a subscription")["pending"].clone();
        let question = match pending.as_array().and_then(|pending| pending.last()) {
            Some(question) => question.clone(),
            None => answering.notice("codex.request"),
        };
        assert!(question["deadlineMs"].as_u64().is_some_and(|left| left > 0), "{question}");
        let answer = json!({"requestId": question["requestId"], "result": {"decision": decision}});
        assert_eq!(answering.ask("codex.respond", answer.clone()).expect("an answer")["accepted"], true);
        assert_eq!(answering.ask("codex.respond", answer).expect("an answer")["accepted"], false, "the first counts");
        while asking.notice("codex.notification")["method"] != "turn/completed" {}
        asking.notice("codex.requestResolved");
        assert_eq!(setting.made(file), decision == "accept", "{file}");
    }
}

#[test]
fn skills_start_and_list_threads() {
    let Some(setting) = Setting::new() else { return };
    let mut client = setting.client();
    let mut invoke = |skill: &str, input: Value| {
        let params = json!({"skill": skill, "input": input, "confirm": true});
        let answer = client.ask("skills.invoke", params).unwrap_or_else(|error| panic!("{skill}: {error}"));
        assert_eq!(answer["ok"], true, "{answer}");
        answer["data"].clone()
    };
    let started = invoke("codex-thread-start", json!({}));
    assert!(started.to_string().contains("threadId"), "{started}");
    for number in 0..3 {
        let mut direct = setting.server.connect();
        let thread = direct.start_thread(json!({}));
        direct.start_turn(&thread, &format!("hello {number}"));
        direct.wait_for("turn/completed");
    }
    let mut seen = HashSet::new();
    let mut cursor = Value::Null;
    loop {
        let mut input = json!({"limit": 2});
        if !cursor.is_null() {
            input["cursor"] = cursor;
        }
        let page = invoke("codex-thread-list", input);
        let rows = page["threads"].as_array().unwrap_or_else(|| panic!("{page}"));
        assert!(rows.len() <= 2, "{page}");
        assert!(rows.iter().all(|row| seen.insert(row["threadId"].to_string())), "twice: {page}");
        cursor = page["nextCursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    assert_eq!(seen.len(), 3, "{seen:?}");
    let status = invoke("codex-status", json!({}));
    assert!(status.to_string().contains("0.169.0"), "{status}");
}

#[test]
fn a_turn_of_ours_is_no_affair_of_those_who_listen() {
    let Some(setting) = Setting::new() else { return };
    let mut client = setting.client();
    client.ask("codex.subscribe", json!({})).expect("a subscription");
    let held = turn(&mut client, "own", "selective", "run outside touch own.txt");
    assert_eq!(held["halted"], "dangerous-skill");
    let status = client.ask("codex.status", json!({})).expect("a status");
    assert_eq!(status["pendingRequests"], 0, "its questions are decided with conductor.approve: {status}");
}

#[test]
fn skills_chat_and_list_models() {
    let Some(setting) = Setting::new() else { return };
    let mut client = setting.client();
    for stream in [false, true] {
        let messages = json!([{"role": "user", "content": "hello"}]);
        let params = json!({"skill": "codex-chat", "input": {"messages": messages, "stream": stream}});
        let answer = client.ask("skills.invoke", params).expect("an answer");
        assert!(answer.to_string().contains("You said: hello"), "{answer}");
    }
    let models = client.ask("providers.models", json!({"provider": "codex"})).expect("models");
    assert!(models["models"].as_array().is_some_and(|models| !models.is_empty()), "{models}");
}
