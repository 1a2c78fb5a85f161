//! The methods over HTTP: as requests of JSON-RPC, and under the documented routes.

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;

use crate::site::{Site, read};

#[tokio::test]
async fn rpc_takes_one_request_and_answers_as_the_wire_does() {
    let site = Site::start("").await;
    let reply = site.send("POST /rpc", r#"{"jsonrpc":"2.0","id":9007199254740993,"method":"sessions.list"}"#).await;
    assert_eq!(reply.body, r#"{"jsonrpc":"2.0","id":9007199254740993,"result":{"sessions":[]}}"#);
    assert!(reply.head.contains("content-type: application/json") && reply.head.contains("x-request-id: "));
    for (body, code) in [
        ("[]", -32600),
        (r#"[{"id":1,"method":"sessions.list"}]"#, -32600),
        ("nonsense", -32700),
        ("", -32700),
        (r#"{"id":1,"method":"no.such"}"#, -32601),
        (r#"{"id":1,"method":"skills.invoke","params":{"skill":7}}"#, -32602),
    ] {
        let reply = site.send("POST /rpc", body).await;
        assert_eq!((reply.status, &reply.json()["error"]["code"]), (200, &json!(code)), "{body}: {}", reply.body);
    }
    let reply = site.send("POST /rpc", r#"{"method":"initialized","params":{}}"#).await;
    assert_eq!((reply.status, &*reply.body), (202, ""));
    site.stop().await;
}

#[tokio::test]
async fn whoever_does_not_wait_for_a_turn_leaves_it_running() {
    let site = Site::start("").await;
    let said = json!({"content": "call write-note {\"text\":\"later\"}", "mode": "auto", "wait": "accepted"});
    let accepted = site.data("POST /conductor/message", said.clone()).await;
    assert!(accepted["turnId"].is_string(), "{accepted}");
    let request = json!({"id": 1, "method": "conductor.message", "params": said});
    let accepted = site.send("POST /rpc", &request.to_string()).await.json();
    assert!(accepted["result"]["turnId"].is_string(), "{accepted}");
    // Behind both in the session.
    site.data("POST /conductor/message", json!({"content": "hello"})).await;
    assert_eq!(site.home.notes().len(), 2);
    site.stop().await;
}

#[tokio::test]
async fn the_documented_routes_answer_in_the_documented_envelope() {
    let site = Site::start("").await;
    let turn =
        site.data("POST /conductor/message", json!({"message": "check runtime health", "session_name": "s"})).await;
    assert_eq!((&turn["sessionName"], &turn["mode"]), (&json!("s"), &json!("propose")), "{turn}");
    let health = site.data("GET /health", Value::Null).await;
    assert!(health["plugins"].as_u64() > Some(1) && health["skills"].as_u64() > Some(5), "{health}");
    assert_eq!((&health["durableObjects"], &health["workersAi"]), (&json!(true), &json!(false)));
    let skills = site.data("GET /skills", Value::Null).await;
    assert!(skills["skills"].as_array().is_some_and(|skills| skills.iter().any(|skill| skill["id"] == "read-note")));
    let plugins = site.data("GET /plugins", Value::Null).await;
    let command = plugins["plugins"].as_array().and_then(|rows| rows.iter().find(|row| row["id"] == "command"));
    let capabilities = command.and_then(|row| row["capabilities"].as_array()).expect("a row");
    assert!(capabilities.contains(&json!("write-note")), "{plugins}");
    let given = site.data("POST /skills/invoke/read-note", json!({"input": {"name": "x"}})).await;
    assert_eq!(given, json!({"name": "x"}));
    let start = site.data("POST /oauth/codex/device/start", Value::Null).await;
    assert_eq!(start["status"], "pending_configuration");
    let poll = site.data("POST /oauth/codex/device/poll", json!({"device_code": "none"})).await;
    assert_eq!(poll["status"], "pending_configuration");
    let sessions = site.data("GET /sessions", Value::Null).await;
    assert_eq!(sessions["sessions"][0]["sessionName"], "s", "{sessions}");
    let messages = site.data("GET /sessions/s/messages?limit=1", Value::Null).await;
    assert_eq!(messages["messages"].as_array().map(Vec::len), Some(1), "{messages}");
    assert_eq!(site.data("POST /conductor/interrupt", json!({"sessionName": "s"})).await["interrupted"], false);
    site.stop().await;
}

#[tokio::test]
async fn what_fails_has_its_status_and_its_code() {
    let site = Site::start("").await;
    for (line, body, status, code) in [
        ("POST /conductor/message", r#"{"content":""}"#, 400, "E_BAD_REQUEST"),
        ("POST /conductor/message", r#"{"content":"x","surplus":1}"#, 400, "E_BAD_REQUEST"),
        ("POST /conductor/message", "{", 400, "E_PARSE"),
        ("POST /conductor/message", "[]", 400, "E_BAD_REQUEST"),
        ("POST /conductor/message", r#"{"content":"x","provider":"anthropic"}"#, 400, "E_NO_PROVIDER"),
        ("POST /conductor/stream", r#"{"content":"x","provider":"anthropic"}"#, 400, "E_NO_PROVIDER"),
        ("POST /skills/invoke/no-such", "{}", 400, "E_SKILL_UNAVAILABLE"),
        ("POST /skills/invoke/give-up", r#"{"input":{}}"#, 400, "E_SKILL_FAILED"),
        ("POST /skills/invoke/write-note", r#"{"input":{"text":"x"}}"#, 403, "E_APPROVAL_REQUIRED"),
        ("POST /conductor/approve", r#"{"actionIds":["act_x"],"decision":"approve"}"#, 400, "E_BAD_REQUEST"),
        ("GET /conductor/stream/turn_x", "", 404, "E_NOT_FOUND"),
        ("GET /nowhere", "", 404, "E_NOT_FOUND"),
        ("POST /skills", "", 405, "E_METHOD_NOT_ALLOWED"),
    ] {
        let reply = site.send(line, body).await;
        let answer = reply.json();
        assert_eq!((reply.status, answer["code"].as_str()), (status, Some(code)), "{line} {body}: {answer}");
        assert!(answer["ok"] == false && answer["error"].is_string() && answer["requestId"].is_string(), "{answer}");
    }
    let unknown = site.send("POST /skills/invoke/read-not", "{}").await.json();
    assert!(unknown["availableSkills"].is_array() && unknown["didYouMean"][0] == "read-note", "{unknown}");
    site.stop().await;
}

#[tokio::test]
async fn a_body_has_a_limit_and_a_head_too() {
    let site = Site::start("[limits]\nframe_bytes = 2048").await;
    let reply = site.send("POST /rpc", &" ".repeat(3000)).await;
    assert_eq!((reply.status, reply.json()["code"].as_str()), (413, Some("E_TOO_LARGE")));
    let long = format!("X-Long: {}", "x".repeat(9000));
    let reply = site.raw("GET /health", &[&format!("Host: {}", site.address), &site.bearer(), &long], "").await;
    assert_eq!(reply.status, 431);
    site.stop().await;
}

#[tokio::test]
async fn a_held_action_is_approved_over_http() {
    let site = Site::start("").await;
    let said = json!({"content": "call write-note {\"text\":\"held\"}", "mode": "selective"});
    let turn = site.data("POST /conductor/message", said).await;
    let action = &turn["suggestedActions"][0]["id"];
    assert!(action.is_string() && site.home.notes().is_empty(), "{turn}");
    let done = site.data("POST /conductor/approve", json!({"action_ids": [action], "decision": "approve"})).await;
    assert_eq!((site.home.notes().len(), done["trace"][0]["ok"].as_bool()), (1, Some(true)), "{done}");
    site.stop().await;
}

#[tokio::test]
async fn who_hangs_up_stops_the_turn() {
    let site = Site::start("").await;
    let body = json!({"content": "call take-a-nap {}", "mode": "auto"}).to_string();
    let head = format!("Host: {}\r\n{}\r\ncontent-length: {}\r\n", site.address, site.bearer(), body.len());
    let mut stream = site.connect().await;
    stream.write_all(format!("POST /conductor/message HTTP/1.1\r\n{head}\r\n{body}").as_bytes()).await.expect("sent");
    while site.home.naps().is_empty() {
        tokio::task::yield_now().await;
    }
    drop(stream);
    // Behind it in the session: it is over, long before the nap would be.
    site.data("POST /conductor/message", json!({"content": "hello"})).await;
    crate::program::check_gone(site.home.naps()[0]);
    site.stop().await;
}

#[tokio::test]
async fn the_document_and_the_figures_are_served() {
    let site = Site::start("").await;
    site.data("POST /conductor/message", json!({"content": "hello", "sessionName": "a private matter"})).await;
    let document = site.send("GET /openapi.json", "").await;
    let printed = serde_json::to_string_pretty(&open_think::protocol::openapi()).expect("JSON");
    assert_eq!(document.body.trim_end(), printed);
    let figures = site.send("GET /metrics", "").await;
    assert!(figures.head.contains("content-type: text/plain"), "{}", figures.head);
    for line in [
        "open_think_clients{via=\"http\"} 0",
        "open_think_turns_total{outcome=\"ok\"} 1",
        "open_think_turns_running 0",
        "open_think_provider_calls_total{provider=\"offline\"} 1",
    ] {
        assert!(figures.body.lines().any(|found| found == line), "{line}:\n{}", figures.body);
    }
    assert!(!figures.body.contains("private"), "{}", figures.body);
    site.stop().await;
}

#[tokio::test]
async fn one_connection_serves_request_after_request() {
    let site = Site::start("").await;
    let mut stream = site.connect().await;
    let head = format!("Host: {}\r\n{}\r\n", site.address, site.bearer());
    let request = format!("GET /health HTTP/1.1\r\n{head}\r\n").repeat(3);
    let last = format!("GET /sessions HTTP/1.1\r\n{head}connection: close\r\n\r\n");
    stream.write_all(format!("{request}{last}").as_bytes()).await.expect("sent");
    let all = read(stream).await;
    assert_eq!(all.body.matches("HTTP/1.1 200 OK").count(), 3, "{}", all.body);
    site.stop().await;
}

#[tokio::test]
async fn a_long_body_is_heard_out_and_told_where_else_it_may_go() {
    let site = Site::start("").await;
    let long = " ".repeat(16_000_000);
    for line in ["POST /conductor/message", "POST /rpc", "POST /conductor/stream"] {
        let mut stream = site.connect().await;
        let head = format!("Host: {}\r\n{}\r\ncontent-length: {}\r\n", site.address, site.bearer(), long.len());
        // Who reads nothing before it has written all hears the answer too.
        stream.write_all(format!("{line} HTTP/1.1\r\n{head}connection: close\r\n\r\n").as_bytes()).await.expect("sent");
        stream.write_all(long.as_bytes()).await.expect("it is heard out");
        let reply = read(stream).await;
        let answer = reply.json();
        assert_eq!((reply.status, answer["code"].as_str()), (413, Some("E_TOO_LARGE")), "{line}: {answer}");
        assert!(answer["hint"].as_str().is_some_and(|hint| hint.contains("WebSocket")), "{answer}");
    }
    let long = json!({"content": "x".repeat(4_000_000)}).to_string();
    assert_eq!(site.send("POST /conductor/message", &long).await.status, 200);
    site.stop().await;
}

#[tokio::test]
async fn a_conversation_has_no_head_alone() {
    let site = Site::start("").await;
    let (host, bearer) = (format!("Host: {}", site.address), site.bearer());
    let upgrade = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"];
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    let socket: Vec<&str> = [&*host, &bearer, key].into_iter().chain(upgrade).collect();
    for (line, headers) in [("HEAD /rpc", &*socket), ("HEAD /conductor/stream/turn_x", &[&*host, &bearer])] {
        let reply = site.raw(line, headers, "").await;
        assert_eq!(reply.status, 405, "{line}");
        assert!(reply.head.contains("allow: get"), "{line}: {}", reply.head);
    }
    assert_eq!(site.send("HEAD /health", "").await.status, 200);
    for wrong in ["x", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZTE=", "dGhlIHNhbXBsZSBub25j!!=="] {
        let key = format!("Sec-WebSocket-Key: {wrong}");
        let headers: Vec<&str> = [&*host, &bearer, &key].into_iter().chain(upgrade).collect();
        let reply = site.raw("GET /rpc", &headers, "").await;
        assert_eq!(reply.status, 400, "{wrong}");
    }
    site.stop().await;
}

#[tokio::test]
async fn a_listed_page_opens_a_socket_with_its_token_as_a_subprotocol() {
    let site = Site::start("[daemon]\nallowed_origins = ['https://page.example']").await;
    let mut request = format!("ws://{}/rpc", site.address).into_client_request().expect("a request");
    let header = |text: &str| HeaderValue::try_from(text).expect("a header");
    request.headers_mut().insert("origin", header("https://page.example"));
    let protocols = header(&format!("open-think, bearer.{}", site.token));
    request.headers_mut().insert("sec-websocket-protocol", protocols);
    let (_socket, answer) = client_async(request, site.connect().await).await.expect("it is a WebSocket");
    assert_eq!(answer.headers()["sec-websocket-protocol"], "open-think");
    site.stop().await;
}

#[tokio::test]
async fn what_was_counted_stays_counted_when_the_configuration_is_read_again() {
    let site = Site::start("").await;
    site.data("POST /conductor/message", json!({"content": "hello"})).await;
    let line = "open_think_provider_calls_total{provider=\"offline\"} 1";
    let reload = r#"{"id": 1, "method": "daemon.reload"}"#;
    for change in ["", "[helm]\napproval_timeout_ms = 40\n"] {
        site.home.configure(&format!("{}\n{change}", site.home.configuration()));
        let reloaded = site.send("POST /rpc", reload).await.json();
        assert_eq!(reloaded["result"]["changed"].as_array().map(Vec::len), Some(usize::from(!change.is_empty())));
        let figures = site.send("GET /metrics", "").await.body;
        assert!(figures.lines().any(|found| found == line), "{figures}");
    }
    site.data("POST /conductor/message", json!({"content": "hello"})).await;
    let figures = site.send("GET /metrics", "").await.body;
    assert!(figures.contains("open_think_provider_calls_total{provider=\"offline\"} 2"), "{figures}");
    site.stop().await;
}
