//! Peers that do what no app-server should. After each of them the link is there again by itself.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;

use super::{Bench, greeting};
use crate::codex::link::{FaultKind, State};

/// The link comes up with the next peer, and serves.
async fn is_back(bench: &mut Bench) {
    let mut server = bench.server().await;
    let answer = bench.ask("ping");
    server.serve("ping", json!("pong")).await;
    assert_eq!(answer.await.unwrap(), Ok("\"pong\"".to_owned()));
    assert!(bench.link.status().fault.is_none());
}

#[tokio::test(start_paused = true)]
async fn one_that_accepts_and_never_upgrades() {
    let mut bench = Bench::new();
    let start = Instant::now();
    let answer = bench.ask("model/list");
    let _connection = bench.connection().await;
    let error = answer.await.unwrap().unwrap_err();
    assert_eq!(error, "the Codex app-server did not upgrade the connection within 10 s");
    assert_eq!((start.elapsed().as_secs(), bench.fault().kind), (10, FaultKind::TimedOut));
    is_back(&mut bench).await;
}

#[tokio::test(start_paused = true)]
async fn one_that_upgrades_and_never_answers_initialize() {
    let mut bench = Bench::new();
    let answer = bench.ask("model/list");
    let mut peer = bench.peer().await;
    assert_eq!(peer.next().await["method"], "initialize");
    assert_eq!(answer.await.unwrap().unwrap_err(), "the Codex app-server did not answer initialize within 20 s");
    assert_eq!(peer.text().await, None, "nothing else was sent");
    is_back(&mut bench).await;
}

#[tokio::test(start_paused = true)]
async fn one_that_never_answers_pings() {
    let (mut bench, server) = Bench::ready().await;
    let start = Instant::now();
    tokio::time::sleep(Duration::from_secs(15)).await;
    let answer = bench.ask("model/list");
    // What it does not read it does not answer.
    bench.until(State::Backoff).await;
    assert_eq!((start.elapsed().as_secs(), bench.fault().kind), (30, FaultKind::TimedOut));
    assert!(answer.await.unwrap().unwrap_err().contains("broke before the answer"));
    drop(server);
    is_back(&mut bench).await;
}

#[tokio::test(start_paused = true)]
async fn one_that_answers_pings_is_kept() {
    let (bench, mut server) = Bench::ready().await;
    let reads = tokio::spawn(async move { server.text().await });
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!((bench.link.status().state, bench.link.status().connects), (State::Ready, 1));
    reads.abort();
}

#[tokio::test(start_paused = true)]
async fn one_that_floods_keeps_no_request_from_going_out() {
    let (bench, server) = Bench::ready().await;
    let answer = bench.ask("model/list");
    let (mut say, mut hear) = server.0.split();
    let flood = tokio::spawn(async move {
        let noise = json!({ "method": "noise", "params": { "text": "x".repeat(2000) } }).to_string();
        while say.send(Message::text(noise.clone())).await.is_ok() {}
    });
    let request = hear.next().await.unwrap().unwrap();
    assert!(request.to_text().unwrap().contains("model/list"));
    assert_eq!(bench.link.status().in_flight, 1);
    flood.abort();
    drop(answer);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_message_is_passed_over() {
    let (bench, mut server) = Bench::ready().await;
    let answer = bench.ask("model/list");
    let request = server.next().await;
    for garbage in ["", "{", "[]", "7", "null", r#"{"id":null}"#, r#"{"id":1}"#, r#"{"result":1}"#, r#"{"method":7}"#] {
        server.0.send(Message::text(garbage)).await.unwrap();
    }
    server.0.send(Message::binary(vec![0_u8, 159, 146, 150])).await.unwrap();
    server.say(&json!({ "id": "s999999", "result": "of nothing" })).await;
    server.say(&json!({ "id": 1, "result": "of another" })).await;
    server.say(&json!({ "method": "odd", "id": 5, "params": [1, 2] })).await;
    server.0.send(Message::Ping("are you there".into())).await.unwrap();
    server.answer(&request, json!("right")).await;
    server.answer(&request, json!("again")).await;
    assert_eq!(answer.await.unwrap(), Ok("\"right\"".to_owned()));
    assert_eq!((bench.link.status().state, bench.link.status().connects), (State::Ready, 1));
}

#[tokio::test(start_paused = true)]
async fn one_that_hangs_up_in_the_middle_of_an_answer() {
    let (mut bench, mut server) = Bench::ready().await;
    let answer = bench.ask("model/list");
    server.next().await;
    // The head of a frame of 100 bytes, and some of them.
    server.bytes(&[0x81, 100, b'{', b'"']).await;
    drop(server);
    assert!(answer.await.unwrap().unwrap_err().contains("broke before the answer"));
    assert_eq!(bench.heard().await, "up 0.169.0");
    assert_eq!(bench.heard().await, "down broken");
    is_back(&mut bench).await;
    assert_eq!(bench.link.status().connects, 2);
}

#[tokio::test(start_paused = true)]
async fn one_that_says_goodbye_says_why() {
    let (mut bench, mut server) = Bench::ready().await;
    server.0.close(None).await.unwrap();
    bench.until(State::Backoff).await;
    assert_eq!(bench.fault().message, "the Codex app-server closed the connection");
    is_back(&mut bench).await;
}

#[tokio::test(start_paused = true)]
async fn one_that_sends_more_than_anybody_could_want() {
    let (mut bench, mut server) = Bench::ready().await;
    let mut head = vec![0x81, 127];
    head.extend_from_slice(&(65_u64 * 1024 * 1024).to_be_bytes());
    server.bytes(&head).await;
    bench.until(State::Backoff).await;
    assert_eq!(bench.fault().kind, FaultKind::Protocol);
    is_back(&mut bench).await;
}

#[tokio::test(start_paused = true)]
async fn one_that_breaks_the_rules_of_websockets() {
    for bytes in [&[0x83_u8, 0][..], &[0xc1, 0], &[0x81, 0x80, 0, 0, 0, 0], &[0x81, 1, 0xff], &[0x80, 0]] {
        let (mut bench, mut server) = Bench::ready().await;
        server.bytes(bytes).await;
        bench.until(State::Backoff).await;
        assert_eq!(bench.fault().kind, FaultKind::Broken, "{bytes:?}");
        is_back(&mut bench).await;
    }
}

/// The delays grow although it lets itself be greeted each time.
#[tokio::test(start_paused = true)]
async fn one_that_hangs_up_on_everybody_is_left_alone_for_longer_and_longer() {
    let mut bench = Bench::new();
    bench.link.wake();
    let start = Instant::now();
    for _ in 0..10 {
        bench.server().await;
    }
    assert!(start.elapsed() > Duration::from_secs(6), "{:?}", start.elapsed());
    let mut peer = bench.peer().await;
    let initialize = peer.next().await;
    peer.answer(&initialize, greeting("0.169.0")).await;
    bench.until(State::Ready).await;
}
