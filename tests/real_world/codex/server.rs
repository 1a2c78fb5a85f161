//! The app-server itself, without anything between: that what the other tests stand on is as they think.

use serde_json::{Value, json};
use tempfile::TempDir;

use super::harness::app_server::{AppServer, CodexHome, Listen, Wire};
use super::harness::connection::Connection;
use super::harness::program::codex;
use super::harness::proxy::Proxy;
use super::harness::upstream::Upstream;

/// The text of a turn that ends well.
fn turn(connection: &mut Connection, thread: &str, words: &str) -> String {
    connection.start_turn(thread, words);
    let completed = connection.wait_for("turn/completed");
    assert_eq!(completed["params"]["turn"]["status"], "completed", "{completed}");
    text(&completed)
}

fn text(completed: &Value) -> String {
    let items = completed["params"]["turn"]["items"].as_array().expect("items");
    items.last().and_then(|item| item["text"].as_str()).unwrap_or_default().to_owned()
}

#[test]
fn it_is_reached_in_every_way() {
    let Some(program) = codex() else { return };
    let upstream = Upstream::start();
    let directory = TempDir::new().expect("a directory");
    for listen in [Listen::port(), Listen::guarded("right"), Listen::socket(&directory)] {
        let server = AppServer::start(program, &upstream, listen);
        let mut connection = server.connect();
        let thread = connection.start_thread(json!({}));
        assert_eq!(turn(&mut connection, &thread, "hello there"), "You said: hello there");
    }
}

#[test]
fn it_reaches_its_model_in_every_way() {
    let Some(program) = codex() else { return };
    let upstream = Upstream::start();
    for wire in [Wire::Events, Wire::Socket] {
        let home = CodexHome::with(&upstream, wire);
        let server = AppServer::start_in(home, program, Listen::port());
        let mut connection = server.connect();
        let thread = connection.start_thread(json!({}));
        assert_eq!(turn(&mut connection, &thread, "hello there"), "You said: hello there");
        assert_eq!(turn(&mut connection, &thread, "and again"), "You said: and again");
    }
}

#[test]
fn its_turns_do_what_the_words_say() {
    let Some(program) = codex() else { return };
    let upstream = Upstream::start();
    let server = AppServer::start(program, &upstream, Listen::port());
    let mut connection = server.connect();
    let schema = json!({"type": "object", "properties": {"name": {"type": "string"}}});
    let tool = json!({"type": "function", "name": "read-note", "description": "Reads.", "inputSchema": schema});
    let params = json!({"dynamicTools": [tool], "approvalPolicy": "untrusted", "sandbox": "workspace-write"});
    let thread = connection.start_thread(params);

    connection.start_turn(&thread, r#"call read-note {"name":"quince"} and call read-note {"name":"medlar"}"#);
    for _ in 0..2 {
        let call = connection.wait_for("item/tool/call");
        let name = call["params"]["arguments"]["name"].as_str().expect("a name");
        let content = json!([{"type": "inputText", "text": format!("{name} was read")}]);
        connection.answer(&call, json!({"contentItems": content, "success": true}));
    }
    let said = text(&connection.wait_for("turn/completed"));
    assert!(said.contains("quince was read") && said.contains("medlar was read"), "{said}");

    connection.start_turn(&thread, "run touch made.txt");
    let request = connection.wait_for("item/commandExecution/requestApproval");
    connection.answer(&request, json!({"decision": "accept"}));
    assert!(text(&connection.wait_for("turn/completed")).contains("exited with code 0"));
    assert!(server.home.work().join("made.txt").exists());

    connection.start_turn(&thread, "patch patched.txt");
    let request = connection.wait_for("item/fileChange/requestApproval");
    connection.answer(&request, json!({"decision": "decline"}));
    connection.wait_for("turn/completed");
    assert!(!server.home.work().join("patched.txt").exists());

    assert_eq!(turn(&mut connection, &thread, "think"), "Thought through.");
    assert_eq!(turn(&mut connection, &thread, "once cut"), "You said: cut");
    assert_eq!(turn(&mut connection, &thread, "once fail 500"), "You said: fail 500");
    let ends = [
        ("fail 401", json!({"httpConnectionFailed": {"httpStatusCode": 401}})),
        ("fail usage", json!("usageLimitExceeded")),
        ("fail 429", json!({"responseTooManyFailedAttempts": {"httpStatusCode": 429}})),
        ("fail 500", json!("internalServerError")),
        ("cut", json!("other")),
    ];
    for (words, why) in ends {
        connection.start_turn(&thread, words);
        let completed = connection.wait_for("turn/completed");
        assert_eq!(completed["params"]["turn"]["error"]["codexErrorInfo"], why, "{words}: {completed}");
    }
}

#[test]
fn a_turn_outlives_the_connection_and_not_the_process() {
    let Some(program) = codex() else { return };
    let upstream = Upstream::start();
    let mut server = AppServer::start(program, &upstream, Listen::port());
    let proxy = Proxy::to(server.address());
    let through = || Connection::to_port(proxy.url()[5..].parse().expect("an address"), None);
    let mut connection = through();
    let thread = connection.start_thread(json!({}));
    connection.start_turn(&thread, "slowly cut");
    upstream.wait_reached("cut");
    proxy.cut();
    proxy.heal();

    let mut connection = through();
    let resumed = connection.ask("thread/resume", json!({"threadId": thread, "excludeTurns": true})).expect("a thread");
    assert_eq!(resumed["thread"]["status"]["type"], "active", "{resumed}");
    upstream.open("cut");
    assert_eq!(text(&connection.wait_for("turn/completed")), "Slowly but surely.");

    connection.start_turn(&thread, "slowly killed");
    upstream.wait_reached("killed");
    server.kill();
    upstream.wait_left("killed");
    server.revive();
    let mut connection = through();
    connection.ask("thread/resume", json!({"threadId": thread, "excludeTurns": true})).expect("a thread");
    let turns = connection.ask("thread/turns/list", json!({"threadId": thread, "limit": 2})).expect("turns");
    let statuses: Vec<&Value> = turns["data"].as_array().expect("turns").iter().map(|turn| &turn["status"]).collect();
    assert_eq!(statuses, ["interrupted", "completed"], "newest first");
}
