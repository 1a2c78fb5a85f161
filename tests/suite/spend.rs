//! What calls cost, on the built program: the cap is held before anything is sent, and the sums outlive the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::home::Home;
use crate::serving::{self, whole};
use crate::wire::{Framing, Wire};

/// $2 for a million tokens read, $10 for a million written: with [`USAGE`], $0.004 a call.
const PRICES: &str = "[http]\nmax_retries = 0\nwarm = false\n[[price]]\nprovider = \"openai-compatible\"\nmodel = \"paid-*\"\ninput = 2\n\
                      output = 10.0\ncached_input = 0.5\n[[price]]\nmodel = \"local\"\ninput = 0\noutput = 0\n";
const USAGE: &str = r#"{"prompt_tokens":1000,"completion_tokens":275,"prompt_tokens_details":{"cached_tokens":500}}"#;

/// A server that counts what it is asked.
struct Server {
    url: String,
    asked: Arc<AtomicUsize>,
}

impl Server {
    async fn start() -> Self {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let origin = serving::answer(move |request| answer(request, &count)).await;
        Self { url: format!("{origin}/v1"), asked }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn home(&self, cap: &str) -> Home {
        Home::with(&format!("daily_spend_cap_usd = {cap}\n{PRICES}"))
            .set("OPENAI_COMPATIBLE_URL", &self.url)
            .set("OPENAI_COMPATIBLE_DEFAULT_MODEL", "paid-1")
    }
}

/// Answers in the way that is asked for.
fn answer(request: &str, asked: &AtomicUsize) -> String {
    asked.fetch_add(1, Ordering::SeqCst);
    if request.contains("\"stream\":true") {
        let text = r#"{"choices":[{"index":0,"delta":{"content":"Hello"},"finish_reason":"stop"}]}"#;
        let end = format!("{{\"choices\":[],\"usage\":{USAGE}}}");
        let body = format!("data: {text}\n\ndata: {end}\n\ndata: [DONE]\n\n");
        whole("200 OK", "content-type: text/event-stream\r\n", &body)
    } else {
        let choice = r#"{"index":0,"message":{"role":"assistant","content":"Hello"},"finish_reason":"stop"}"#;
        let body = format!("{{\"model\":\"m\",\"choices\":[{choice}],\"usage\":{USAGE}}}");
        whole("200 OK", "content-type: application/json\r\n", &body)
    }
}

async fn say(wire: &mut Wire, more: Value) -> Result<Value, Value> {
    let mut params = json!({"content": "hello", "mode": "propose"});
    params.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    wire.ask("conductor.message", params).await
}

async fn skill(wire: &mut Wire, skill: &str, input: Value) -> Result<Value, Value> {
    let result = wire.ask("skills.invoke", json!({"skill": skill, "input": input})).await;
    result.map(|result| result["data"].clone())
}

fn chat(model: Option<&str>) -> Value {
    let mut input = json!({"messages": [{"role": "user", "content": "hello"}]});
    if let Some(model) = model {
        input["model"] = json!(model);
    }
    input
}

#[track_caller]
fn check_capped(outcome: Result<Value, Value>) {
    let error = outcome.expect_err("the cap is reached");
    let data = &error["data"];
    assert_eq!((&error["code"], &data["code"]), (&json!(-32019), &json!("E_SPEND_CAP")), "{error}");
    assert_eq!((&data["provider"], &data["retryable"]), (&json!("openai-compatible"), &json!(false)), "{error}");
    let message = error["message"].as_str().expect("a message");
    assert_eq!(message, "the daily cap of $0.01 is reached: $0.012 are spent today (UTC)");
    assert!(data["hint"].as_str().is_some_and(|hint| hint.contains("DAILY_SPEND_CAP_USD")), "{error}");
}

#[tokio::test]
async fn the_cap_is_held_on_every_path_and_outlives_the_process() {
    let server = Server::start().await;
    let home = server.home("0.01");
    let mut wire = home.spawn(Framing::Lines);

    let told = say(&mut wire, json!({})).await.expect("an answer");
    let usage = json!({"inputTokens": 1000, "outputTokens": 275, "cachedTokens": 500, "costUsd": 0.004});
    assert_eq!(told["usage"], usage, "{told}");
    let told = say(&mut wire, json!({"stream": true})).await.expect("an answer");
    assert_eq!(told["usage"], usage, "streamed as well: {told}");
    let told = skill(&mut wire, "openai-compat-chat", chat(None)).await.expect("an answer");
    assert_eq!(told["usage"], usage, "and by a skill: {told}");
    assert_eq!(server.asked(), 3);

    check_capped(say(&mut wire, json!({})).await);
    check_capped(say(&mut wire, json!({"stream": true})).await);
    check_capped(say(&mut wire, json!({"fallbackModels": ["openai-compatible/paid-2"]})).await);
    check_capped(skill(&mut wire, "openai-compat-chat", chat(None)).await);
    check_capped(skill(&mut wire, "openai-compat-chat", chat(Some("of-unknown-price"))).await);
    assert_eq!(server.asked(), 3, "nothing is sent behind the cap");
    let told = say(&mut wire, json!({"fallbackModels": ["openai-compatible/local"]})).await.expect("an answer");
    assert_eq!((told["attempts"].as_array().map(Vec::len), server.asked()), (Some(2), 4), "what is free still answers");

    let before = skill(&mut wire, "cost-today", json!({})).await.expect("the sums");
    let status = wire.ask("daemon.status", json!({})).await.expect("a status");
    assert_eq!(status["usage"]["costUsd"], 0.012, "{status}");
    assert!(wire.exit().await.0.success());

    let mut wire = home.spawn(Framing::Lines);
    let after = skill(&mut wire, "cost-today", json!({})).await.expect("the sums");
    assert_eq!(before, after);
    let day = after["day"].as_str().expect("a day");
    let row = |model: &str, calls: u64, cost: f64| {
        json!({
            "provider": "openai-compatible", "model": model, "calls": calls, "inputTokens": 1000 * calls,
            "outputTokens": 275 * calls, "cachedTokens": 500 * calls, "costUsd": cost,
        })
    };
    let rows = [row("local", 1, 0.0), row("paid-1", 3, 0.012)];
    let expected =
        json!({"day": day, "totalUsd": 0.012, "totalTokens": 4 * 1275, "byProvider": rows, "unpricedCalls": 0});
    assert_eq!(after, expected);
    check_capped(say(&mut wire, json!({})).await);
    let cap = skill(&mut wire, "cost-cap", json!({})).await.expect("the cap");
    assert_eq!(
        (&cap["allowed"], &cap["spentUsd"], &cap["capUsd"]),
        (&json!(false), &json!(0.012), &json!(0.01)),
        "{cap}"
    );
    assert!(cap["reason"].as_str().is_some_and(|reason| reason.contains("$0.012")), "{cap}");
    assert!(cap["resetsAt"].as_str().is_some_and(|at| at.ends_with("T00:00:00Z") && !at.starts_with(day)), "{cap}");
    let range = skill(&mut wire, "cost-range", json!({"start": day, "end": day})).await.expect("the days");
    assert_eq!((&range["totalUsd"], range["rows"].as_array().map(Vec::len)), (&json!(0.012), Some(2)), "{range}");
    assert_eq!((&range["rows"][0]["day"], &range["rows"][1]["model"]), (&json!(day), &json!("paid-1")));
    assert_eq!(server.asked(), 4);
}

#[tokio::test]
async fn a_day_in_another_process_counts() {
    let server = Server::start().await;
    let home = server.home("0.01");
    let (mut first, mut second) = (home.spawn(Framing::Lines), home.spawn(Framing::Lines));
    for session in ["a", "b"] {
        say(&mut first, json!({"sessionName": session})).await.expect("an answer");
    }
    skill(&mut second, "openai-compat-chat", chat(None)).await.expect("an answer");
    // An orderly end writes down what was spent.
    for wire in [first, second] {
        assert!(wire.exit().await.0.success());
    }
    let mut third = home.spawn(Framing::Lines);
    check_capped(say(&mut third, json!({})).await);
    assert_eq!(server.asked(), 3);
}

#[tokio::test]
async fn a_call_that_the_end_cuts_off_counts() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/v1", listener.local_addr().expect("an address"));
    let home = Home::with(PRICES).set("OPENAI_COMPATIBLE_URL", &url);
    let mut wire = home.spawn(Framing::Lines);
    wire.send("skills.invoke", json!({"skill": "openai-compat-chat", "input": chat(Some("paid-1"))})).await;
    // It is asked, and never answers.
    let (_stream, _) = listener.accept().await.expect("a connection");
    wire.signal(Signal::SIGTERM);
    wire.exit().await;
    let mut wire = home.spawn(Framing::Lines);
    let today = skill(&mut wire, "cost-today", json!({})).await.expect("the sums");
    let row = &today["byProvider"][0];
    assert_eq!(
        (&row["calls"], &row["estimatedCalls"], &row["inputTokens"]),
        (&json!(1), &json!(1), &json!(2)),
        "{today}"
    );
}

