//! Skills that clients offer: who sees them, and what becomes of a call whose client is gone, slow or no longer wanted.

use std::sync::Arc;

use nix::sys::signal::{Signal, kill};
use open_think::daemon::{Daemon, Record};
use serde_json::{Value, json};

use crate::background::pid;
use crate::home::Home;
use crate::site::Site;
use crate::wire::{Framing, Wire};

async fn ready(mut wire: Wire, name: &str) -> Wire {
    let params = json!({ "clientInfo": { "name": name }, "capabilities": { "skills": true } });
    wire.ask("initialize", params).await.expect("a result");
    wire.notify("initialized", json!({})).await;
    wire
}

async fn client(daemon: &Arc<Daemon>, name: &str) -> Wire {
    ready(Wire::connect(daemon, Framing::Lines), name).await
}

fn skill(id: &str) -> Value {
    json!({ "id": id, "description": "Opens what is named.", "dangerous": false })
}

async fn register(wire: &mut Wire, skills: &[Value]) -> Result<Value, Value> {
    let result = wire.ask("skills.register", json!({ "skills": skills })).await?;
    Ok(result["registered"].clone())
}

async fn listed(wire: &mut Wire, id: &str) -> Option<Value> {
    let skills = wire.ask("skills.list", json!({})).await.expect("skills");
    skills["skills"].as_array().expect("a list").iter().find(|skill| skill["id"] == id).cloned()
}

/// Until the skill is, or is not, there.
async fn until_listed(wire: &mut Wire, id: &str, there: bool) {
    while listed(wire, id).await.is_some() != there {
        tokio::task::yield_now().await;
    }
}

async fn called(wire: &mut Wire) -> Value {
    wire.until(|frame| frame["method"] == "skills.call").await
}

async fn cancelled(wire: &mut Wire, call: &Value) {
    wire.until(|frame| frame["method"] == "$/cancelRequest" && frame["params"]["id"] == call["id"]).await;
}

async fn answer(wire: &mut Wire, call: &Value, output: Value) {
    wire.write(&json!({ "jsonrpc": "2.0", "id": call["id"], "result": { "output": output } }).to_string()).await;
}

fn message(error: &Value) -> &str {
    error["message"].as_str().expect("a message")
}

#[tokio::test]
async fn what_one_client_offers_another_sees_and_runs_until_it_leaves() {
    let home = Home::new();
    let daemon = home.daemon().await;
    let (mut quill, mut other) = (client(&daemon, "quill").await, client(&daemon, "other").await);
    assert_eq!(register(&mut quill, &[skill("open-it")]).await, Ok(json!(["open-it"])));
    let row = json!({
        "id": "open-it", "description": "Opens what is named.", "plugin": "client:quill", "tags": ["client"],
        "inputSchema": { "type": "object" }, "dangerous": false,
    });
    assert_eq!(listed(&mut other, "open-it").await, Some(row));
    let refused = register(&mut other, &[skill("other-thing"), skill("read-note")]).await.expect_err("it is taken");
    assert_eq!(message(&refused), "parameter 'skills[1].id' is the id of a skill of 'command'");
    assert_eq!(listed(&mut other, "other-thing").await, None, "nothing of the request is taken");

    let invoked = other.send("skills.invoke", json!({ "skill": "open-it", "input": { "a": 1 } })).await;
    let call = called(&mut quill).await;
    let params = json!({ "skill": "open-it", "input": { "a": 1 }, "deadlineMs": 60_000 });
    assert_eq!(call["params"], params);
    answer(&mut quill, &call, json!([1])).await;
    assert_eq!(other.answer(invoked).await, Ok(json!({ "ok": true, "data": [1] })));

    let invoked = other.send("skills.invoke", json!({ "skill": "open-it" })).await;
    called(&mut quill).await;
    drop(quill);
    let gone = other.answer(invoked).await.expect_err("its client is gone");
    assert_eq!(gone["data"]["code"], "E_SKILL_FAILED");
    assert_eq!(message(&gone), "the client that offers open-it is gone, or has taken it back");
    until_listed(&mut other, "open-it", false).await;
}

