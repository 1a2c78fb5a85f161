//! How much goes out at once, and for how long it is waited for.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};
use tokio_tungstenite::accept_async_with_config;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use super::{Bench, Server, raw};
use crate::codex::link::{LinkError, State};

#[tokio::test(start_paused = true)]
async fn a_thousand_at_once_are_all_answered_with_no_more_than_64_under_way() {
    let (bench, mut server) = Bench::ready().await;
    let answers: Vec<_> = (0..1000).map(|number| bench.ask(&format!("m{number}"))).collect();
    let serve = async {
        let mut open: VecDeque<Value> = VecDeque::new();
        let mut most = 0;
        for _ in 0..1000 {
            // Whatever there is to be read, until it falls silent.
            while let Ok(request) = timeout(Duration::from_millis(5), server.next()).await {
                open.push_back(request);
            }
            most = most.max(open.len());
            let request = open.pop_front().expect("another request");
            server.answer(&request, request["method"].clone()).await;
        }
        most
    };
    let (most, answers) = tokio::join!(serve, futures_util::future::join_all(answers));
    for (number, answer) in answers.into_iter().enumerate() {
        assert_eq!(answer.unwrap(), Ok(format!("\"m{number}\"")));
    }
    assert_eq!(most, 64);
}

#[tokio::test(start_paused = true)]
async fn requests_go_out_in_the_order_in_which_they_were_asked() {
    let mut bench = Bench::new();
    for number in 0..200 {
        bench.ask(&number.to_string());
    }
    let mut server = bench.server().await;
    for number in 0..200 {
        server.serve(&number.to_string(), json!(null)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn one_too_many_is_refused_and_those_before_are_not() {
    let bench = Bench::new();
    let waiting: Vec<_> = (0..4096).map(|_| bench.ask("m")).collect();
    while bench.link.status().waiting < 4096 {
        tokio::task::yield_now().await;
    }
    let refused = bench.link.request("m", &raw("{}"), None).await.unwrap_err();
    assert!(matches!(refused, LinkError::Overloaded { waiting: 4096 }), "{refused:?}");
    assert_eq!(bench.link.status().waiting, 4096);
    waiting.iter().for_each(tokio::task::JoinHandle::abort);
    futures_util::future::join_all(waiting).await;
    assert_eq!(bench.link.status().waiting, 0, "what is dropped leaves nothing behind");
}

#[tokio::test(start_paused = true)]
async fn a_request_has_its_own_time_and_a_late_answer_is_dropped() {
    let (bench, mut server) = Bench::ready().await;
    let start = Instant::now();
    let link = bench.link.clone();
    let answer = tokio::spawn(async move { link.request("slow", &raw("{}"), Some(Duration::from_secs(3))).await });
    let request = server.next().await;
    let error = answer.await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "the Codex app-server did not answer within 3000 ms");
    assert_eq!((start.elapsed().as_secs(), bench.link.status().in_flight), (3, 0));
    server.answer(&request, json!("late")).await;
    let next = bench.ask("next");
    server.serve("next", json!("in time")).await;
    assert_eq!(next.await.unwrap(), Ok("\"in time\"".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_dropped_frees_its_place() {
    let (bench, mut server) = Bench::ready().await;
    let all: Vec<_> = (0..65).map(|number| bench.ask(&number.to_string())).collect();
    for _ in 0..64 {
        server.next().await;
    }
    assert_eq!((bench.link.status().in_flight, bench.link.status().waiting), (64, 1));
    all[10].abort();
    assert_eq!(server.next().await["method"], "64");
}

/// One that never went out is told why, not that it was not answered.
#[tokio::test(start_paused = true)]
async fn time_that_runs_out_in_back_off_is_the_fault_of_the_connection() {
    let mut bench = Bench::new();
    bench.link.wake();
    drop(bench.connection().await);
    bench.until(State::Backoff).await;
    let error = bench.link.request("m", &raw("{}"), Some(Duration::from_millis(1))).await.unwrap_err();
    assert!(matches!(error, LinkError::Down(_)), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_request_waits_for_the_next_attempt_and_shares_its_fate() {
    let mut bench = Bench::new();
    bench.link.wake();
    drop(bench.connection().await);
    bench.until(State::Backoff).await;
    let fails = bench.ask("one");
    drop(bench.connection().await);
    assert!(fails.await.unwrap().is_err());
    bench.until(State::Backoff).await;
    let succeeds = bench.ask("two");
    let mut server = bench.server().await;
    server.serve("two", json!(2)).await;
    assert_eq!(succeeds.await.unwrap(), Ok("2".to_owned()));
}

/// 16 MiB a frame and 64 MiB a message, as the server has it.
#[tokio::test(start_paused = true)]
async fn long_requests_go_out_in_pieces_and_too_long_ones_not_at_all() {
    const MIB: usize = 1024 * 1024;
    let mut bench = Bench::new();
    bench.link.wake();
    let mut limits = WebSocketConfig::default();
    (limits.max_frame_size, limits.max_message_size) = (Some(16 * MIB), Some(64 * MIB));
    let connection = bench.connection().await;
    let mut server = Server(accept_async_with_config(connection, Some(limits)).await.unwrap());
    server.greet().await;
    let ask = |length: usize| {
        let link = bench.link.clone();
        tokio::spawn(
            async move { link.request("m", &raw(&format!("{{\"a\":\"{}\"}}", "x".repeat(length))), None).await },
        )
    };
    let long = ask(20 * MIB);
    // A ping may come between the pieces.
    let request = server.next().await;
    assert_eq!(request["params"]["a"].as_str().unwrap().len(), 20 * MIB);
    server.answer(&request, json!(true)).await;
    assert!(long.await.unwrap().is_ok());

    let error = ask(64 * MIB).await.unwrap().unwrap_err();
    assert!(error.to_string().contains("67108864"), "{error}");
    assert_eq!(bench.link.status().state, State::Ready);
    assert!(timeout(Duration::from_secs(1), server.0.next()).await.is_err(), "nothing was sent");
}
