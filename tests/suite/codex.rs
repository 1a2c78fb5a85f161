//! `codex.*`: an app-server as several clients see it through one daemon.

use std::sync::Arc;

use open_think::daemon::Daemon;
use serde_json::{Value, json};

use crate::app_server::{AppServer, Reply};
use crate::home::Home;
use crate::wire::{Framing, Wire};

const APPROVAL: &str = "item/commandExecution/requestApproval";

fn thread(params: &Value) -> Reply {
    let id = params["threadId"].as_str().unwrap_or("t1");
    Reply::Result(json!({ "thread": { "id": id, "status": { "type": "idle" } }, "model": "gpt-5.5" }).to_string())
}

/// The usual answers.
fn usual(method: &str, params: &Value) -> Reply {
    match method {
        "thread/start" | "thread/resume" | "thread/fork" => thread(params),
        "never" => Reply::Silence,
        "refuse" => Reply::Error(r#"{"code":-32600,"message":"no \"such\" thing","data":{"b":1.10,"a":[]}}"#.into()),
        _ => Reply::Result("{}".into()),
    }
}

async fn open(server: &AppServer, tables: &str) -> (Home, Arc<Daemon>) {
    let home = Home::with(tables).set("CODEX_APP_SERVER_URL", &server.url);
    let daemon = home.daemon().await;
    (home, daemon)
}

fn rpc(method: &str, params: Value) -> Value {
    json!({ "method": method, "params": params, "confirm": true })
}

fn code(error: &Value) -> (i64, &str) {
    (error["code"].as_i64().expect("a number"), error["data"]["code"].as_str().expect("a name"))
}

#[tokio::test]
async fn parameters_and_results_go_through_untouched() {
    const ODD: &str = r#"{"z": 9007199254740993,"a":1.10,"m":-0,"big":123456789012345678901234567890, "e":"\u00e9\/"}"#;
    let mut server = AppServer::start(|_, _| Reply::Result(ODD.into())).await;
    let (_home, daemon) = open(&server, "").await;
    let mut wire = Wire::connect(&daemon, Framing::Lines);
    wire.write(&format!(
        r#"{{"id":9007199254740993,"method":"codex.rpc","params":{{"confirm":true,"params":{ODD},"method":"any/thing"}}}}"#
    ))
    .await;
    let answer = wire.read_text().await.expect("an answer");
    assert_eq!(answer.trim_end(), format!(r#"{{"jsonrpc":"2.0","id":9007199254740993,"result":{ODD}}}"#));
    let (_, asked) = server.until("any/thing").await;
    assert!(asked.contains(&format!(r#""params":{ODD}"#)), "{asked}");
}

#[tokio::test]
async fn the_errors_of_the_app_server_are_kept() {
    let server = AppServer::start(usual).await;
    let (_home, daemon) = open(&server, "").await;
    let mut wire = Wire::connect(&daemon, Framing::Lines);
    let error = wire.ask("codex.rpc", rpc("refuse", json!({}))).await.expect_err("it says no");
    assert_eq!(code(&error), (-32018, "E_CODEX_RPC"));
    let of_server = json!({ "code": -32600, "message": "no \"such\" thing", "data": { "b": 1.10, "a": [] } });
    assert_eq!(error["data"]["rpcError"], of_server);
    assert_eq!(error["message"], "the Codex app-server answered with error -32600: no \"such\" thing");
}

#[tokio::test]
async fn what_may_be_called_is_the_configurations_affair() {
    let mut server = AppServer::start(usual).await;
    let (_home, daemon) = open(&server, "[codex]\nrefuse_methods = ['fs/*', 'account/logout']").await;
    let mut wire = Wire::connect(&daemon, Framing::Lines);
    let error = wire.ask("codex.rpc", json!({ "method": "thread/list" })).await.expect_err("unconfirmed");
    assert_eq!(code(&error), (-32016, "E_APPROVAL_REQUIRED"));
    for method in ["fs/readFile", "account/logout"] {
        let error = wire.ask("codex.rpc", rpc(method, json!({}))).await.expect_err("refused");
        assert_eq!(code(&error), (-32602, "E_BAD_REQUEST"));
        assert!(error["message"].as_str().is_some_and(|text| text.contains("codex.refuse_methods")), "{error}");
        let skill = json!({ "skill": "codex-rpc", "input": { "method": method }, "confirm": true });
        let error = wire.ask("skills.invoke", skill).await.expect_err("refused");
        assert!(error["message"].as_str().is_some_and(|text| text.contains("codex.refuse_methods")), "{error}");
    }
    let error = wire.ask("skills.invoke", json!({ "skill": "codex-rpc", "input": { "method": "m" } })).await;
    assert_eq!(code(&error.expect_err("unconfirmed")), (-32016, "E_APPROVAL_REQUIRED"));
    // Neither was asked for; what is asked for next is the first that is.
    wire.ask("codex.rpc", rpc("config/read", json!({}))).await.expect("the list is the user's own");
    let mut asked = Vec::new();
    while asked.last().is_none_or(|method| method != "config/read") {
        asked.push(server.next().await["method"].as_str().unwrap_or_default().to_owned());
    }
    assert_eq!(asked, ["initialize", "initialized", "config/read"]);

    let (_home, daemon) = open(&server, "[helm]\nconfirm_dangerous = false").await;
    let mut wire = Wire::connect(&daemon, Framing::Lines);
    wire.ask("codex.rpc", json!({ "method": "thread/list" })).await.expect("nothing has to be confirmed");
}

#[tokio::test]
async fn the_handshake_is_the_daemons_own() {
    let mut server = AppServer::start(usual).await;
    let (_home, daemon) = open(&server, "").await;
    let mut wire = Wire::connect(&daemon, Framing::Lines);
    let welcome = wire.ask("codex.rpc", rpc("initialize", json!({ "clientInfo": { "name": "x" } }))).await;
    assert_eq!(welcome.expect("a welcome")["codexHome"], "/home/user/.codex");
    assert_eq!(wire.ask("codex.rpc", rpc("initialized", json!({}))).await, Ok(json!({})));
    wire.ask("codex.rpc", rpc("thread/list", json!({}))).await.expect("a list");
    assert_eq!(server.next().await["params"]["clientInfo"]["name"], "open-think");
    assert_eq!(server.next().await["method"], "initialized");
    assert_eq!(server.next().await["method"], "thread/list");
}

#[tokio::test]
async fn a_thousand_at_once_are_all_answered() {
    let server = AppServer::start(|_, params| Reply::Result(params.to_string())).await;
    let (_home, daemon) = open(&server, "").await;
    let mut wire = Wire::connect(&daemon, Framing::Lines);
    let mut ids = Vec::new();
    for number in 0..1000 {
        ids.push((wire.send("codex.rpc", rpc("echo", json!({ "number": number }))).await, number));
    }
    for (id, number) in ids {
        assert_eq!(wire.answer(id).await, Ok(json!({ "number": number })));
    }
}

#[tokio::test]
async fn what_is_not_answered_in_time_or_cancelled_frees_its_place() {
    let server = AppServer::start(usual).await;
    let (_home, daemon) = open(&server, "").await;
    let mut wire = Wire::connect(&daemon, Framing::Lines);
    let slow = json!({ "method": "never", "timeoutMs": 20, "confirm": true });
    let error = wire.ask("codex.rpc", slow).await.expect_err("too late");
    assert_eq!((code(&error), &error["data"]["retryable"]), ((-32018, "E_CODEX_LINK"), &json!(true)));
    let id = wire.send("codex.rpc", rpc("never", json!({}))).await;
    while wire.ask("codex.status", json!({})).await.expect("a status")["link"]["inFlight"] != 1 {}
    wire.notify("$/cancelRequest", json!({ "id": id })).await;
    assert_eq!(wire.answer(id).await.expect_err("cancelled")["code"], -32800);
    let status = wire.ask("codex.status", json!({})).await.expect("a status");
    assert_eq!((&status["link"]["state"], &status["link"]["inFlight"]), (&json!("ready"), &json!(0)));
    let nothing = json!({ "method": "m", "timeoutMs": 0, "confirm": true });
    assert_eq!(wire.ask("codex.rpc", nothing).await.expect_err("no time")["code"], -32602);
}

#[tokio::test]
async fn threads_tell_who_started_or_subscribed_and_nobody_else() {
    let mut server = AppServer::start(usual).await;
    let (_home, daemon) = open(&server, "").await;
    let [mut owner, mut watcher, mut all, mut other] = [(); 4].map(|()| Wire::connect(&daemon, Framing::Lines));
    let nothing = json!({ "pending": [] });
    assert_eq!(watcher.ask("codex.subscribe", json!({ "threadId": "t1" })).await, Ok(nothing.clone()));
    assert_eq!(all.ask("codex.subscribe", json!({})).await, Ok(nothing.clone()));
    other.ask("codex.subscribe", json!({ "threadId": "t2" })).await.expect("a subscription");
    // Who subscribes to a thread takes part in it.
    let mut resumed = [(); 2].map(|()| Value::Null);
    for place in &mut resumed {
        *place = server.until("thread/resume").await.0["params"].clone();
    }
    assert!(resumed.contains(&json!({ "threadId": "t1", "excludeTurns": true })), "{resumed:?}");
    owner.ask("codex.rpc", rpc("thread/start", json!({}))).await.expect("a thread");
    server.say(r#"{"method":"item/completed","params":{"threadId":"t1","n":1.10},"emittedAtMs":7}"#);
    server.notify("account/updated", json!({ "authMode": "chatgpt" }));
    server.notify("item/completed", json!({ "threadId": "t2" }));
    let told = |frame: &Value| frame["method"] == "codex.notification";
    for wire in [&mut owner, &mut watcher, &mut all] {
        let expected =
            json!({ "method": "item/completed", "params": { "threadId": "t1", "n": 1.10 }, "threadId": "t1" });
        assert_eq!(wire.until(told).await["params"], expected);
    }
    assert_eq!(all.until(told).await["params"]["method"], "account/updated");
    assert_eq!(all.until(told).await["params"]["threadId"], "t2");
    assert_eq!(other.until(told).await["params"]["threadId"], "t2");
    owner.ask("codex.unsubscribe", json!({ "threadId": "t1" })).await.expect("it ends");
    server.notify("item/completed", json!({ "threadId": "t1" }));
    watcher.until(told).await;
    for wire in [&mut owner, &mut other] {
        wire.ask("codex.status", json!({})).await.expect("a status");
        assert!(!wire.seen.iter().any(told), "{:?}", wire.seen);
    }
}

/// What the server says of a thread before it answers who started it belongs to him all the same.
#[tokio::test]
async fn the_first_words_of_a_thread_are_not_lost() {
    let mut server = AppServer::start(|method, params| match method {
        "thread/start" => Reply::Silence,
        _ => usual(method, params),
    })
    .await;
    let (_home, daemon) = open(&server, "").await;
    let mut wire = Wire::connect(&daemon, Framing::Lines);
    let id = wire.send("codex.rpc", rpc("thread/start", json!({}))).await;
    let asked = server.until("thread/start").await.0["id"].clone();
    server.notify("thread/started", json!({ "threadId": "t9" }));
    server.notify("thread/started", json!({ "threadId": "t8" }));
    server.ask(5, APPROVAL, json!({ "threadId": "t9" }));
    server.say(json!({ "id": asked, "result": { "thread_id": "t9" } }));
    wire.answer(id).await.expect("a thread");
    assert_eq!(wire.until(|frame| frame["method"] == "codex.notification").await["params"]["threadId"], "t9");
    assert_eq!(wire.until(|frame| frame["method"] == "codex.request").await["params"]["method"], APPROVAL);
    wire.ask("codex.status", json!({})).await.expect("a status");
    assert_eq!(wire.seen, [] as [Value; 0]);
}

#[tokio::test]
async fn questions_go_to_all_who_listen_and_the_first_answer_counts() {
    let mut server = AppServer::start(usual).await;
    let (_home, daemon) = open(&server, "").await;
    let [mut one, mut two, mut late] = [(); 3].map(|()| Wire::connect(&daemon, Framing::Lines));
    one.ask("codex.subscribe", json!({ "threadId": "t1" })).await.expect("a subscription");
    two.ask("codex.subscribe", json!({})).await.expect("a subscription");
    server.until("thread/resume").await;
    server.say(r#"{"method":"item/fileChange/requestApproval","id":"x","params":{"threadId":"t1","n":1.10}}"#);
    let asked = |frame: &Value| frame["method"] == "codex.request";
    let resolved = |frame: &Value| frame["method"] == "codex.requestResolved";
    let question = one.until(asked).await["params"].clone();
    assert_eq!(question["params"], json!({ "threadId": "t1", "n": 1.10 }));
    assert!(question["deadlineMs"].as_u64().is_some_and(|left| left > 100_000), "{question}");
    let id = &question["requestId"];
    assert_eq!(two.until(asked).await["params"]["requestId"], *id);
    let pending = late.ask("codex.subscribe", json!({ "threadId": "t1" })).await.expect("a subscription");
    assert_eq!((&pending["pending"][0]["requestId"], pending["pending"].as_array().map(Vec::len)), (id, Some(1)));
    assert_eq!(late.ask("codex.status", json!({})).await.expect("a status")["pendingRequests"], 1);

    let both = json!({ "requestId": id, "result": {}, "error": { "code": 1, "message": "m" } });
    assert_eq!(one.ask("codex.respond", both).await.expect_err("both")["code"], -32602);
    let answer = json!({ "requestId": id, "result": { "decision": "accept" } });
    assert_eq!(late.ask("codex.respond", answer.clone()).await, Ok(json!({ "accepted": true })));
    assert_eq!(one.ask("codex.respond", answer).await, Ok(json!({ "accepted": false })));
    assert_eq!(server.answer("x").await["result"], json!({ "decision": "accept" }));
    for wire in [&mut one, &mut two, &mut late] {
        assert_eq!(wire.until(resolved).await["params"], json!({ "requestId": id, "how": "answered" }));
    }

    server.ask(1, "item/tool/requestUserInput", json!({ "threadId": "t1" }));
    let id = two.until(asked).await["params"]["requestId"].clone();
    let refusal = json!({ "requestId": id, "error": { "code": -1, "message": "not now" } });
    assert_eq!(two.ask("codex.respond", refusal).await, Ok(json!({ "accepted": true })));
    assert_eq!(server.answer(1).await["error"], json!({ "code": -1, "message": "not now" }));

    server.ask(2, APPROVAL, json!({ "threadId": "t1" }));
    let id =
        one.until(|frame| asked(frame) && frame["params"]["method"] == APPROVAL).await["params"]["requestId"].clone();
    server.notify("serverRequest/resolved", json!({ "threadId": "t1", "requestId": 2 }));
    let settled = one.until(|frame| resolved(frame) && frame["params"]["requestId"] == id).await;
    assert_eq!(settled["params"]["how"], "settled");
}

#[tokio::test]
async fn a_question_that_nobody_answers_is_declined() {
    let mut server = AppServer::start(usual).await;
    let (_home, daemon) = open(&server, "[helm]\napproval_timeout_ms = 30").await;
    let mut wire = Wire::connect(&daemon, Framing::Lines);
    wire.ask("codex.rpc", rpc("thread/start", json!({}))).await.expect("a thread");
    server.ask(0, APPROVAL, json!({ "threadId": "t1" }));
    let id = wire.until(|frame| frame["method"] == "codex.request").await["params"]["requestId"].clone();
    assert_eq!(server.answer(0).await["result"], json!({ "decision": "decline" }));
    let resolved = wire.until(|frame| frame["method"] == "codex.requestResolved").await;
    assert_eq!(resolved["params"], json!({ "requestId": id, "how": "declined" }));
    // With nobody there at all it is no different.
    server.ask(1, "execCommandApproval", json!({ "conversationId": "t7" }));
    assert_eq!(server.answer(1).await["result"], json!({ "decision": "denied" }));
}

#[tokio::test]
async fn after_a_break_threads_are_resumed_and_questions_asked_again() {
    let mut server = AppServer::start(usual).await;
    let (_home, daemon) = open(&server, "").await;
    let mut wire = Wire::connect(&daemon, Framing::Lines);
    wire.ask("codex.rpc", rpc("thread/start", json!({}))).await.expect("a thread");
    server.ask(3, APPROVAL, json!({ "threadId": "t1" }));
    let asked = |frame: &Value| frame["method"] == "codex.request";
    let before = wire.until(asked).await["params"]["requestId"].clone();
    server.hang_up();
    let lost = wire.until(|frame| frame["method"] == "codex.requestResolved").await;
    assert_eq!(lost["params"], json!({ "requestId": before, "how": "lost" }));
    let (resumed, _) = server.until("thread/resume").await;
    assert_eq!(resumed["params"], json!({ "threadId": "t1", "excludeTurns": true }));
    server.ask(3, APPROVAL, json!({ "threadId": "t1" }));
    let id = wire.until(asked).await["params"]["requestId"].clone();
    assert_ne!(id, before);
    let stale = json!({ "requestId": before, "result": { "decision": "accept" } });
    assert_eq!(wire.ask("codex.respond", stale).await, Ok(json!({ "accepted": false })));
    let answer = json!({ "requestId": id, "result": { "decision": "accept" } });
    assert_eq!(wire.ask("codex.respond", answer).await, Ok(json!({ "accepted": true })));
    assert_eq!(server.answer(3).await["result"], json!({ "decision": "accept" }));
}

#[tokio::test]
async fn an_app_server_that_is_gone_is_told_of_and_found_again() {
    let mut server = AppServer::start(usual).await;
    let (_home, daemon) = open(&server, "").await;
    let mut wire = Wire::connect(&daemon, Framing::Lines);
    wire.ask("codex.rpc", rpc("thread/list", json!({}))).await.expect("a list");
    let id = wire.send("codex.rpc", rpc("never", json!({}))).await;
    server.until("never").await;
    server.go().await;
    let error = wire.answer(id).await.expect_err("lost");
    assert_eq!((code(&error), &error["data"]["retryable"]), ((-32018, "E_CODEX_LINK"), &json!(false)));
    let error = wire.ask("codex.rpc", rpc("thread/list", json!({}))).await.expect_err("down");
    assert_eq!((code(&error), &error["data"]["retryable"]), ((-32018, "E_CODEX_LINK"), &json!(true)));
    assert!(error["data"]["hint"].as_str().is_some_and(|hint| hint.contains("codex app-server")), "{error}");
    let status = wire.ask("codex.status", json!({ "probe": true })).await.expect("a status");
    assert_eq!(status["problem"]["kind"], "nothing-listening");
    let listed = wire.ask("providers.list", json!({})).await.expect("providers");
    let is_codex = |row: &&Value| row["id"] == "codex";
    let row = listed["providers"].as_array().into_iter().flatten().find(is_codex).expect("a row");
    assert!(row["state"] != "warm" && row["lastError"].as_str().is_some_and(|text| text.contains("listens")), "{row}");
    server.come_back().await;
    while wire.ask("codex.rpc", rpc("thread/list", json!({}))).await.is_err() {}
    let status = wire.ask("codex.status", json!({})).await.expect("a status");
    assert_eq!((&status["link"]["state"], &status["link"]["connects"]), (&json!("ready"), &json!(2)));
    assert!(status.get("problem").is_none(), "{status}");
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_told_how_much_it_missed() {
    let mut server = AppServer::start(usual).await;
    let (_home, daemon) = open(&server, "[limits]\noutbound_frames = 1").await;
    let mut slow = Wire::connect(&daemon, Framing::Lines);
    let mut quick = Wire::connect(&daemon, Framing::Lines);
    slow.ask("codex.rpc", rpc("thread/start", json!({}))).await.expect("a thread");
    const SAID: u64 = 3000;
    let text = "x".repeat(1000);
    for number in 0..SAID {
        server.notify("item/agentMessage/delta", json!({ "threadId": "t1", "number": number, "delta": text }));
        // The server is not to be the one that cannot keep up.
        if number % 100 == 0 {
            quick.ask("codex.rpc", rpc("thread/list", json!({}))).await.expect("nobody else is held up");
        }
    }
    server.ask(1, APPROVAL, json!({ "threadId": "t1" }));
    quick.ask("codex.subscribe", json!({ "threadId": "t1" })).await.expect("a subscription");
    let (mut came, mut lost) = (0, 0);
    loop {
        let frame = slow.read().await.expect("it goes on");
        match frame["method"].as_str() {
            Some("codex.notification") => came += 1,
            Some("codex.lost") => lost += frame["params"]["count"].as_u64().expect("a number"),
            Some("codex.request") => break,
            _ => {}
        }
    }
    assert_eq!(came + lost, SAID);
    assert!(lost > 0, "all of them fit somewhere");
    let _ = &mut server;
}

#[tokio::test]
async fn without_an_app_server_it_is_said_how_to_get_one() {
    let home = Home::new();
    let daemon = home.daemon().await;
    let mut wire = Wire::connect(&daemon, Framing::Lines);
    for (method, params) in [
        ("codex.rpc", rpc("thread/list", json!({}))),
        ("codex.subscribe", json!({})),
        ("codex.unsubscribe", json!({})),
        ("codex.respond", json!({ "requestId": "q1", "result": {} })),
    ] {
        let error = wire.ask(method, params).await.expect_err("there is none");
        assert_eq!(code(&error), (-32010, "E_NO_PROVIDER"));
        assert!(error["data"]["hint"].as_str().is_some_and(|hint| hint.contains("CODEX_APP_SERVER_URL")), "{error}");
    }
    let status = wire.ask("codex.status", json!({})).await.expect("a status");
    assert_eq!((&status["configured"], &status["problem"]["kind"]), (&json!(false), &json!("not-configured")));
}