/// Two windows of an editor offer the same.
#[tokio::test]
async fn a_client_gets_its_own_skill_where_others_have_the_same() {
    let home = Home::new();
    let daemon = home.daemon().await;
    let (mut first, mut second) = (client(&daemon, "quill").await, client(&daemon, "quill").await);
    let mut third = client(&daemon, "other").await;
    for wire in [&mut first, &mut second] {
        assert_eq!(register(wire, &[skill("open-it")]).await, Ok(json!(["open-it"])));
    }
    let turn = |session: &str| json!({ "sessionName": session, "mode": "selective", "content": "call open-it {}" });
    for (asked, answered) in [("second", "second"), ("first", "first"), ("third", "first")] {
        let asker = match asked {
            "first" => &mut first,
            "second" => &mut second,
            _ => &mut third,
        };
        let turn = asker.send("conductor.message", turn(asked)).await;
        let offering = if answered == "first" { &mut first } else { &mut second };
        let call = called(offering).await;
        answer(offering, &call, json!(answered)).await;
        let asker = match asked {
            "first" => &mut first,
            "second" => &mut second,
            _ => &mut third,
        };
        let result = asker.answer(turn).await.expect("a result");
        assert_eq!(result["trace"][0]["result"], answered, "{asked}: {result}");
    }
    let invoked = second.send("skills.invoke", json!({ "skill": "open-it" })).await;
    let call = called(&mut second).await;
    answer(&mut second, &call, json!("own")).await;
    assert_eq!(second.answer(invoked).await.expect("its own")["data"], "own");

    drop(first);
    while third.ask("daemon.status", json!({})).await.expect("a status")["clients"] != 2 {
        tokio::task::yield_now().await;
    }
    let invoked = third.send("skills.invoke", json!({ "skill": "open-it" })).await;
    let call = called(&mut second).await;
    answer(&mut second, &call, json!("what is left")).await;
    assert_eq!(third.answer(invoked).await.expect("that of the second")["data"], "what is left");
}

#[tokio::test]
async fn one_that_does_not_answer_in_time_hears_that_nobody_waits() {
    let home = Home::new();
    let daemon = home.daemon().await;
    let mut quill = client(&daemon, "quill").await;
    let mut slow = skill("open-it");
    slow["timeoutMs"] = json!(40);
    register(&mut quill, &[slow]).await.expect("it is good");
    let turn = quill
        .send("conductor.message", json!({ "sessionName": "s", "mode": "selective", "content": "call open-it {}" }))
        .await;
    let call = called(&mut quill).await;
    assert_eq!((&call["params"]["sessionName"], &call["params"]["deadlineMs"]), (&json!("s"), &json!(40)));
    cancelled(&mut quill, &call).await;
    let result = quill.answer(turn).await.expect("a result");
    assert_eq!(result["turnId"], call["params"]["turnId"]);
    let (entry, error) = (&result["trace"][0], "the client that offers open-it did not answer within 40ms.");
    assert!(entry["ok"] == false && entry["error"].as_str().is_some_and(|said| said.starts_with(error)), "{entry}");
    // What comes too late counts for nothing.
    answer(&mut quill, &call, json!(1)).await;
    assert!(listed(&mut quill, "open-it").await.is_some());
}

#[tokio::test]
async fn an_interrupted_turn_cancels_the_call() {
    let home = Home::new();
    let daemon = home.daemon().await;
    let (mut quill, mut other) = (client(&daemon, "quill").await, client(&daemon, "other").await);
    register(&mut quill, &[skill("open-it")]).await.expect("it is good");
    let turn = other
        .send("conductor.message", json!({ "sessionName": "s", "mode": "auto", "content": "call open-it {}" }))
        .await;
    let call = called(&mut quill).await;
    other.ask("conductor.interrupt", json!({ "sessionName": "s" })).await.expect("it runs");
    cancelled(&mut quill, &call).await;
    assert_eq!(other.answer(turn).await.expect("a result")["stopReason"], "cancelled");
}

