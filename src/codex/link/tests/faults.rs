//! What only somebody can mend: no second attempt is made, and it is said what to do.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Bench, greeting};
use crate::codex::link::{FaultKind, State};

/// Answers the upgrade with this instead.
async fn answered(status: u16, body: &str) -> Bench {
    let mut bench = Bench::new();
    bench.link.wake();
    let mut connection = bench.connection().await;
    let mut head = [0; 1024];
    assert!(connection.read(&mut head).await.unwrap() > 0);
    let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    connection.write_all(answer.as_bytes()).await.unwrap();
    bench.link.changes().wait_for(|state| matches!(state, State::Refused | State::Backoff)).await.unwrap();
    bench
}

async fn is_left_alone(bench: &mut Bench, kind: FaultKind) {
    assert_eq!((bench.link.status().state, bench.fault().kind), (State::Refused, kind));
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert!(bench.connections.try_recv().is_err());
    let error = bench.ask("m").await.unwrap().unwrap_err();
    assert_eq!(error, bench.fault().message);
    // Until somebody says that it is mended.
    bench.link.reconnect();
    let mut server = bench.server().await;
    let answer = bench.ask("m");
    server.serve("m", json!(1)).await;
    assert_eq!(answer.await.unwrap(), Ok("1".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_wrong_token_is_said_in_the_servers_words() {
    let mut bench = answered(401, "invalid websocket bearer token").await;
    let fault = bench.fault();
    assert_eq!(fault.message, "the Codex app-server refuses the token: invalid websocket bearer token");
    assert!(fault.hint.as_ref().unwrap().contains("CODEX_APP_SERVER_TOKEN"));
    is_left_alone(&mut bench, FaultKind::WrongToken).await;

    let mut bench = answered(403, "").await;
    assert_eq!(bench.fault().message, "the Codex app-server refuses the connection");
    is_left_alone(&mut bench, FaultKind::WrongToken).await;
}

#[tokio::test(start_paused = true)]
async fn what_a_server_says_is_shown_without_secrets_and_bounded() {
    let bench = answered(401, &format!("sk-secret-1 \u{1b}[31m{}", "long ".repeat(200))).await;
    let message = &bench.fault().message;
    assert!(message.contains("***") && !message.contains("sk-secret-1") && !message.contains('\u{1b}'), "{message}");
    assert!(message.len() < 400, "{message}");
}

#[tokio::test(start_paused = true)]
async fn what_is_no_app_server_may_become_one() {
    for status in [200, 400, 404, 426, 500] {
        let bench = answered(status, "Connection header did not include 'upgrade'").await;
        assert_eq!((bench.link.status().state, bench.fault().kind), (State::Backoff, FaultKind::Protocol), "{status}");
        assert!(bench.fault().message.contains(&status.to_string()), "{}", bench.fault());
        assert!(bench.link.status().retry_at.is_some());
    }
}

/// What is said of the configuration may come on either side of the answer to `initialize`.
async fn warned(before: bool, warning: Value) -> (Bench, super::Server) {
    let mut bench = Bench::new();
    bench.link.wake();
    let mut server = bench.peer().await;
    let initialize = server.next().await;
    let warning = json!({ "method": "configWarning", "params": warning });
    if before {
        server.say(&warning).await;
        server.answer(&initialize, greeting("0.169.0")).await;
    } else {
        server.answer(&initialize, greeting("0.169.0")).await;
        server.say(&warning).await;
    }
    (bench, server)
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_use_its_configuration_is_asked_for_nothing() {
    for before in [true, false] {
        let warning = json!({
            "summary": "Invalid configuration; using defaults.",
            "details": "/h/config.toml:1:16: unclosed array, expected `]`",
        });
        let (mut bench, mut server) = warned(before, warning).await;
        let answer = bench.ask("thread/start");
        let error = answer.await.unwrap().unwrap_err();
        assert!(error.ends_with("/h/config.toml:1:16: unclosed array, expected `]`"), "{error}");
        while let Some(text) = server.text().await {
            assert!(text.contains("\"initialized\""), "{text}");
        }
        assert_eq!(bench.fault().hint.as_deref(), Some("mend config.toml in CODEX_HOME"));
        is_left_alone(&mut bench, FaultKind::BadConfiguration).await;
    }
}

#[tokio::test(start_paused = true)]
async fn other_warnings_are_none_of_its_business() {
    let (bench, _server) = warned(false, json!({ "summary": "Codex could not find bubblewrap on PATH." })).await;
    bench.until(State::Ready).await;
}

#[tokio::test(start_paused = true)]
async fn an_old_server_is_refused() {
    let mut bench = Bench::new();
    let answer = bench.ask("m");
    let mut server = bench.peer().await;
    let initialize = server.next().await;
    server.answer(&initialize, greeting("0.120.3")).await;
    let error = answer.await.unwrap().unwrap_err();
    assert_eq!(error, "the Codex app-server is version 0.120.3, and at least 0.169.0 is needed");
    assert!(bench.fault().hint.as_ref().unwrap().ends_with("npm install -g @openai/codex@latest"));
    is_left_alone(&mut bench, FaultKind::WrongVersion).await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_refuses_to_initialize_is_tried_again() {
    let mut bench = Bench::new();
    let answer = bench.ask("m");
    let mut server = bench.peer().await;
    let initialize = server.next().await;
    server.say(&json!({ "id": initialize["id"], "error": { "code": -32603, "message": "not now" } })).await;
    let error = answer.await.unwrap().unwrap_err();
    assert_eq!(error, "the Codex app-server refuses to initialize: not now");
    drop(server);
    bench.server().await;
}
