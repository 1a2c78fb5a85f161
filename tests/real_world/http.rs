//! The HTTP listener as clients of others use it: Node's `fetch` with a parser of events and a WebSocket from npm,
//! Python's standard library, and curl.

use serde_json::{Value, json};

use crate::client::check_events;
use crate::home::Home;
use crate::load::served::Served;
use crate::needs::has;
use crate::node;

const SESSION: &str = "node";

async fn served() -> Served {
    Served::start(Home::new(), &[]).await
}

/// The names of what a stream told.
fn kinds(events: &Value) -> Vec<&str> {
    let events = events.as_array().expect("events");
    events.iter().map(|event| event["event"].as_str().expect("a name")).collect()
}

/// The events of the session in it have no holes, from the one after this number on.
#[track_caller]
fn check_whole(events: &Value, after: u64) {
    let mut last = after;
    for event in events.as_array().expect("events").iter().filter(|event| event["data"]["seq"].is_u64()) {
        let seq = event["data"]["seq"].as_u64().expect("a number");
        assert_eq!(event["data"]["firstSeq"].as_u64().unwrap_or(seq), last + 1, "{event}");
        assert_eq!(event["id"], seq.to_string(), "{event}");
        last = seq;
    }
    assert!(last > after, "nothing was told: {events}");
    assert_eq!(kinds(events).last(), Some(&"result"), "{events}");
}

#[tokio::test]
async fn node_fetches_follows_streams_and_opens_a_websocket() {
    let served = served().await;
    let Some(mut script) = node::script(&served.home, "http.mjs") else { return };
    script.args([served.url(), &served.token, SESSION]);
    let seen = served.home.run(script);

    assert_eq!((&seen["health"]["status"], &seen["health"]["body"]["ok"]), (&json!(200), &json!(true)));
    assert_eq!((&seen["noToken"], &seen["foreignPage"]), (&json!(401), &json!(403)));

    assert!(seen["type"].as_str().is_some_and(|kind| kind.starts_with("text/event-stream")), "{}", seen["type"]);
    check_whole(&seen["stream"], 0);
    assert_eq!(kinds(&seen["stream"])[..2], ["ready", "turn-start"]);
    check_whole(&seen["again"], 0);
    check_whole(&seen["rest"], 3);
    let result = |events: &Value| events.as_array().and_then(|events| events.last()).expect("an event")["data"].clone();
    let trace = &result(&seen["stream"])["data"]["trace"];
    assert_eq!(trace[0]["result"], json!({"name": "quince"}), "{trace}");
    assert_eq!(result(&seen["again"]), result(&seen["stream"]));
    assert_eq!(result(&seen["rest"]), result(&seen["stream"]));

    assert_eq!(seen["interrupted"]["data"]["interrupted"], true, "{}", seen["interrupted"]);
    let after = seen["joined"]["after"].as_str().and_then(|id| id.parse().ok()).expect("a number");
    check_whole(&seen["joined"]["events"], after);
    assert_eq!(result(&seen["joined"]["events"])["data"]["stopReason"], "cancelled");

    assert!(seen["initialized"]["result"]["capabilities"].is_object(), "{}", seen["initialized"]);
    assert_eq!(seen["turn"]["result"]["trace"][0]["result"], json!({"name": "quince"}), "{}", seen["turn"]);
    check_events(seen["notified"].as_array().expect("events"), SESSION);
    assert_eq!(seen["closed"], 1000);
    assert!(served.home.notes().is_empty(), "what was refused ran");
}

#[tokio::test]
async fn python_asks_with_its_standard_library() {
    if !has("python3") {
        return;
    }
    let served = served().await;
    let mut script = served.home.command("python3");
    script.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/real_world/python/http_client.py"));
    script.args([served.url(), &served.token]);
    let seen = served.home.run(script);

    let quince = json!({"name": "quince"});
    let data = |name: &str| seen[name]["body"]["data"].clone();
    assert_eq!((&seen["message"]["status"], &data("message")["trace"][0]["result"]), (&json!(200), &quince), "{seen}");
    assert_eq!((&seen["invoke"]["status"], &data("invoke")), (&json!(200), &quince), "{seen}");
    assert_eq!((&seen["wrongToken"]["status"], &seen["wrongToken"]["body"]["ok"]), (&json!(401), &json!(false)));
    assert_eq!(seen["dangerous"]["body"]["code"], "E_APPROVAL_REQUIRED", "{}", seen["dangerous"]);

    let kept = &seen["kept"];
    assert!(kept["skills"]["body"]["data"]["skills"].is_array(), "{kept}");
    for name in ["rpc", "chunked"] {
        assert_eq!((&kept[name]["status"], &kept[name]["body"]["id"]), (&json!(200), &json!("a")), "{kept}");
        assert!(kept[name]["body"]["result"]["sessions"].is_array(), "{kept}");
    }
    assert_eq!(kept["missing"]["status"], 404);
    assert_eq!(kept["sameConnection"], true, "it was hung up on between two requests");

    let kinds = seen["stream"]["kinds"].as_array().expect("names");
    assert_eq!((kinds.first(), kinds.last()), (Some(&json!("ready")), Some(&json!("result"))), "{kinds:?}");
    assert!(served.home.notes().is_empty(), "what was refused ran");
}

#[tokio::test]
async fn curl_shows_a_turn_as_it_happens_and_once_more() {
    if !has("curl") {
        return;
    }
    let served = served().await;
    let curl = |arguments: &[&str]| {
        let mut curl = served.home.command("curl");
        curl.args(["-q", "-sS", "-N", "--http1.1", "--fail-with-body", "--max-time", "60"]);
        curl.args(["-H", &format!("Authorization: Bearer {}", served.token)]).args(arguments);
        let output = curl.output().expect("curl starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    };
    let url = format!("{}/conductor/stream", served.url());
    let told = curl(&["--json", r#"{"content":"check runtime health","mode":"auto"}"#, &url]);
    let ready = told.lines().find_map(|line| line.strip_prefix("data: ")).expect("a first event");
    let ready: Value = serde_json::from_str(ready).expect("JSON");
    let again = curl(&[&format!("{url}/{}", ready["streamId"].as_str().expect("an id"))]);
    let names = |told: &str| -> Vec<String> {
        told.lines().filter_map(|line| line.strip_prefix("event: ")).map(str::to_owned).collect()
    };
    for told in [&told, &again] {
        let names = names(told);
        assert_eq!((&*names[0], &*names[names.len() - 1]), ("ready", "result"), "{told}");
        assert!(told.contains(r#"{"ok":true,"data":{"#), "{told}");
    }
}