#[tokio::test]
async fn a_turn_that_knows_a_skill_hears_that_it_is_gone() {
    let home = Home::new();
    let daemon = home.daemon().await;
    let (mut quill, mut other) = (client(&daemon, "quill").await, client(&daemon, "other").await);
    register(&mut quill, &[skill("open-it"), skill("wait-here")]).await.expect("they are good");
    let content = "call wait-here {}\nthen\ncall open-it {}";
    let turn = other.send("conductor.message", json!({ "mode": "selective", "content": content })).await;
    let call = called(&mut quill).await;
    let left = quill.ask("skills.unregister", json!({ "skills": ["open-it"] })).await;
    assert_eq!(left, Ok(json!({ "registered": ["wait-here"] })));
    answer(&mut quill, &call, Value::Null).await;
    let result = other.answer(turn).await.expect("a result");
    let error = "the client that offers open-it is gone, or has taken it back";
    assert_eq!((&result["trace"][0]["ok"], &result["trace"][1]["error"]), (&json!(true), &json!(error)));
}

/// Whoever says of it later that it is dangerous says so of another.
#[tokio::test]
async fn a_turn_that_knows_a_skill_does_not_run_what_has_taken_its_place() {
    let home = Home::new();
    let daemon = home.daemon().await;
    let (mut quill, mut other) = (client(&daemon, "quill").await, client(&daemon, "other").await);
    register(&mut quill, &[skill("open-it"), skill("wait-here")]).await.expect("they are good");
    let content = "call wait-here {}\nthen\ncall open-it {}";
    let turn = other.send("conductor.message", json!({ "mode": "selective", "content": content })).await;
    let call = called(&mut quill).await;
    let dangerous = json!({ "id": "open-it", "description": "Opens what is named.", "dangerous": true });
    register(&mut quill, &[dangerous]).await.expect("it is good");
    answer(&mut quill, &call, Value::Null).await;
    let result = other.answer(turn).await.expect("a result");
    let error = "the client that offers open-it is gone, or has taken it back";
    assert_eq!((&result["trace"][0]["ok"], &result["trace"][1]["error"]), (&json!(true), &json!(error)));
    assert!(!quill.seen.iter().any(|frame| frame["method"] == "skills.call"), "{:?}", quill.seen);
}

#[tokio::test]
async fn a_schema_that_would_take_too_long_to_check_is_refused() {
    let home = Home::new();
    let daemon = home.daemon().await;
    let mut quill = client(&daemon, "quill").await;
    let child = json!({ "type": "object", "properties": { "child": { "$ref": "#/$defs/node" } } });
    let node = json!({ "anyOf": [child, child, { "type": "string" }] });
    let mut endless = skill("open-it");
    endless["inputSchema"] = json!({
        "type": "object", "properties": { "root": { "$ref": "#/$defs/node" } }, "$defs": { "node": node },
    });
    let refused = register(&mut quill, &[endless]).await.expect_err("it may take for ever");
    let why = "parameter 'skills[0].inputSchema' would take too long to check: it refers to itself more than once, as at \
               '#/$defs/node'";
    assert_eq!((message(&refused), &refused["data"]["code"]), (why, &json!("E_BAD_REQUEST")));
}

#[tokio::test]
async fn a_dangerous_one_is_held_and_runs_for_whoever_approves() {
    let home = Home::new();
    let daemon = home.daemon().await;
    let (mut quill, mut other) = (client(&daemon, "quill").await, client(&daemon, "other").await);
    let wipe = json!({ "id": "wipe-it", "description": "Wipes what is named." });
    register(&mut quill, &[wipe]).await.expect("it is good");
    let unconfirmed = other.ask("skills.invoke", json!({ "skill": "wipe-it" })).await.expect_err("it is dangerous");
    assert_eq!(unconfirmed["data"]["code"], "E_APPROVAL_REQUIRED");
    let params = json!({ "sessionName": "s", "mode": "selective", "content": "call wipe-it {}" });
    let held = other.ask("conductor.message", params).await.expect("a result");
    assert_eq!(held["stopReason"], "dangerous-skill");
    let ids = json!([held["suggestedActions"][0]["id"]]);
    let params = json!({ "sessionName": "s", "actionIds": ids, "decision": "approve", "input": {} });
    let turn = other.send("conductor.approve", params).await;
    let call = called(&mut quill).await;
    assert_eq!(call["params"]["turnId"], held["turnId"]);
    answer(&mut quill, &call, json!("wiped")).await;
    assert_eq!(other.answer(turn).await.expect("a result")["trace"][0]["result"], "wiped");
}

