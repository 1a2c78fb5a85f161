//! Those who only hold lines open: others are answered meanwhile.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::site::Site;

const PATIENCE: Duration = Duration::from_secs(20);

/// More than there are places.
const SILENT: usize = 700;

async fn is_answered(site: &Site) {
    let health = site.data("GET /health", Value::Null).await;
    assert!(health["skills"].is_u64(), "{health}");
}

#[tokio::test]
async fn those_who_begin_and_say_no_more_keep_nobody_out() {
    let site = Site::start("").await;
    let mut silent = Vec::new();
    for number in 0..SILENT {
        let mut stream = site.connect().await;
        let beginning = if number % 2 == 0 { "" } else { "POST /rpc HTTP/1.1\r\nHost: x\r\nX-Slow: " };
        // One that had to make way already may be told so by now.
        let _ = stream.write_all(beginning.as_bytes()).await;
        silent.push(stream);
        if number % 100 == 99 {
            is_answered(&site).await;
        }
    }
    // The first has made way, without a word.
    let mut first = silent.swap_remove(0);
    let read = timeout(PATIENCE, first.read(&mut [0; 64])).await.expect("it is hung up on");
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    is_answered(&site).await;
    drop(silent);
    site.stop().await;
}

#[tokio::test]
async fn half_a_body_holds_up_nobody_and_does_nothing() {
    let site = Site::start("").await;
    let body = json!({"input": {"text": "half"}, "confirm": true}).to_string();
    let mut halves = Vec::new();
    for _ in 0..50 {
        let mut stream = site.connect().await;
        let head = format!("Host: {}\r\n{}\r\ncontent-length: {}\r\n", site.address, site.bearer(), body.len());
        let request = format!("POST /skills/invoke/write-note HTTP/1.1\r\n{head}\r\n{}", &body[..body.len() / 2]);
        stream.write_all(request.as_bytes()).await.expect("sent");
        halves.push(stream);
    }
    is_answered(&site).await;
    assert!(site.home.notes().is_empty());
    // The other half still counts.
    let mut last = halves.pop().expect("a stream");
    last.write_all(&body.as_bytes()[body.len() / 2..]).await.expect("sent");
    last.shutdown().await.expect("it can be ended");
    drop(halves);
    is_answered(&site).await;
    site.stop().await;
}

#[tokio::test]
async fn places_are_for_those_who_have_shown_a_token_and_the_rest_are_told() {
    let site = Site::start("").await;
    let head = format!("Host: {}\r\n{}\r\n", site.address, site.bearer());
    let mut held = Vec::new();
    for _ in 0..512 {
        let mut stream = site.connect().await;
        stream.write_all(format!("GET /health HTTP/1.1\r\n{head}\r\n").as_bytes()).await.expect("sent");
        let mut beginning = [0; 15];
        stream.read_exact(&mut beginning).await.expect("an answer");
        assert_eq!(&beginning, b"HTTP/1.1 200 OK");
        held.push(stream);
    }
    let refused = site.send("GET /health", "").await;
    assert_eq!((refused.status, refused.json()["code"].as_str()), (503, Some("E_OVERLOADED")));
    drop(held);
    let answered = async { while site.send("GET /health", "").await.status != 200 {} };
    timeout(PATIENCE, answered).await.expect("the places are given up");
    site.stop().await;
}

#[tokio::test]
async fn what_is_no_http_is_hung_up_on() {
    let site = Site::start("").await;
    for said in ["{\"id\":1,\"method\":\"sessions.list\"}\n", "Content-Length: 2\r\n\r\n{}", "\x16\x03\x01\x02\x00\x01"]
    {
        let mut stream = site.connect().await;
        stream.write_all(said.as_bytes()).await.expect("sent");
        stream.shutdown().await.expect("it can be ended");
        let mut answer = Vec::new();
        let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("it ends");
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 400"), "{}", String::from_utf8_lossy(&answer));
    }
    let stream = site.connect().await;
    site.stop().await;
    // One who is there when it ends is not waited for.
    drop(stream);
}

#[tokio::test]
async fn a_websocket_takes_text_alone_and_has_a_limit() {
    use futures_util::{SinkExt, StreamExt};
    use tokio_tungstenite::tungstenite::Message;
    use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
    let site = Site::start("[limits]\nframe_bytes = 2048").await;
    for (message, answered, code) in [
        (Message::binary(b"{\"id\":1,\"method\":\"sessions.list\"}".to_vec()), false, CloseCode::Unsupported),
        (Message::text(" ".repeat(3000)), true, CloseCode::Size),
    ] {
        let mut socket = site.socket().await;
        socket.send(message).await.expect("sent");
        let mut last = None;
        while let Some(Ok(message)) = timeout(PATIENCE, socket.next()).await.expect("something in time") {
            if let Message::Text(text) = &message {
                assert!(answered && text.contains("-32600") && text.contains("2048"), "{text}");
            }
            last = Some(message);
        }
        let Some(Message::Close(Some(close))) = last else { panic!("no goodbye: {last:?}") };
        assert_eq!(close.code, code);
    }
    site.stop().await;
}
