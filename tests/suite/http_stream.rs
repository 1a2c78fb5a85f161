//! Turns as server-sent events, joined again after a line was lost.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::site::Site;

const PATIENCE: Duration = Duration::from_secs(20);

struct Stream {
    reader: BufReader<TcpStream>,
    status: u16,
    id: Option<String>,
}

#[derive(Debug)]
struct Event {
    kind: String,
    id: Option<String>,
    data: Value,
}

impl Stream {
    async fn open(site: &Site, line: &str, headers: &[&str], body: &Value) -> Self {
        let mut stream = site.connect().await;
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
        let head =
            format!("Host: {}\r\n{}\r\n{headers}content-length: {}\r\n", site.address, site.bearer(), body.len());
        stream.write_all(format!("{line} HTTP/1.1\r\n{head}\r\n{body}").as_bytes()).await.expect("sent");
        let mut opened = Self { reader: BufReader::new(stream), status: 0, id: None };
        loop {
            let line = opened.line().await.expect("a head");
            if line.is_empty() {
                return opened;
            }
            if let Some(rest) = line.strip_prefix("HTTP/1.1 ") {
                opened.status = rest[..3].parse().expect("a status");
            }
            opened.id = line.strip_prefix("x-stream-id: ").map(str::to_owned).or(opened.id);
        }
    }

    async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = timeout(PATIENCE, self.reader.read_line(&mut line)).await.expect("something in time");
        (read.expect("it can be read") > 0).then(|| line.trim_end().to_owned())
    }

    /// The next event; none at the end. What is about chunks is passed over, for no line of an event is like it.
    async fn next(&mut self) -> Option<Event> {
        let mut event = Event { kind: String::new(), id: None, data: Value::Null };
        loop {
            let line = self.line().await?;
            match line.split_once(": ") {
                Some(("event", kind)) => event.kind = kind.to_owned(),
                Some(("id", id)) => event.id = Some(id.to_owned()),
                Some(("data", data)) => event.data = serde_json::from_str(data).expect("JSON"),
                _ if line == "0" => return None,
                _ if line.is_empty() && !event.kind.is_empty() => return Some(event),
                _ => {}
            }
        }
    }

    async fn rest(mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        events
    }

    async fn until(&mut self, kind: &str) -> Event {
        loop {
            let event = self.next().await.unwrap_or_else(|| panic!("it ended before {kind}"));
            if event.kind == kind {
                return event;
            }
        }
    }
}

/// The numbers of a session's events have no holes, whatever was merged.
#[track_caller]
fn check_whole(events: &[Event], after: u64) {
    let mut position = after;
    for event in events.iter().filter(|event| event.data["seq"].is_u64()) {
        let seq = event.data["seq"].as_u64().expect("a number");
        let first = event.data["firstSeq"].as_u64().unwrap_or(seq);
        assert_eq!((first, event.id.as_deref()), (position + 1, Some(&*seq.to_string())), "{event:?}");
        assert_eq!(event.data["event"]["kind"], event.kind.as_str());
        position = seq;
    }
}

#[tokio::test]
async fn a_turn_is_told_as_it_happens_and_its_result_comes_last() {
    let site = Site::start("").await;
    let said = json!({"content": "check runtime health", "mode": "auto", "sessionName": "s"});
    let stream = Stream::open(&site, "POST /conductor/stream", &[], &said).await;
    assert_eq!(stream.status, 200);
    let id = stream.id.clone().expect("it has an id");
    let events = stream.rest().await;
    let kinds: Vec<&str> = events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(
        (kinds[0], kinds[kinds.len() - 2], kinds[kinds.len() - 1]),
        ("ready", "loop-done", "result"),
        "{kinds:?}"
    );
    assert!(kinds.contains(&"tool-result"), "{kinds:?}");
    assert_eq!(events[0].data, json!({"streamId": id, "turnId": id, "sessionName": "s"}));
    check_whole(&events, 0);
    let result = &events[events.len() - 1].data;
    assert!(result["ok"] == true && result["data"]["turnId"] == id.as_str(), "{result}");

    // Who comes late hears all of it; who has heard some, the rest; who has heard all, nothing.
    let again = Stream::open(&site, &format!("GET /conductor/stream/{id}"), &[], &Value::Null).await.rest().await;
    check_whole(&again, 0);
    assert_eq!(again.last().map(|event| &event.data), Some(result));
    let rest = Stream::open(&site, &format!("GET /conductor/stream/{id}"), &["Last-Event-ID: 2"], &Value::Null).await;
    check_whole(&rest.rest().await, 2);
    for last in ["end", "9999"] {
        let header = format!("Last-Event-ID: {last}");
        let nothing = Stream::open(&site, &format!("GET /conductor/stream/{id}"), &[&header], &Value::Null).await;
        assert_eq!(nothing.status, 204, "{last}");
    }
    site.stop().await;
}