/// Held for the skill of `quill`, and approved once that is gone and another client offers the same id.
async fn check_replaced(next: &str, said: &str) {
    let home = Home::new();
    let daemon = home.daemon().await;
    let (mut quill, mut other) = (client(&daemon, "quill").await, client(&daemon, "other").await);
    let wipe = json!({ "id": "wipe-it", "description": "Wipes what is named." });
    register(&mut quill, std::slice::from_ref(&wipe)).await.expect("it is good");
    let params = json!({ "sessionName": "s", "mode": "selective", "content": "call wipe-it {\"path\":\"a\"}" });
    let held = other.ask("conductor.message", params).await.expect("a result");
    drop(quill);
    until_listed(&mut other, "wipe-it", false).await;
    let mut next = client(&daemon, next).await;
    register(&mut next, &[wipe]).await.expect("it is good");
    let action = held["suggestedActions"][0].clone();
    let params = json!({ "sessionName": "s", "actionIds": [action["id"]], "decision": "approve" });
    let result = other.ask("conductor.approve", params).await.expect("a result");
    assert_eq!(action["plugin"], "client:quill");
    let error = format!(
        "skill 'wipe-it' of 'client:quill', which this was held for, is gone: the one of {said} was not run in its place"
    );
    assert_eq!((&result["trace"][0]["ok"], &result["trace"][0]["error"]), (&json!(false), &json!(error)));
    assert_eq!((&result["stopReason"], &result["suggestedActions"]), (&json!("end-turn"), &json!([])));
}

#[tokio::test]
async fn an_approval_for_one_clients_skill_never_runs_anothers() {
    check_replaced("page", "'client:page'").await;
    // Two windows of an editor.
    check_replaced("quill", "another 'client:quill'").await;
}

#[tokio::test]
async fn one_client_has_a_bound_of_calls_and_none_holds_up_the_connection() {
    let home = Home::new();
    let daemon = home.daemon().await;
    let mut quill = client(&daemon, "quill").await;
    register(&mut quill, &[skill("open-it")]).await.expect("it is good");
    let mut invoked = Vec::new();
    for _ in 0..64 {
        invoked.push(quill.send("skills.invoke", json!({ "skill": "open-it" })).await);
    }
    let refused = quill.ask("skills.invoke", json!({ "skill": "open-it" })).await.expect_err("it is too much");
    assert_eq!(message(&refused), "the client that offers open-it has 64 calls at work already");
    for id in invoked {
        let call = called(&mut quill).await;
        answer(&mut quill, &call, json!(id)).await;
        assert!(quill.answer(id).await.is_ok());
    }
}

#[tokio::test]
async fn they_outlive_a_reload_and_make_way_for_the_daemons_own() {
    let home = Home::new();
    let daemon = home.daemon().await;
    let mut quill = client(&daemon, "quill").await;
    register(&mut quill, &[skill("open-it"), skill("say-moo")]).await.expect("they are good");
    let before = home.configuration();
    let own = "[[skill]]\nid = \"say-moo\"\ndescription = \"Says moo.\"\ncommand = [\"/bin/echo\", \"moo\"]\n";
    home.configure(&format!("{before}\n{own}"));
    quill.ask("daemon.reload", json!({})).await.expect("it is good");
    assert_eq!(listed(&mut quill, "open-it").await.expect("it stays")["plugin"], "client:quill");
    assert_eq!(listed(&mut quill, "say-moo").await.expect("it is there")["plugin"], "command");
    let refused = register(&mut quill, &[skill("say-moo")]).await.expect_err("it is the daemon's");
    assert_eq!(message(&refused), "parameter 'skills[0].id' is the id of a skill of 'command'");
    home.configure(&before);
    quill.ask("daemon.reload", json!({})).await.expect("it is good");
    assert_eq!(register(&mut quill, &[skill("say-moo")]).await, Ok(json!(["open-it", "say-moo"])));
}

