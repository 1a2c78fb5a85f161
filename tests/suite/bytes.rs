//! What is wrong below the level of JSON: frames that are too large, header blocks that are broken, other protocols.

use serde_json::{Value, json};

use crate::home::Home;
use crate::wire::{Framing, Wire};

const MIB: usize = 1 << 20;

#[tokio::test]
async fn a_frame_over_the_limit_is_refused_and_the_connection_lives_on() {
    let home = Home::new();
    let daemon = home.daemon().await;
    for framing in [Framing::Lines, Framing::Headers] {
        for mut wire in [Wire::connect(&daemon, framing), home.spawn(framing), home.shim(framing)] {
            wire.ask("sessions.list", json!({})).await.expect("sessions");
            let id = wire.send("conductor.message", json!({"content": "x".repeat(17 * MIB)})).await;
            let refused = wire.until(|frame| frame["id"].is_null()).await;
            assert_eq!((&refused["error"]["code"], id), (&json!(-32600), 2), "{framing:?}");
            let said = refused["error"].to_string();
            assert!(said.contains("16 MiB") && said.contains("limits.frame_bytes"), "{said}");
            wire.ask("sessions.list", json!({})).await.expect("sessions");
        }
    }
}

#[tokio::test]
async fn a_large_frame_within_the_limit_is_served() {
    let home = Home::new();
    let mut wire = home.spawn(Framing::Headers);
    let text = "x".repeat(12 * MIB);
    let params = json!({"skill": "read-note", "input": {"name": text}});
    let error = wire.ask("skills.invoke", params).await.expect_err("the skill's own limit is lower");
    assert_eq!(error["data"]["code"], "E_SKILL_FAILED", "{}", error["message"]);
}

#[tokio::test]
async fn what_is_not_utf8_is_refused_and_the_connection_lives_on() {
    let home = Home::new();
    let daemon = home.daemon().await;
    for mut wire in [Wire::connect(&daemon, Framing::Lines), home.shim(Framing::Lines)] {
        wire.ask("sessions.list", json!({})).await.expect("sessions");
        wire.write_raw(b"{\"id\":7,\"method\":\"\xff\"}\n").await;
        let refused = wire.until(|frame| frame["id"].is_null()).await;
        assert_eq!(refused["error"]["code"], -32700);
        wire.ask("sessions.list", json!({})).await.expect("sessions");
    }
}

/// The program says why on the wire and on standard error, and ends with code 2.
async fn check_broken(input: &str, says: &str) {
    let home = Home::new();
    for wire in [home.spawn(Framing::Headers), home.shim(Framing::Headers)] {
        check_broken_over(wire, input, says).await;
    }
}

async fn check_broken_over(mut wire: Wire, input: &str, says: &str) {
    wire.ask("sessions.list", json!({})).await.expect("sessions");
    wire.write_raw(input.as_bytes()).await;
    let rest = wire.rest().await;
    let last = rest.last().unwrap_or_else(|| panic!("nothing was said about {input:?}"));
    assert_eq!((&last["id"], &last["error"]["code"]), (&Value::Null, &json!(-32700)), "{input:?}: {last}");
    assert!(last["error"]["message"].as_str().is_some_and(|message| message.contains(says)), "{last}");
    let (status, said) = wire.exit().await;
    assert_eq!(status.code(), Some(2), "{input:?}");
    assert!(said.contains(says) && said.lines().count() == 1, "{input:?}: {said}");
}

#[tokio::test]
async fn a_broken_header_block_ends_the_connection_with_its_reason() {
    // The length is missing, is none, is there twice; or it lies, and the block after it is not where it should be.
    check_broken("Content-Type: application/json\r\n\r\n{}", "Content-Length is missing").await;
    check_broken("Content-Length: many\r\n\r\n{}", "not a length").await;
    check_broken("Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", "twice").await;
    check_broken("Content-Length: 2\r\nHost: localhost\r\n\r\n{}", "only Content-Length").await;
    check_broken("Content-Length: 3\r\n\r\n{}  oContent-Length: 2\r\n\r\n{}", "only Content-Length").await;
    check_broken(&format!("Content-Length: 2\r\nContent-Type: {}", "x".repeat(9000)), "8192 bytes").await;
}

#[tokio::test]
async fn a_length_that_promises_more_than_comes_ends_with_the_input() {
    let home = Home::new();
    let mut wire = home.spawn(Framing::Headers);
    wire.ask("sessions.list", json!({})).await.expect("sessions");
    wire.write_raw(b"Content-Length: 100\r\n\r\n{\"id\":7,\"method\":\"sessions.list\"}").await;
    assert_eq!(wire.rest().await, [] as [Value; 0]);
    assert!(wire.exit().await.0.success());
}

#[tokio::test]
async fn other_protocols_get_no_word_and_code_two() {
    for input in
        ["GET / HTTP/1.1\r\n\r\n", "[{\"id\":1,\"method\":\"sessions.list\"}]\n", "hello\n", "\u{16}\u{3}\u{1}"]
    {
        let home = Home::new();
        for mut wire in [home.spawn(Framing::Lines), home.shim(Framing::Lines)] {
            wire.write_raw(input.as_bytes()).await;
            assert_eq!(wire.rest().await, [] as [Value; 0], "{input:?}");
            let (status, said) = wire.exit().await;
            assert_eq!((status.code(), said.lines().count()), (Some(2), 1), "{input:?}: {said}");
        }
    }
}

#[tokio::test]
async fn nothing_is_said_before_the_first_message() {
    let home = Home::new();
    let mut wire = home.spawn(Framing::Headers);
    wire.write_raw(b"\xef\xbb\xbf \r\n\r\nContent-Type: application/vscode-jsonrpc; charset=utf-8\r\n").await;
    wire.write_raw(b"content-length:33\r\n\r\n{\"id\":0,\"method\":\"sessions.list\"").await;
    assert_eq!(wire.rest().await, [] as [Value; 0]);

    let mut wire = home.spawn(Framing::Headers);
    wire.write_raw(b"\xef\xbb\xbf\r\ncontent-length:33\r\n\r\n{\"id\":0,\"method\":\"sessions.list\"}").await;
    let frames = wire.rest().await;
    assert_eq!((frames.len(), &frames[0]["id"]), (1, &json!(0)), "{frames:?}");
}