#[tokio::test]
async fn a_cap_does_not_hide_what_it_cannot_see() {
    let server = Server::start().await;
    let home = server.home("5");
    let daemon = home.daemon().await;
    let mut wire = Wire::connect(&daemon, Framing::Lines);
    skill(&mut wire, "openai-compat-chat", chat(Some("of-unknown-price"))).await.expect("an answer");
    let cap = skill(&mut wire, "cost-cap", json!({})).await.expect("the cap");
    assert_eq!((&cap["allowed"], &cap["unpricedCalls"]), (&json!(true), &json!(1)), "{cap}");
    let today = skill(&mut wire, "cost-today", json!({})).await.expect("the sums");
    assert_eq!((&today["byProvider"][0]["costUsd"], &today["unpricedCalls"]), (&Value::Null, &json!(1)), "{today}");
    let health = skill(&mut wire, "admin-health-check", json!({})).await.expect("a report");
    let issues = health["issues"].as_array().expect("issues");
    let fix = "Add a [[price]] table for openai-compatible/of-unknown-price.";
    assert!(issues.iter().any(|issue| issue["severity"] == "warning" && issue["fix"] == fix), "{health}");
}

#[tokio::test]
async fn days_that_are_none_are_refused_in_a_sentence() {
    let home = Home::new();
    let daemon = home.daemon().await;
    let mut wire = Wire::connect(&daemon, Framing::Lines);
    let cases = [
        ("2026-02-29", "2026-03-01", "'start' must be a day of the calendar, written as 2026-03-31"),
        ("2026-03-01", "tomorrow", "'end' must be a day of the calendar"),
        ("2026-03-02", "2026-03-01", "'start' 2026-03-02 is after 'end' 2026-03-01"),
        ("2025-01-01", "2026-01-02", "from 2025-01-01 to 2026-01-02 are 367 days"),
    ];
    for (start, end, said) in cases {
        let error = skill(&mut wire, "cost-range", json!({"start": start, "end": end})).await.expect_err("a fault");
        assert!(error["message"].as_str().is_some_and(|message| message.contains(said)), "{error}");
    }
    let error = skill(&mut wire, "cost-range", json!({"start": "2026-01-01"})).await.expect_err("a fault");
    assert_eq!(error["data"]["code"], "E_BAD_REQUEST");
    let whole = skill(&mut wire, "cost-range", json!({"start": "2024-01-01", "end": "2024-12-31"})).await;
    assert_eq!(whole.expect("a leap year")["rows"], json!([]));
}
