use std::time::Duration;

use jsonrpsee::types::ErrorObjectOwned;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{Peer, PeerError};
use crate::rpc::{Message, parse};

const DEADLINE: Duration = Duration::from_secs(60);

fn pair(queue: usize) -> (Peer, mpsc::Receiver<String>) {
    let (outbound, frames) = mpsc::channel(queue);
    (Peer::new(1, outbound, CancellationToken::new()), frames)
}

/// The methods of what was sent since.
fn sent(frames: &mut mpsc::Receiver<String>) -> Vec<String> {
    let frames = std::iter::from_fn(|| frames.try_recv().ok());
    let method = |text: String| {
        let frame: Value = serde_json::from_str(&text).expect("JSON");
        let id = frame.get("id").unwrap_or(&frame["params"]["id"]);
        format!("{} {}", frame["method"].as_str().expect("a method"), id.as_str().expect("an id"))
    };
    frames.map(method).collect()
}

fn answer(peer: &Peer, text: &str) {
    let message = parse(text, 16).expect("a frame");
    assert!(matches!(message, Message::Response { .. }));
    peer.settle(message);
}

#[tokio::test(start_paused = true)]
async fn the_client_hears_once_that_nobody_waits_for_its_work() {
    let (peer, mut frames) = pair(8);
    let late = peer.call("work", "{}", DEADLINE, "stop").await;
    assert!(matches!(late, Err(PeerError::TimedOut)));
    assert_eq!(sent(&mut frames), ["work s1", "stop s1"]);
    answer(&peer, r#"{"id":"s1","result":1}"#);

    let dropped = tokio::time::timeout(Duration::from_secs(1), peer.call("work", "{}", DEADLINE, "stop")).await;
    assert!(dropped.is_err());
    assert_eq!(sent(&mut frames), ["work s2", "stop s2"]);
}

#[tokio::test(start_paused = true)]
async fn it_hears_nothing_where_there_is_nothing_to_stop() {
    let (peer, mut frames) = pair(8);
    for (text, is_good) in
        [(r#"{"id":"s1","result":1}"#, true), (r#"{"id":"s2","error":{"code":1,"message":"no"}}"#, false)]
    {
        let (outcome, ()) = tokio::join!(peer.call("work", "{}", DEADLINE, "stop"), async { answer(&peer, text) });
        assert!(match outcome {
            Ok(_) => is_good,
            Err(PeerError::Refused(error)) => !is_good && error == ErrorObjectOwned::owned(1, "no", None::<()>),
            Err(_) => false,
        });
    }
    assert_eq!(sent(&mut frames), ["work s1", "work s2"]);
    let asked = peer.request("ask", "{}", DEADLINE).await;
    assert!(matches!(asked, Err(PeerError::TimedOut)));
    assert_eq!(sent(&mut frames), ["ask s3"]);
    let (gone, ()) = tokio::join!(peer.call("work", "{}", DEADLINE, "stop"), async { peer.fail_pending() });
    assert!(matches!(gone, Err(PeerError::Gone)));
    assert_eq!(sent(&mut frames), ["work s4"]);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_slowly_hears_of_it_later_and_of_what_it_never_read_nothing() {
    let (peer, mut frames) = pair(1);
    let (first, second) = tokio::join!(
        peer.call("work", "{}", DEADLINE, "stop"),
        peer.call("work", "{}", Duration::from_secs(1), "stop"),
    );
    assert!(matches!((first, second), (Err(PeerError::TimedOut), Err(PeerError::TimedOut))));
    assert_eq!(sent(&mut frames), ["work s1"]);
    let stop: Value = serde_json::from_str(&frames.recv().await.expect("a frame")).expect("JSON");
    assert_eq!((&stop["method"], &stop["params"]["id"]), (&Value::from("stop"), &Value::from("s1")));
    assert_eq!(sent(&mut frames), [] as [&str; 0]);
}
