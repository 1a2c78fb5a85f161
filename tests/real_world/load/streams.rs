//! Five hundred clients of one daemon: some have turns streamed, the others look on, and one reads nothing.

use serde_json::{Value, json};

use super::line::Line;
use super::served::{Served, until};
use super::upstream::Upstream;
use crate::client::{check_events, streamed_text};
use crate::home::Home;

const CLIENTS: usize = 500;
const STREAMING: usize = 64;
const PIECES: usize = 200;
const BYTES: usize = 100;

/// What the daemon may take for all of them together, in MiB.
const BOUND: f64 = 150.0;

/// Longer than any of those who read is kept from reading, and soon enough to be waited for.
const LIMITS: &str = "[limits]\nwrite_timeout_ms = 5000";

fn session(number: usize) -> String {
    format!("stream {}", number % STREAMING)
}

async fn subscribed(served: &Served, sessions: impl Iterator<Item = String>) -> Line {
    let mut line = served.connect().await;
    for session in sessions {
        line.ask("conductor.subscribe", json!({"sessionName": session})).await;
    }
    line
}

/// Hears of the turn to its end, with nothing missing and nothing out of order.
async fn follow(mut line: Line, session: String) -> (Line, usize) {
    line.until("loop-done").await;
    check_events(&line.events, &session);
    assert_eq!(streamed_text(&line.events, &session).len(), PIECES * BYTES, "{session}");
    let count = line.events.len();
    (line, count)
}

#[tokio::test]
async fn many_watch_many_streams_and_one_that_reads_nothing_is_cut_off() {
    let upstream = Upstream::start(PIECES, BYTES).await;
    let settings = [("OPENAI_COMPATIBLE_URL", upstream.url.clone()), ("MODEL_DEFAULT", "m".to_owned())];
    let served = Served::start(Home::with(LIMITS), &settings).await;
    let idle = served.memory_when_all_have_left().await;

    let mut deaf = subscribed(&served, (0..STREAMING).map(session)).await;
    let mut watching = Vec::new();
    for number in 1..CLIENTS - STREAMING {
        watching.push((subscribed(&served, [session(number)].into_iter()).await, session(number)));
    }
    let mut streaming = Vec::new();
    for number in 0..STREAMING {
        let mut line = served.connect().await;
        let say =
            json!({"content": "Tell me a story.", "sessionName": session(number), "mode": "auto", "stream": true});
        let asked = line.send("conductor.message", say).await;
        line.until("text-delta").await;
        streaming.push((line, asked, session(number)));
    }
    let status = watching[0].0.ask("daemon.status", Value::Null).await;
    assert_eq!(
        (&status["clients"], status["runningTurns"].as_array().map(Vec::len)),
        (&json!(CLIENTS), Some(STREAMING))
    );
    let open = served.memory();

    upstream.go_on();
    let lookers = watching.into_iter().map(|(line, session)| tokio::spawn(follow(line, session)));
    let askers = streaming.into_iter().map(|(line, asked, session)| {
        tokio::spawn(async move {
            let (mut line, count) = follow(line, session).await;
            let result = line.answer(asked).await;
            assert_eq!(result["stopReason"], "end-turn", "{result}");
            (line, count)
        })
    });
    let (mut lines, mut frames) = (Vec::new(), 0);
    for follower in lookers.chain(askers).collect::<Vec<_>>() {
        let (line, count) = follower.await.expect("it hears of all");
        frames += count;
        lines.push(line);
    }
    let busy = served.memory();

    let others = &json!(CLIENTS - 1);
    let mut last = lines.pop().expect("a client");
    let cut_off = async || (last.ask("daemon.status", Value::Null).await["clients"] == *others).then_some(());
    until("the one that reads nothing is cut off", cut_off).await;
    check_deaf(&mut deaf).await;
    drop((last, lines, deaf));
    let after = served.memory_when_all_have_left().await;
    println!(
        "{CLIENTS} clients, {STREAMING} streams, {frames} frames heard: {idle:.1} MiB idle, {open:.1} MiB with all \
         connected, {busy:.1} MiB when all was told, {after:.1} MiB when all had left"
    );
    assert!(open.max(busy).max(after) < BOUND);
}

/// What was on its way to it came in order; then it was hung up on.
async fn check_deaf(deaf: &mut Line) {
    while deaf.next().await.is_some() {}
    for number in 0..STREAMING {
        let own = deaf.events.iter().filter(|params| params["sessionName"] == session(number));
        let mut last = 0;
        for params in own {
            let seq = params["seq"].as_u64().expect("a number");
            assert_eq!(params["firstSeq"].as_u64().unwrap_or(seq), last + 1, "{params}");
            last = seq;
        }
    }
    let ended = deaf.events.iter().filter(|params| params["event"]["kind"] == "loop-done").count();
    assert!(ended < STREAMING, "it was told all");
}
