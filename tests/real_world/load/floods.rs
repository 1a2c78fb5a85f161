//! Those who hold lines open, say half of something, or come only to go: others are answered meanwhile, and nothing of
//! them is left.

use std::time::Duration;

use futures_util::SinkExt;
use serde_json::{Value, json};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;

use super::served::{PATIENCE, Served};
use crate::home::Home;

const HELD: usize = 250;
const CONNECTS: usize = 10_000;

/// What may be left, in MiB: an allocator cannot give back all of it.
const LEFT: f64 = 4.0;

#[tokio::test]
async fn half_of_something_and_silence_holds_up_nobody() {
    let served = Served::start(Home::new(), &[]).await;
    served.is_answered().await;
    let idle = served.memory_when_all_have_left().await;
    let head = format!("POST /rpc HTTP/1.1\r\n{}content-length: 100000\r\n\r\n", served.head());
    let half_a_body =
        format!("{head}{{\"id\":1,\"method\":\"sessions.list\",\"params\":{{\"x\":\"{}", "x".repeat(4000));
    let half_a_line = format!("{{\"id\":1,\"method\":\"sessions.list\",\"params\":{{\"x\":\"{}", "x".repeat(4000));
    let half_a_frame = format!("Content-Length: 100000\r\n\r\n{half_a_line}");
    let mut most = 0f64;
    for (over, said) in [
        ("socket", "{"),
        ("socket", &half_a_line),
        ("socket", "Content-Len"),
        ("socket", &half_a_frame),
        ("HTTP", "G"),
        ("HTTP", "POST /rpc HTTP/1.1\r\nHost: x\r\nX-Slow: "),
        ("HTTP", &half_a_body),
    ] {
        let mut held: Vec<Box<dyn AsyncWrite + Unpin>> = Vec::new();
        for _ in 0..HELD {
            let mut stream: Box<dyn AsyncWrite + Unpin> = match over {
                "socket" => Box::new(served.socket().await),
                _ => Box::new(served.http().await),
            };
            stream.write_all(said.as_bytes()).await.expect("it listens");
            held.push(stream);
        }
        served.is_answered().await;
        most = most.max(served.memory());
        drop(held);
        served.is_answered().await;
    }
    let after = served.memory_falls_below(idle + LEFT).await;
    println!("{HELD} who say half of something: {idle:.1} MiB before, at most {most:.1} MiB, {after:.1} MiB after");
}

#[tokio::test]
async fn ten_thousand_who_come_and_go_on_the_socket_leave_nothing_behind() {
    let served = Served::start(Home::new(), &[]).await;
    served.is_answered().await;
    let idle = served.memory_when_all_have_left().await;
    let mut other = served.connect().await;
    let all = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"sessions.list\"}\n";
    let sayings = ["", "{\"id\":1,", all, "Content-Length: 40\r\n\r\n{", "GET / HTTP/1.1\r\n\r\n"];
    for number in 0..CONNECTS {
        let mut stream = served.socket().await;
        // One that was hung up on already may be told so by now.
        let _ = stream.write_all(sayings[number % sayings.len()].as_bytes()).await;
        if number % 100 == 0 {
            other.ask("sessions.list", json!({})).await;
        }
    }
    drop(other);
    served.is_answered().await;
    let after = served.memory_falls_below(idle + LEFT).await;
    println!("{CONNECTS} connects and hang-ups on the socket: {idle:.1} MiB before, {after:.1} MiB after");
}

#[tokio::test]
async fn a_websocket_that_reads_nothing_is_cut_off_and_slows_nobody_down() {
    let served = Served::start(Home::with("[limits]\nwrite_timeout_ms = 1000"), &[]).await;
    let mut request = format!("ws://{}/rpc", served.address()).into_client_request().expect("a request");
    let bearer = HeaderValue::try_from(format!("Bearer {}", served.token)).expect("a header");
    request.headers_mut().insert("authorization", bearer);
    let (mut deaf, _) = client_async(request, served.http().await).await.expect("it is a WebSocket");
    let subscribe = json!({"jsonrpc": "2.0", "id": 1, "method": "conductor.subscribe", "params": {"sessionName": "s"}});
    deaf.send(Message::text(subscribe.to_string())).await.expect("sent");

    let mut other = served.connect().await;
    let is_watched = |status: &Value| status["connections"].to_string().contains("\"subscriptions\":[\"s\"]");
    while !is_watched(&other.ask("daemon.status", Value::Null).await) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // Far more than the system keeps for one who does not read, however much that is.
    let content = format!("call read-note {{\"name\":\"{}\"}}", "long ".repeat(20_000));
    let mut turns = 0;
    let cut_off = async {
        while is_watched(&other.ask("daemon.status", Value::Null).await) {
            let say = json!({"content": content, "sessionName": "s", "mode": "auto"});
            assert_eq!(other.ask("conductor.message", say).await["stopReason"], "end-turn");
            turns += 1;
        }
    };
    timeout(PATIENCE, cut_off).await.expect("it is cut off");
    served.is_answered().await;
    println!("a WebSocket that reads nothing was cut off after {turns} turns of others");
    drop(deaf);
}
