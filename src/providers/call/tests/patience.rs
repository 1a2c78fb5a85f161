//! How long a server is waited for that keeps the line alive and says nothing, or that is read slowly.

use std::time::Duration;

use futures_util::StreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use url::Url;

use super::{HELLO, UPSTREAM, ask, question};
use crate::config;
use crate::model::{ErrorKind, Provider};
use crate::policy::{HostPolicy, Redactor};
use crate::providers::chat::{Chat, ChatSettings};
use crate::providers::http::Http;

const HEAD: &str = "HTTP/1.1 200 X\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";

async fn listen() -> (TcpListener, Chat) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    let policy = HostPolicy::new(vec!["127.0.0.1".parse().unwrap()]);
    let http = Http::new(policy, config::Http { max_retries: 0, ..config::Http::default() }, Redactor::default());
    let default_model = Some("m".to_owned());
    let headers = reqwest::header::HeaderMap::new();
    let settings = ChatSettings { id: "vendor", upstream: UPSTREAM, base_url, key: None, headers, default_model };
    (listener, Chat::new(http, settings))
}

#[tokio::test(start_paused = true)]
async fn quirk_03_a_line_that_is_only_kept_alive_is_given_up_at_last() {
    let (listener, provider) = listen().await;
    let every = config::Http::default().idle_timeout / 4;
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        assert!(stream.read(&mut request).await.unwrap() > 0);
        let mut said: u32 = 0;
        let mut line = format!("{HEAD}{HELLO}");
        while stream.write_all(line.as_bytes()).await.is_ok() {
            ": ping\n\n".clone_into(&mut line);
            said += 1;
            tokio::time::sleep(every).await;
        }
        said
    });
    let (text, error) = ask(&provider, question()).await.unwrap();
    let error = error.unwrap();
    assert_eq!((text.as_str(), error.kind), ("Hello", ErrorKind::Timeout), "{error}");
    // Many more than silence alone would have been given.
    assert!(server.await.unwrap() > 8);
}

#[tokio::test]
async fn quirk_31_what_nobody_reads_is_left_with_the_server() {
    const PIECE: usize = 1 << 20;
    let (listener, provider) = listen().await;
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        assert!(stream.read(&mut request).await.unwrap() > 0);
        stream.write_all(format!("{HEAD}{HELLO}").as_bytes()).await.unwrap();
        let comment = format!(": {}\n\n", "x".repeat(PIECE));
        let mut written = 0;
        // Sockets hold some megabytes; what holds more is a buffer of ours.
        while written < 64 * PIECE {
            match tokio::time::timeout(Duration::from_millis(300), stream.write_all(comment.as_bytes())).await {
                Ok(Ok(())) => written += PIECE,
                _ => break,
            }
        }
        written
    });
    let mut deltas = provider.stream(question()).await.unwrap();
    assert!(deltas.next().await.is_some());
    let written = server.await.unwrap();
    assert!(written < 32 * PIECE, "{written} bytes were taken in");
}
