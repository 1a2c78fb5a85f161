//! Bodies that come compressed, asked for or not: answers, errors and streams.

use std::fs;

use futures_util::StreamExt;

use super::{ask, chat, question};
use crate::model::{Delta, ErrorKind, Provider};
use crate::providers::loopback::{Answer, Loopback};

const ENCODINGS: [&str; 4] = ["gzip", "deflate", "br", "zstd"];

fn encoded(status: u16, name: &str, encoding: &str) -> Answer {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/compressed");
    Answer::encoded(status, encoding, &fs::read(format!("{folder}/{name}.{encoding}")).expect("a fixture"))
}

#[tokio::test]
async fn quirk_25_answers_and_errors_are_read_in_every_encoding() {
    for encoding in ENCODINGS {
        let server = Loopback::start(vec![encoded(200, "answer", encoding), encoded(400, "error", encoding)]).await;
        let provider = chat(&server, Some("m"));
        assert_eq!(ask(&provider, question()).await.unwrap().0, "Hello", "{encoding}");
        let error = ask(&provider, question()).await.unwrap_err();
        assert_eq!(error.message, "Vendor answered 400: no such thing", "{encoding}");
    }
}

#[tokio::test]
async fn quirk_25_a_compressed_stream_is_told_event_by_event() {
    for encoding in ENCODINGS {
        let server = Loopback::start(vec![encoded(200, "stream-begun", encoding).then_hold()]).await;
        let mut deltas = chat(&server, Some("m")).stream(question()).await.unwrap();
        assert!(matches!(deltas.next().await, Some(Ok(Delta::Start { .. }))), "{encoding}");
        let text = deltas.next().await;
        assert!(matches!(&text, Some(Ok(Delta::Text { text, .. })) if text == "Hello"), "{encoding}: {text:?}");
    }
}

#[tokio::test]
async fn quirk_25_a_compressed_stream_that_is_cut_off_is_a_truncation() {
    for encoding in ENCODINGS {
        let server = Loopback::start(vec![encoded(200, "stream-begun", encoding)]).await;
        let (text, error) = ask(&chat(&server, Some("m")), question()).await.unwrap();
        assert_eq!((text.as_str(), error.unwrap().kind), ("Hello", ErrorKind::Truncated), "{encoding}");
    }
}

#[tokio::test]
async fn quirk_25_an_encoding_that_is_not_that_of_the_body_is_an_error_in_words() {
    for encoding in ENCODINGS {
        let server = Loopback::start(vec![Answer::encoded(200, encoding, b"{\"choices\":[]}")]).await;
        let error = ask(&chat(&server, Some("m")), question()).await.unwrap_err();
        assert!(error.message.contains(" is not compressed in the way it says: "), "{encoding}: {error}");
        assert_eq!((error.kind, error.retryable, server.asked().len()), (ErrorKind::Protocol, false, 1));
        let server = Loopback::start(vec![Answer::encoded(401, encoding, b"{\"error\":\"bad key\"}")]).await;
        let error = ask(&chat(&server, Some("m")), question()).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Auth, "{encoding}: {error}");
        assert_eq!(error.message, "Vendor answered 401: the key is missing or wrong");
    }
}

#[tokio::test]
async fn quirk_25_an_encoding_without_a_name_is_none() {
    let body = br#"{"choices":[{"message":{"content":"Hello"},"finish_reason":"stop"}]}"#;
    for encoding in ["identity", ""] {
        let server = Loopback::start(vec![Answer::encoded(200, encoding, body)]).await;
        assert_eq!(ask(&chat(&server, Some("m")), question()).await.unwrap().0, "Hello");
    }
}
