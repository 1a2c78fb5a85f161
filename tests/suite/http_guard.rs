//! Who is turned away over HTTP: always before anything was done.

use open_think::config::Listen;
use open_think::http;
use serde_json::json;

use crate::home::Home;
use crate::site::{Reply, Site};

/// Leaves a note, if it is let through.
const INVOKE: &str = "POST /skills/invoke/write-note";
const NOTE: &str = r#"{"input":{"text":"I was here"},"confirm":true}"#;
const RPC: &str = concat!(
    r#"{"jsonrpc":"2.0","id":1,"method":"skills.invoke","#,
    r#""params":{"skill":"write-note","input":{"text":"I was here"},"confirm":true}}"#
);

#[track_caller]
fn check(site: &Site, reply: &Reply, status: u16, code: &str) {
    let answer = reply.json();
    assert_eq!((reply.status, &answer["code"], &answer["ok"]), (status, &json!(code), &json!(false)), "{answer}");
    assert!(answer["requestId"].is_string() && answer["error"].is_string(), "{answer}");
    assert!(!reply.head.contains("access-control-allow"), "{}", reply.head);
    assert!(!reply.body.contains(&site.token), "the token is told: {}", reply.body);
    assert!(site.home.notes().is_empty(), "it was done");
}

#[tokio::test]
async fn whoever_may_not_ask_gets_nothing_done() {
    let site = Site::start("").await;
    let (host, bearer) = (format!("Host: {}", site.address), site.bearer());
    let port = site.address.rsplit(':').next().expect("a port");
    let page = "Origin: https://evil.example";
    let (plain, json) = ("Content-Type: text/plain", "Content-Type: application/json");
    let wrong = format!("Authorization: Bearer {}", site.token.replace(|_: char| true, "0"));
    let elsewhere = format!("Host: evil.example:{port}");
    let both = [host.as_str(), bearer.as_str()];
    let cases: Vec<(Vec<&str>, u16, &str)> = vec![
        // As a browser sends it for a page of somebody else's, without asking first.
        (vec![&host, page, plain, "Sec-Fetch-Site: cross-site"], 403, "E_FORBIDDEN"),
        (vec![&host, page, plain, &bearer], 403, "E_FORBIDDEN"),
        (vec![&host, "Origin: null", &bearer], 403, "E_FORBIDDEN"),
        // A name of somebody else's that leads to this machine.
        (vec![&elsewhere, json, &bearer], 403, "E_FORBIDDEN"),
        (vec![json, &bearer], 403, "E_FORBIDDEN"),
        (vec![&host, json], 401, "E_UNAUTHORIZED"),
        (vec![&host, json, &wrong], 401, "E_UNAUTHORIZED"),
        (vec![&host, json, "Authorization: Basic dXNlcjpwYXNz"], 401, "E_UNAUTHORIZED"),
    ];
    for (headers, status, code) in cases {
        for (line, body) in [(INVOKE, NOTE), ("POST /rpc", RPC)] {
            check(&site, &site.raw(line, &headers, body).await, status, code);
        }
        let status_of = |line| site.raw(line, &headers, "");
        assert_eq!(status_of("GET /health").await.status, status);
        assert_eq!(status_of("GET /nowhere").await.status, status, "who may not ask does not hear what there is");
    }
    for name in ["token", "access_token", "x"] {
        let line = format!("{INVOKE}?{name}={}", site.token);
        check(&site, &site.raw(&line, &both, NOTE).await, 401, "E_UNAUTHORIZED");
        check(&site, &site.raw(&line, &both[..1], NOTE).await, 401, "E_UNAUTHORIZED");
    }
    // All of it was at fault: with nothing wrong it is done.
    site.send(INVOKE, NOTE).await;
    assert_eq!(site.home.notes().len(), 1);
    site.stop().await;
}

#[tokio::test]
async fn a_websocket_has_to_pass_as_well() {
    let site = Site::start("").await;
    let (host, bearer) = (format!("Host: {}", site.address), site.bearer());
    let upgrade = [
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ];
    let page = "Origin: https://evil.example";
    for headers in [vec![&*host, page, &*bearer], vec![&*host], vec![&*bearer, "Host: evil.example"]] {
        let headers: Vec<&str> = headers.into_iter().chain(upgrade).collect();
        let reply = site.raw("GET /rpc", &headers, "").await;
        let status = if headers.contains(&page) || headers.len() == 6 { 403 } else { 401 };
        assert_eq!(reply.status, status, "{}", reply.body);
    }
    let reply = site.send("GET /rpc", "").await;
    assert_eq!((reply.status, reply.json()["code"].as_str()), (426, Some("E_BAD_REQUEST")));
    site.stop().await;
}

#[tokio::test]
async fn a_page_that_is_listed_may_ask_and_is_told_so() {
    let site =
        Site::start("[daemon]\nallowed_origins = [\"https://page.example\"]\nallowed_hosts = [\"box.example\"]").await;
    let (host, bearer, page) = (format!("Host: {}", site.address), site.bearer(), "Origin: https://page.example");
    let asks = [&*host, page, "Access-Control-Request-Method: POST", "Access-Control-Request-Headers: authorization"];
    let reply = site.raw("OPTIONS /rpc", &asks, "").await;
    assert_eq!(reply.status, 204);
    assert!(reply.head.contains("access-control-allow-origin: https://page.example"), "{}", reply.head);
    assert_eq!(site.raw("POST /rpc", &[&host, page], RPC).await.status, 401, "a page needs the token too");
    let reply = site.raw(INVOKE, &["Host: box.example", page, &bearer], NOTE).await;
    assert_eq!((reply.status, site.home.notes().len()), (200, 1), "{}", reply.body);
    assert!(reply.head.contains("vary: origin"), "{}", reply.head);
    site.stop().await;
}

#[tokio::test]
async fn others_machines_are_not_listened_to_without_tls() {
    let home = Home::new();
    let refused = async |listen: &str| {
        let listen: Listen = listen.parse().expect("an address");
        http::open(&home.config(), listen).await.err().expect("it is refused").to_string()
    };
    for listen in ["http://0.0.0.0:0", "http://[::]:0", "http://192.0.2.1:0"] {
        let why = refused(listen).await;
        assert!(why.contains("reached from other machines") && why.contains("tls_cert"), "{why}");
    }
    let why = refused("https://127.0.0.1:0").await;
    assert!(why.contains("set tls_cert and tls_key"), "{why}");
    assert!(!home.path().join("open-think/http-token").exists(), "nothing was made for it");
}
