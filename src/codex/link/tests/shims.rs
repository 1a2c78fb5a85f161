//! App-servers behind HTTP.

use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::{Ear, TIMEOUT, greeting, raw};
use crate::codex::link::{Endpoint, FaultKind, Heard, Link, LinkError, Settings, State};
use crate::config::{self, Secret};
use crate::policy::Redactor;
use crate::providers::loopback::{self, Answer, Loopback};

fn open(server: &Loopback) -> (Link, mpsc::Receiver<Heard>) {
    let (listens, heard) = mpsc::channel(64);
    let token = Some(Secret::new("capability-1"));
    let endpoint = Ok(Endpoint::Http { url: server.url.join("rpc").unwrap(), token });
    let http = loopback::http(&[server], config::Http::default());
    let settings = Settings { endpoint, timeout: TIMEOUT, http, redactor: Redactor::default() };
    (Link::open(settings, Arc::new(Ear(listens))), heard)
}

fn response(body: &str) -> Answer {
    Answer::json(200, "", body)
}

async fn ask(link: &Link, method: &str) -> Result<String, String> {
    let answer = link.request(method, &raw(r#"{"a":1}"#), None).await;
    answer.map(|result| result.get().to_owned()).map_err(|error| error.to_string())
}

#[tokio::test]
async fn each_request_is_a_post() {
    let initialized = format!(r#"{{"id":"s1","result":{}}}"#, greeting("0.169.0"));
    let script = vec![response(&initialized), response(r#"{"jsonrpc":"2.0","id":9,"result":{"b": 2}}"#)];
    let server = Loopback::start(script).await;
    let (link, mut heard) = open(&server);
    assert_eq!(ask(&link, "model/list").await, Ok(r#"{"b": 2}"#.to_owned()));
    assert!(matches!(heard.recv().await, Some(Heard::Up(server)) if server.version.as_deref() == Some("0.169.0")));
    let asked = server.asked();
    assert!(asked[0].starts_with("POST /rpc ") && asked[0].contains(r#""method":"initialize""#), "{}", asked[0]);
    assert!(asked[1].contains("authorization: Bearer capability-1"), "{}", asked[1]);
    assert!(asked[1].ends_with(r#""method":"model/list","params":{"a":1}}"#), "{}", asked[1]);
    assert_eq!((asked.len(), server.connections()), (2, 1));
}

#[tokio::test]
async fn one_that_knows_no_initialize_is_ready_all_the_same() {
    let unknown = r#"{"error":{"code":-32601,"message":"unknown method"},"id":"s2"}"#;
    let server = Loopback::start(vec![response(unknown), response(r#"{"thread_id":"t-1"}"#), response(unknown)]).await;
    let (link, _heard) = open(&server);
    assert_eq!(ask(&link, "thread/start").await, Ok(r#"{"thread_id":"t-1"}"#.to_owned()));
    assert_eq!(ask(&link, "odd").await, Err("unknown method".to_owned()));
    assert_eq!((link.status().state, link.status().connects), (State::Ready, 1));
    assert!(link.initialize_result().is_none());
}

#[tokio::test]
async fn an_answer_that_is_none_fails_that_request_alone() {
    let script = vec![
        response(r#"{"result":{}}"#),
        Answer::whole(502, "content-type: text/html\r\n", "<html>bad gateway</html>"),
        response("no json"),
        response(r#"{"result":1}"#),
    ];
    let server = Loopback::start(script).await;
    let (link, _heard) = open(&server);
    let error = ask(&link, "m").await.unwrap_err();
    assert!(error.contains("answered 502 to a POST: <html>bad gateway</html>"), "{error}");
    assert!(ask(&link, "m").await.unwrap_err().contains("not JSON"));
    assert_eq!(ask(&link, "m").await, Ok("1".to_owned()));
    assert_eq!(link.status().connects, 1);
}

#[tokio::test]
async fn a_wrong_token_and_a_wrong_place_are_told_apart() {
    let server = Loopback::start(vec![Answer::whole(401, "", "bad token")]).await;
    let (link, _heard) = open(&server);
    assert_eq!(ask(&link, "m").await, Err("the Codex app-server refuses the token: bad token".to_owned()));
    assert_eq!(link.status().state, State::Refused);

    let server = Loopback::start(vec![Answer::whole(404, "", "nothing here")]).await;
    let (link, _heard) = open(&server);
    assert!(ask(&link, "m").await.unwrap_err().contains("answered 404"));
    assert_eq!(link.status().fault.unwrap().kind, FaultKind::Protocol);
}

#[tokio::test]
async fn a_request_that_is_dropped_ends_its_post() {
    let hangs = Answer::raw("HTTP/1.1 200 X\r\ncontent-length: 100\r\n\r\n{").then_hold();
    let mut server = Loopback::start(vec![response(r#"{"result":{}}"#), hangs]).await;
    let (link, _heard) = open(&server);
    let asks = {
        let link = link.clone();
        tokio::spawn(async move { ask(&link, "slow").await })
    };
    link.changes().wait_for(|state| *state == State::Ready).await.unwrap();
    while server.asked().len() < 2 {
        tokio::task::yield_now().await;
    }
    asks.abort();
    server.hung_up().await;
    assert_eq!(link.status().in_flight, 0);
}

#[tokio::test]
async fn one_that_is_not_there_is_a_link_that_is_down() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let mut server = Loopback::start(Vec::new()).await;
    server.url.set_port(Some(free.port())).unwrap();
    let (link, _heard) = open(&server);
    let error = link.request("m", &raw("{}"), None).await.unwrap_err();
    assert!(matches!(error, LinkError::Down(_)), "{error:?}");
    assert_eq!(link.status().fault.unwrap().kind, FaultKind::NothingListening);
}