#[tokio::test]
async fn an_answer_has_an_output_of_bounded_size_and_no_secret_of_the_daemons() {
    let home = Home::new().set("ANTHROPIC_API_KEY", "sk-ant-quince");
    let daemon = home.daemon().await;
    let mut quill = client(&daemon, "quill").await;
    register(&mut quill, &[skill("open-it")]).await.expect("it is good");
    let long = "a".repeat(1024 * 1024);
    let cases = [
        (json!({ "result": { "output": "key sk-ant-quince" } }), Ok("key ***")),
        (json!({ "error": { "code": 1, "message": "there is no sk-ant-quince" } }), Err("there is no ***")),
        (json!({ "error": { "code": 1, "message": "" } }), Err("open-it failed with error 1")),
        (json!({ "result": { "output": long } }), Err("the client that offers open-it answered with more than")),
        (json!({ "result": null }), Err("the client that offers open-it must answer with an object that has 'output'")),
    ];
    for (said, expected) in cases {
        let invoked = quill.send("skills.invoke", json!({ "skill": "open-it" })).await;
        let mut frame = said;
        frame["jsonrpc"] = json!("2.0");
        frame["id"] = called(&mut quill).await["id"].clone();
        quill.write(&frame.to_string()).await;
        match (quill.answer(invoked).await, expected) {
            (Ok(result), Ok(data)) => assert_eq!(result["data"], data),
            (Err(error), Err(why)) => assert!(message(&error).starts_with(why), "{error}"),
            (came, _) => panic!("{came:?} and not {expected:?}"),
        }
    }
}

#[tokio::test]
async fn a_request_of_http_has_nobody_to_call_back_and_a_websocket_has() {
    let site = Site::start("").await;
    let skills = json!({ "skills": [skill("open-it")] });
    let body = json!({ "id": 1, "method": "skills.register", "params": skills });
    let refused = site.send("POST /rpc", &body.to_string()).await.json();
    assert_eq!(refused["error"]["message"], "over a single request of HTTP nobody can be asked to run a skill");
    let mut quill = ready(Wire::over_websocket(site.socket().await), "quill").await;
    assert_eq!(register(&mut quill, &[skill("open-it")]).await, Ok(json!(["open-it"])));
}

#[tokio::test]
async fn a_shim_offers_them_again_to_the_next_daemon() {
    let home = Home::new();
    let mut quill = ready(home.shim(Framing::Headers), "quill").await;
    register(&mut quill, &[skill("open-it"), skill("close-it"), skill("wait-here")]).await.expect("they are good");
    quill.ask("skills.unregister", json!({ "skills": ["close-it"] })).await.expect("a result");
    let mut other = home.shim(Framing::Lines);
    let invoked = other.send("skills.invoke", json!({ "skill": "open-it" })).await;
    let stale = called(&mut quill).await;
    let before = Record::read(&home.address()).expect("a daemon's record");
    kill(pid(&before), Signal::SIGKILL).expect("it lives");
    cancelled(&mut quill, &stale).await;
    other.answer(invoked).await.expect_err("its daemon is gone");

    until_listed(&mut other, "wait-here", true).await;
    assert!(listed(&mut other, "close-it").await.is_none());
    let invoked = other.send("skills.invoke", json!({ "skill": "open-it" })).await;
    let call = called(&mut quill).await;
    assert_ne!(call["id"], stale["id"]);
    answer(&mut quill, &stale, json!("stale")).await;
    answer(&mut quill, &call, json!("fresh")).await;
    assert_eq!(other.answer(invoked).await.expect("a result")["data"], "fresh");
    // What is no longer wanted is known by the id that the client knows.
    let invoked = other.send("skills.invoke", json!({ "skill": "open-it" })).await;
    let call = called(&mut quill).await;
    other.notify("$/cancelRequest", json!({ "id": invoked })).await;
    cancelled(&mut quill, &call).await;
}

#[tokio::test]
async fn a_daemon_that_drains_keeps_the_client_whose_skill_runs() {
    let home = Home::new();
    let process = crate::shared::serve(&home).await;
    let mut quill = ready(home.connect(Framing::Lines).await, "quill").await;
    let mut other = home.connect(Framing::Lines).await;
    register(&mut quill, &[skill("open-it")]).await.expect("it is good");
    let invoked = other.send("skills.invoke", json!({ "skill": "open-it" })).await;
    let call = called(&mut quill).await;
    let mut third = home.connect(Framing::Lines).await;
    assert_eq!(third.ask("daemon.stop", json!({ "when": "drain" })).await, Ok(json!({ "stopping": true })));
    answer(&mut quill, &call, json!("opened")).await;
    assert_eq!(other.answer(invoked).await.expect("a result")["data"], "opened");
    crate::shared::ended(process).await;
}
