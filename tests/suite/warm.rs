//! A daemon that serves is connected to its providers before it is asked; nothing else connects of its own accord.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::home::Home;
use crate::program::{self, PROGRAM};
use crate::serving::{self, read_request, whole};
use crate::wire::{Framing, Wire};

const PROVIDER: &str = "openai-compatible";
const KEY: &str = "sk-secret-warm-key";

async fn listen() -> (TcpListener, String) {
    let (listener, origin) = serving::listen().await;
    (listener, format!("{origin}/v1"))
}

/// The next request, answered.
async fn answer(stream: &mut TcpStream, answer: &str) -> String {
    let request = read_request(stream).await.expect("it can be read").expect("all of it");
    stream.write_all(answer.as_bytes()).await.expect("it can be written");
    request
}

fn configured(url: &str, tables: &str) -> Home {
    Home::with(tables).set("OPENAI_COMPATIBLE_URL", url).set("OPENAI_COMPATIBLE_KEY", KEY)
}

async fn row(wire: &mut Wire) -> Value {
    let listed = wire.ask("providers.list", json!({})).await.expect("providers");
    let rows = listed["providers"].as_array().expect("rows");
    rows.iter().find(|row| row["id"] == PROVIDER).expect("a row").clone()
}

/// After the first connection nobody listens any more, so a second one would fail.
#[tokio::test]
async fn the_first_request_goes_out_on_a_connection_that_is_open() {
    let (listener, url) = listen().await;
    let home = configured(&url, "");
    let mut wire = home.spawn(Framing::Lines);
    let (mut stream, _) = listener.accept().await.expect("it connects unasked");
    drop(listener);
    let probe = answer(&mut stream, "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").await;
    assert!(probe.starts_with("HEAD / ") && !probe.contains(KEY), "{probe}");
    while row(&mut wire).await["state"] != "warm" {}
    let warm = row(&mut wire).await;
    assert!(warm["latencyMs"].is_u64() && warm["checkedAt"].is_u64() && warm.get("healthy").is_none(), "{warm}");

    let models = whole("200 OK", "", r#"{"data":[{"id":"quince"}]}"#);
    let (listed, asked) =
        tokio::join!(wire.ask("providers.models", json!({"provider": PROVIDER})), answer(&mut stream, &models));
    assert!(asked.starts_with("GET /v1/models ") && asked.contains(KEY), "{asked}");
    assert_eq!(listed.expect("models")["models"][0]["id"], "quince");
    assert_eq!(row(&mut wire).await["healthy"], true);
    drop(stream);
    wire.end_input().await;
    assert!(wire.exit().await.0.success());
}

#[tokio::test]
async fn a_provider_that_is_down_is_shown_and_still_asked() {
    let (listener, url) = listen().await;
    drop(listener);
    let home = configured(&url, "");
    let mut wire = home.spawn(Framing::Lines);
    while row(&mut wire).await["state"] != "failed" {}
    let failed = row(&mut wire).await;
    assert!(failed["lastError"].as_str().is_some_and(|error| error.starts_with("could not connect")), "{failed}");
    assert_eq!((&failed["default"], failed.get("healthy")), (&json!(true), None), "it is only shown");
}

/// The listener would keep a connection for us to find.
async fn check_nobody_came(listener: &TcpListener, who: &str) {
    let accepted = timeout(Duration::ZERO, listener.accept()).await;
    assert!(accepted.is_err(), "{who} connected");
}

#[tokio::test]
async fn a_command_does_not_connect_unasked() {
    let (listener, url) = listen().await;
    for name in ["skills", "providers", "status", "doctor"] {
        let home = program::Home::new();
        let output = home.command(PROGRAM).env("OPENAI_COMPATIBLE_URL", &url).arg(name).output();
        assert_eq!(home.ended(output.expect("the program starts")).code, 0, "{name}");
        check_nobody_came(&listener, name).await;
    }
}

#[tokio::test]
async fn a_daemon_that_may_not_does_not_connect_unasked() {
    for (tables, hosts, state) in [("[http]\nwarm = false", None, "unknown"), ("", Some("example.com"), "failed")] {
        let (listener, url) = listen().await;
        let home = configured(&url, tables);
        let home = hosts.into_iter().fold(home, |home, hosts| home.set("ALLOWED_HOSTS", hosts));
        let mut wire = home.spawn(Framing::Lines);
        while row(&mut wire).await["state"] == "connecting" {}
        assert_eq!(row(&mut wire).await["state"], state);
        wire.end_input().await;
        assert!(wire.exit().await.0.success());
        check_nobody_came(&listener, state).await;
    }
}