#[tokio::test]
async fn a_turn_whose_line_was_lost_is_joined_again_while_it_runs() {
    let site = Site::start("").await;
    let said = json!({"content": "call take-a-nap {}", "mode": "auto"});
    let mut first = Stream::open(&site, "POST /conductor/stream", &[], &said).await;
    let id = first.id.clone().expect("it has an id");
    let seen = first.until("tool-use-stop").await.id.expect("a number");
    drop(first);
    let path = format!("GET /conductor/stream/{id}");
    let mut again = Stream::open(&site, &path, &[&format!("Last-Event-ID: {seen}")], &Value::Null).await;
    again.until("turn-stop").await;
    let interrupted = site.data("POST /conductor/interrupt", json!({"sessionName": "conductor:default"})).await;
    assert_eq!(interrupted["interrupted"], true);
    let events = again.rest().await;
    let result = &events.last().expect("a result").data;
    assert_eq!(result["data"]["stopReason"], "cancelled", "{result}");
    site.stop().await;
}

#[tokio::test]
async fn somebody_who_looks_on_keeps_the_turn_alive() {
    let site = Site::start("").await;
    let said = json!({"content": "call take-a-nap {}", "mode": "auto", "detach": false});
    let mut first = Stream::open(&site, "POST /conductor/stream", &[], &said).await;
    let path = format!("GET /conductor/stream/{}", first.id.clone().expect("it has an id"));
    first.until("turn-stop").await;
    let mut second = Stream::open(&site, &path, &[], &Value::Null).await;
    second.until("turn-stop").await;
    drop(first);
    assert_eq!(
        site.data("POST /conductor/interrupt", json!({"sessionName": "conductor:default"})).await["interrupted"],
        true
    );
    second.until("result").await;

    let mut alone = Stream::open(&site, "POST /conductor/stream", &[], &said).await;
    alone.until("turn-stop").await;
    drop(alone);
    // Behind it in the session: it was stopped, for nobody was there.
    site.data("POST /conductor/message", json!({"content": "hello"})).await;
    site.stop().await;
}

#[tokio::test]
async fn whoever_comes_for_what_is_gone_is_told_so() {
    let site = Site::start("[limits]\nbuffered_events = 3").await;
    let said = json!({"content": "check runtime health", "mode": "auto"});
    let id = Stream::open(&site, "POST /conductor/stream", &[], &said).await.id.expect("it has an id");
    site.data("POST /conductor/message", json!({"content": "one more"})).await;
    let path = format!("GET /conductor/stream/{id}");
    for headers in [&[][..], &["Last-Event-ID: 1"]] {
        let events = Stream::open(&site, &path, headers, &Value::Null).await.rest().await;
        assert!(events.iter().any(|event| event.kind == "resync"), "{events:?}");
        let last = events.last().expect("a result");
        assert_eq!((&*last.kind, &last.data["ok"]), ("result", &json!(false)), "{events:?}");
        assert!(last.data["hint"].as_str().is_some_and(|hint| hint.contains("/messages")), "{last:?}");
    }
    site.stop().await;
}

#[tokio::test]
async fn a_turn_that_fails_ends_with_why() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/v1", listener.local_addr().expect("an address"));
    drop(listener);
    let home = crate::home::Home::with("[http]\nmax_retries = 0").set("OPENAI_COMPATIBLE_URL", &url);
    let site = Site::at(home.set("OPENAI_COMPATIBLE_DEFAULT_MODEL", "m")).await;
    let events = Stream::open(&site, "POST /conductor/stream", &[], &json!({"content": "hello"})).await.rest().await;
    let last = &events.last().expect("a result").data;
    assert_eq!((&last["ok"], last["code"].as_str()), (&json!(false), Some("E_PROVIDER_FAILED")), "{last}");
    let reply = site.send("POST /conductor/message", r#"{"content":"hello"}"#).await;
    assert_eq!((reply.status, reply.json()["code"].as_str()), (502, Some("E_PROVIDER_FAILED")));
    site.stop().await;
}
