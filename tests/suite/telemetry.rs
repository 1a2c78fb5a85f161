//! What a collector is sent, and what a turn does where there is none to be reached.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::program::{Home, PROGRAM, Run};
use crate::server::{Answer, Server};
use crate::serving::{stream, whole};

const TOKEN: &str = "quince-7b1f";

async fn ask(home: &Home, env: &[(&str, &str)], args: &[&str]) -> Run {
    let mut command = tokio::process::Command::from(home.command(PROGRAM));
    command.envs(env.iter().copied()).arg("ask").args(args);
    home.ended(command.output().await.expect("it starts"))
}

/// The spans by their names, with their attributes as an object.
fn spans(asked: &[String]) -> BTreeMap<String, Value> {
    let body = |request: &String| {
        let (_, body) = request.split_once("\r\n\r\n").expect("a body");
        serde_json::from_str::<Value>(body).unwrap_or_else(|error| panic!("{error}: {body}"))
    };
    let mut spans = BTreeMap::new();
    for document in asked.iter().map(body) {
        for resource in document["resourceSpans"].as_array().expect("resources") {
            assert_eq!(attributes(&resource["resource"])["service.name"], "my-daemon");
            for span in resource["scopeSpans"]
                .as_array()
                .expect("scopes")
                .iter()
                .flat_map(|scope| scope["spans"].as_array().expect("spans").clone())
            {
                let mut span = span;
                span["attributes"] = attributes(&span);
                spans.insert(span["name"].as_str().expect("a name").to_owned(), span);
            }
        }
    }
    spans
}

fn attributes(holder: &Value) -> Value {
    let attributes = holder["attributes"].as_array().cloned().unwrap_or_default();
    let value = |attribute: &Value| {
        let (kind, value) = attribute["value"].as_object()?.iter().next()?;
        // JSON of the protocol has whole numbers of 64 bits as texts.
        Some(if kind == "intValue" && value.is_string() {
            value.as_str()?.parse().ok().map(Value::Number)?
        } else {
            value.clone()
        })
    };
    let pairs = attributes.iter().filter_map(|one| Some((one["key"].as_str()?.to_owned(), value(one)?)));
    Value::Object(pairs.collect())
}

#[tokio::test]
async fn a_turn_its_calls_and_its_skills_are_one_trace_without_what_was_said() {
    let collector = Server::start(vec![Answer::of(whole("200 OK", "content-type: application/json\r\n", "{}"))]).await;
    let home = Home::new();
    let headers = format!("authorization=Bearer%20{TOKEN},x-tenant=me");
    let env = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url.as_str()),
        ("OTEL_EXPORTER_OTLP_HEADERS", &headers),
        ("OTEL_SERVICE_NAME", "my-daemon"),
    ];
    let run = ask(&home, &env, &["check runtime health"]).await;
    assert_eq!(run.code, 0, "{}", run.stderr);
    let asked = collector.asked();
    let head = asked.first().expect("a request").to_ascii_lowercase();
    assert!(head.starts_with("post /v1/traces http/1.1"), "{head}");
    assert!(head.contains(&format!("authorization: bearer {TOKEN}")) && head.contains("x-tenant: me"), "{head}");
    let spans = spans(&asked);
    let turn = &spans["invoke_agent helm"];
    let tool = &spans["execute_tool admin-health-check"];
    let call = spans.iter().find_map(|(name, span)| name.starts_with("chat").then_some(span)).expect("a call");
    for span in [tool, call] {
        assert_eq!((&span["traceId"], &span["parentSpanId"]), (&turn["traceId"], &turn["spanId"]));
    }
    assert_eq!(turn["traceId"].as_str().map(str::len), Some(32), "{turn}");
    assert_eq!(turn["attributes"]["gen_ai.conversation.id"], "conductor:default");
    assert_eq!(tool["attributes"]["gen_ai.operation.name"], "execute_tool");
    assert_eq!(call["attributes"]["gen_ai.provider.name"], "offline");
    let sent = asked.concat();
    assert!(!sent.contains("check runtime health") && !sent.contains("healthy"), "{sent}");
    let log = std::fs::read_to_string(home.state_dir().join("open-think.log")).expect("a log");
    assert!(!log.contains(TOKEN) && !log.contains("gen_ai"), "{log}");
}

#[tokio::test]
async fn a_call_tells_who_was_asked_and_what_it_took() {
    let json = "content-type: application/json\r\n";
    let collector = Server::start(vec![Answer::of(whole("200 OK", json, "{}"))]).await;
    let delta = json!({
        "id": "1", "model": "m-1", "choices": [{"index": 0, "delta": {"content": "Hello"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
    });
    let good = Answer::of(stream(&format!("data: {delta}\n\ndata: [DONE]\n\n")));
    let bad = Answer::of(whole("401 Unauthorized", json, r#"{"error":{"message":"quince"}}"#));
    for (answer, code) in [(good, 0), (bad, 1)] {
        let upstream = Server::start(vec![answer]).await;
        let env = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url.as_str()),
            ("OTEL_SERVICE_NAME", "my-daemon"),
            ("OPENAI_COMPATIBLE_URL", &upstream.url),
            ("OPENAI_COMPATIBLE_DEFAULT_MODEL", "m"),
        ];
        let run = ask(&Home::new(), &env, &["hello"]).await;
        assert_eq!(run.code, code, "{}", run.stderr);
        let spans = spans(&collector.asked());
        let (turn, call) = (&spans["invoke_agent helm"], &spans["chat m"]);
        assert_eq!(call["kind"], 3, "a client's: {call}");
        let about = &call["attributes"];
        assert_eq!(
            (&about["gen_ai.provider.name"], &about["gen_ai.request.model"]),
            (&json!("openai-compatible"), &json!("m"))
        );
        if code == 0 {
            assert_eq!(about["gen_ai.response.model"], "m-1");
            assert_eq!(
                (&about["gen_ai.usage.input_tokens"], &about["gen_ai.usage.output_tokens"]),
                (&json!(7), &json!(3))
            );
            assert_eq!(turn["attributes"]["gen_ai.usage.output_tokens"], 3);
        } else {
            assert_eq!((&about["error.type"], &about["http.response.status_code"]), (&json!("Auth"), &json!(401)));
            assert_eq!((&call["status"]["code"], &turn["attributes"]["error.type"]), (&json!(2), &json!("Auth")));
        }
    }
    assert!(!collector.asked().concat().contains("quince"));
}

#[tokio::test]
async fn a_collector_that_may_not_or_cannot_be_reached_stops_nothing() {
    let collector = Server::start(vec![Answer::of(whole("200 OK", "", "{}"))]).await;
    let refused = [("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url.as_str()), ("ALLOWED_HOSTS", "example.org")];
    let dead = [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")];
    for env in [&refused[..], &dead] {
        let run = ask(&Home::new(), env, &["check runtime health"]).await;
        assert_eq!(run.code, 0, "{}", run.stderr);
    }
    assert_eq!(collector.asked(), [""; 0]);
}
