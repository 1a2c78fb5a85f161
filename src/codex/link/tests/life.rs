//! A connection from its beginning to its end, with a server that behaves.

use std::time::Duration;

use jsonrpsee::types::ErrorObjectOwned;
use serde::Deserialize;
use serde_json::json;

use super::{Bench, raw};
use crate::codex::link::{LinkError, State};
use crate::rpc::Id;

fn id(token: &str) -> Id {
    Id::parse(&raw(token)).unwrap()
}

#[tokio::test(start_paused = true)]
async fn nobody_is_reached_out_to_until_somebody_asks() {
    let mut bench = Bench::new();
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert!(bench.connections.try_recv().is_err());
    assert_eq!(bench.link.status().state, State::Cold);

    let answer = bench.ask("model/list");
    let mut server = bench.peer().await;
    let initialize = server.next().await;
    assert_eq!(initialize["params"]["clientInfo"]["name"], "open-think");
    assert_eq!(initialize["params"]["capabilities"], json!({ "experimentalApi": true }));
    assert_eq!((bench.link.status().state, bench.link.status().waiting), (State::Handshaking, 1));
    server.answer(&initialize, super::greeting("0.169.0")).await;
    assert_eq!(server.next().await["method"], "initialized");
    server.serve("model/list", json!([1])).await;
    assert_eq!(answer.await.unwrap(), Ok("[1]".to_owned()));

    assert_eq!(bench.heard().await, "up 0.169.0");
    let status = bench.link.status();
    assert_eq!((status.state, status.connects, status.in_flight), (State::Ready, 1, 0));
    assert_eq!(status.server.unwrap().platform.as_deref(), Some("linux"));
    let result: serde_json::Value = serde_json::from_str(bench.link.initialize_result().unwrap().get()).unwrap();
    assert_eq!(result, super::greeting("0.169.0"));
}

