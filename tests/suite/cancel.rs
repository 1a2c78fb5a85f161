//! Whoever gives up hangs up: what a client does not want any more is not paid for upstream.

use serde_json::{Value, json};

use crate::home::Home;
use crate::server::{Answer, Server};
use crate::serving::stream;
use crate::upstream::Dialect;
use crate::wire::{Framing, Wire};

/// How a client gives up.
#[derive(Clone, Copy, Debug)]
enum Way {
    Cancel,
    Interrupt,
    HangUp,
}

const WAYS: [Way; 3] = [Way::Cancel, Way::Interrupt, Way::HangUp];

/// A turn whose model says nothing, or has begun to, is given up.
async fn check_turn(dialect: Dialect, begun: &str, way: Way) {
    let mut server = Server::start(vec![Answer::holding(begun)]).await;
    let home = dialect.home(&server.url, "");
    let daemon = home.daemon().await;
    let mut wire = Wire::connect(&daemon, Framing::Lines);
    let params = json!({"sessionName": "s", "mode": "auto", "content": "hello", "stream": true});
    let id = wire.send("conductor.message", params).await;
    server.holds(1).await;
    if !begun.is_empty() {
        wire.until_event("text-delta").await;
    }
    match way {
        Way::Cancel => {
            wire.notify("$/cancelRequest", json!({"id": id})).await;
            assert_eq!(wire.answer(id).await.expect_err("it is cancelled")["code"], -32800);
        }
        Way::Interrupt => {
            wire.ask("conductor.interrupt", json!({"sessionName": "s"})).await.expect("a turn to stop");
            assert_eq!(wire.answer(id).await.expect("a result")["stopReason"], "cancelled");
        }
        Way::HangUp => drop(wire),
    }
    server.lost(1).await;
    assert_eq!(server.asked().len(), 1, "{dialect:?} {way:?}: nothing is asked again");
}

#[tokio::test]
async fn quirk_31_a_turn_that_is_given_up_hangs_up() {
    for dialect in Dialect::ALL {
        for way in WAYS {
            check_turn(dialect, "", way).await;
            check_turn(dialect, &stream(dialect.first_chunks()), way).await;
        }
    }
}

#[tokio::test]
async fn quirk_31_a_skill_that_is_given_up_hangs_up() {
    for dialect in Dialect::ALL {
        for hang_up in [false, true] {
            let mut server = Server::start(vec![Answer::holding(stream(dialect.first_chunks()))]).await;
            let home: Home = dialect.home(&server.url, "");
            let daemon = home.daemon().await;
            let mut wire = Wire::connect(&daemon, Framing::Lines);
            let input: Value = json!({"messages": [{"role": "user", "content": "hello"}], "stream": true});
            let id = wire.send("skills.invoke", json!({"skill": dialect.chat_skill(), "input": input})).await;
            server.holds(1).await;
            if hang_up {
                drop(wire);
            } else {
                wire.notify("$/cancelRequest", json!({"id": id})).await;
                assert_eq!(wire.answer(id).await.expect_err("it is cancelled")["code"], -32800);
            }
            server.lost(1).await;
            assert_eq!(server.asked().len(), 1);
        }
    }
}