/// Numbers beyond those of floats, members in their order, blanks: nothing is read and written anew.
#[tokio::test(start_paused = true)]
async fn parameters_and_results_pass_untouched() {
    const ODD: &str = r#"{"z":9007199254740993, "a" :[1.10,{}], "z2":"\u0041"}"#;
    let (bench, mut server) = Bench::ready().await;
    let link = bench.link.clone();
    let answer = tokio::spawn(async move { link.request("x\"y", &raw(ODD), None).await.unwrap() });
    let sent = server.text().await.unwrap();
    assert!(sent.contains(&format!(r#""method":"x\"y","params":{ODD}"#)), "{sent}");
    let id: serde_json::Value = serde_json::from_str(&sent).unwrap();
    let frame = format!(r#"{{"id":{},"result":{ODD}}}"#, id["id"]);
    server.0.get_mut();
    futures_util::SinkExt::send(&mut server.0, tokio_tungstenite::tungstenite::Message::text(frame)).await.unwrap();
    assert_eq!(answer.await.unwrap().get(), ODD);
}

#[tokio::test(start_paused = true)]
async fn answers_find_their_requests_in_any_order() {
    let (bench, mut server) = Bench::ready().await;
    let (first, second) = (bench.ask("first"), bench.ask("second"));
    let (one, two) = (server.next().await, server.next().await);
    server.answer(&two, json!("of two")).await;
    server
        .say(&json!({ "error": { "code": -32600, "message": "no such thread", "data": [1] }, "id": one["id"] }))
        .await;
    assert_eq!(second.await.unwrap(), Ok("\"of two\"".to_owned()));
    assert_eq!(first.await.unwrap(), Err("no such thread".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_typed_call_is_read_and_its_error_kept() {
    #[derive(Deserialize)]
    struct Reply {
        data: Vec<u8>,
    }
    let (bench, mut server) = Bench::ready().await;
    let link = bench.link.clone();
    let call = tokio::spawn(async move { link.call::<Reply>("list", &json!({ "limit": 2 })).await });
    let request = server.next().await;
    assert_eq!(request["params"], json!({ "limit": 2 }));
    server.answer(&request, json!({ "data": [1, 2], "more": null })).await;
    assert_eq!(call.await.unwrap().unwrap().data, [1, 2]);

    let link = bench.link.clone();
    let call = tokio::spawn(async move { link.call::<Reply>("list", &json!({})).await.map(|reply| reply.data) });
    let request = server.next().await;
    server.say(&json!({ "id": request["id"], "error": { "code": -32001, "message": "later" } })).await;
    let Err(LinkError::Rpc(error)) = call.await.unwrap() else { panic!("not refused") };
    assert_eq!((error.code(), error.message()), (-32001, "later"));
}

#[tokio::test(start_paused = true)]
async fn what_the_server_says_by_itself_is_heard_in_order() {
    let (mut bench, mut server) = Bench::ready().await;
    server.say(&json!({ "method": "turn/started", "params": { "n": 1 }, "emittedAtMs": 5 })).await;
    server.say(&json!({ "method": "item/tool/call", "id": 0, "params": { "callId": "c" } })).await;
    server.say(&json!({ "method": "turn/completed" })).await;
    let expected = ["up 0.169.0", r#"turn/started {"n":1}"#, r#"0 item/tool/call {"callId":"c"}"#, "turn/completed {}"];
    for expected in expected {
        assert_eq!(bench.heard().await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_question_is_answered_once_and_over_the_connection_that_brought_it() {
    let question = json!({ "method": "item/tool/call", "id": 0, "params": {} });
    let (mut bench, mut server) = Bench::ready().await;
    let allow = raw("true");
    assert!(!bench.link.respond(&id("0"), Ok(&allow)), "nothing was asked");
    server.say(&question).await;
    while !bench.heard().await.starts_with("0 item/tool/call") {}
    assert!(bench.link.respond(&id("0"), Ok(&allow)));
    assert!(!bench.link.respond(&id("0"), Ok(&allow)), "it is answered");
    assert_eq!(server.next().await, json!({ "jsonrpc": "2.0", "id": 0, "result": true }));

    // Another process may ask something else under the same id.
    server.say(&question).await;
    while !bench.heard().await.starts_with("0 item/tool/call") {}
    drop(server);
    let mut server = bench.server().await;
    bench.until(State::Ready).await;
    let no = ErrorObjectOwned::owned(-32000, "no", None::<()>);
    assert!(!bench.link.respond(&id("0"), Err(&no)));
    server.say(&question).await;
    while !bench.heard().await.starts_with("0 item/tool/call") {}
    assert!(bench.link.respond(&id("0"), Err(&no)));
    assert_eq!(server.next().await["error"]["message"], "no");
}

#[tokio::test(start_paused = true)]
async fn closing_lets_what_is_in_flight_end() {
    let (mut bench, mut server) = Bench::ready().await;
    let answer = bench.ask("slow");
    let request = server.next().await;
    let link = bench.link.clone();
    let closed = tokio::spawn(async move { link.close().await });
    bench.until(State::Draining).await;
    let refused = bench.ask("late").await.unwrap().unwrap_err();
    assert_eq!(refused, "the connection to the Codex app-server is being closed");
    server.answer(&request, json!(7)).await;
    assert_eq!(answer.await.unwrap(), Ok("7".to_owned()));
    assert_eq!(server.text().await, None);
    drop(server);
    closed.await.unwrap();
    assert_eq!(bench.heard().await, "up 0.169.0");
    assert_eq!(bench.heard().await, "down closed");
    bench.link.reconnect();
    assert!(bench.ask("late").await.unwrap().is_err());
    assert!(bench.connections.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn closing_waits_for_no_answer_that_never_comes() {
    let (bench, mut server) = Bench::ready().await;
    let answer = bench.ask("slow");
    server.next().await;
    bench.link.close().await;
    assert!(answer.await.unwrap().unwrap_err().contains("closed"));
    assert_eq!(bench.link.status().in_flight, 0);

    let cold = Bench::new();
    cold.link.close().await;
    assert!(cold.ask("late").await.unwrap().is_err());
}

#[tokio::test(start_paused = true)]
async fn the_connection_ends_with_the_last_handle() {
    let (bench, mut server) = Bench::ready().await;
    let Bench { link, heard: _heard, connections: _connections } = bench;
    let other = link.clone();
    drop(link);
    assert_eq!(other.status().state, State::Ready);
    drop(other);
    assert_eq!(server.text().await, None);
}
