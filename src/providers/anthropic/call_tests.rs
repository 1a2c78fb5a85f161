//! Whole calls, against a server that plays a script.

use futures_util::StreamExt;
use serde_json::{Value, json};
use url::Url;

use super::{Anthropic, AnthropicSettings, Credential};
use crate::config::{self, Secret};
use crate::model::{Completion, ErrorKind, Fold, Message, Provider, ProviderError, Request, Role, Stop};
use crate::providers::loopback::{Answer, Loopback, http};
use crate::providers::upstream::Upstream;

const UPSTREAM: Upstream = Upstream { name: "Vendor", key_setting: "VENDOR_KEY", url_setting: "VENDOR_URL" };
const START: &str = "data: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"content\":[]}}\n\n";
const TEXT: &str = concat!(
    "data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"Hello\"}}\n\n",
    "data: {\"type\":\"content_block_stop\",\"index\":0}\n\n",
);
const OVERLOADED: &str =
    "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n";
const END: &str = concat!(
    "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"}}\n\n",
    "data: {\"type\":\"message_stop\"}\n\n",
);

fn at(server: &Loopback, path: &str) -> Anthropic {
    let settings = AnthropicSettings {
        id: "vendor",
        upstream: UPSTREAM,
        base_url: server.url.join(path).unwrap(),
        credential: Credential::Key(Secret::new("sk-ant-oat-1")),
        default_model: Some("claude-x".to_owned()),
    };
    Anthropic::new(http(&[server], config::Http::default()), settings)
}

fn question(options: Value) -> Request {
    let options = options.as_object().cloned().unwrap();
    let messages = vec![Message::text(Role::User, "Hi")];
    Request { messages, options, stream: true, temperature: Some(0.5), ..Request::default() }
}

async fn ask(provider: &Anthropic, request: Request) -> Result<Completion, ProviderError> {
    let mut deltas = provider.stream(request).await?;
    let mut fold = Fold::default();
    while let Some(delta) = deltas.next().await {
        fold.push(&delta?);
    }
    Ok(fold.finish().0)
}

/// What came of a question to which the server has these answers, and how often it was asked.
async fn check(script: Vec<Answer>) -> (Result<Completion, ProviderError>, usize) {
    let server = Loopback::start(script).await;
    let outcome = ask(&at(&server, "/"), question(json!({}))).await;
    (outcome, server.asked().len())
}

fn hello() -> Answer {
    Answer::events(&format!("{START}{TEXT}{END}"))
}

fn refusal(status: u16, headers: &str, error: &Value) -> Answer {
    Answer::json(status, headers, &json!({ "type": "error", "error": error }).to_string())
}

#[tokio::test]
async fn quirk_05_an_overload_is_waited_out_only_before_something_was_shown() {
    let overloaded = json!({ "type": "overloaded_error", "message": "Overloaded" });
    let busy = refusal(529, "retry-after-ms: 1\r\n", &overloaded);
    let (answer, asked) = check(vec![busy, Answer::events(&format!("{START}{OVERLOADED}")), hello()]).await;
    assert_eq!((answer.unwrap().message.plain_text().as_str(), asked), ("Hello", 3));
    let (answer, asked) = check(vec![Answer::events(&format!("{START}{TEXT}{OVERLOADED}")), hello()]).await;
    let error = answer.unwrap_err();
    assert_eq!((error.kind, error.retryable, asked), (ErrorKind::Unavailable, true, 1));
    assert_eq!(error.message, "Vendor broke off with an error: Overloaded");
}

#[tokio::test]
async fn quirk_06_an_answer_without_an_end_is_no_answer() {
    let (answer, asked) = check(vec![Answer::events(&format!("{START}{TEXT}")), hello()]).await;
    assert_eq!((answer.unwrap_err().kind, asked), (ErrorKind::Truncated, 1));
}

#[tokio::test]
async fn quirk_23_a_spent_limit_is_not_asked_again() {
    let details = json!({ "error_code": "enforced_spend_limit_reached" });
    let capped = json!({ "type": "rate_limit_error", "message": "capped", "details": details });
    let own = json!({ "type": "invalid_request_error", "message": "You have reached your specified spend limit." });
    for answer in [refusal(429, "", &capped), refusal(400, "", &own)] {
        let (answer, asked) = check(vec![answer, hello()]).await;
        let error = answer.unwrap_err();
        assert_eq!((error.kind, error.retryable, asked), (ErrorKind::Quota, false, 1));
    }
}

#[tokio::test]
async fn the_server_says_whether_to_ask_again() {
    let error = json!({ "type": "api_error", "message": "no" });
    let (answer, asked) = check(vec![refusal(500, "x-should-retry: false\r\n", &error), hello()]).await;
    assert_eq!((answer.unwrap_err().status, asked), (Some(500), 1));
    let asked_for = "x-should-retry: true\r\nretry-after-ms: 1\r\n";
    let (answer, asked) = check(vec![refusal(400, asked_for, &error), hello()]).await;
    assert_eq!((answer.is_ok(), asked), (true, 2));
}

#[tokio::test]
async fn a_model_that_takes_no_temperature_is_asked_without() {
    let error = json!({ "type": "invalid_request_error", "message": "`temperature` is deprecated for this model." });
    let server = Loopback::start(vec![refusal(400, "", &error), hello()]).await;
    ask(&at(&server, "/"), question(json!({}))).await.unwrap();
    let asked = server.asked();
    assert!(asked[0].contains("\"temperature\":0.5") && !asked[1].contains("temperature"), "{asked:?}");
    let (answer, asked) = check(vec![refusal(400, "", &error)]).await;
    assert_eq!((answer.unwrap_err().kind, asked), (ErrorKind::InvalidRequest, 2));
}

#[tokio::test]
async fn limits_and_the_requests_id_are_told_with_the_answer() {
    let headers =
        "content-type: text/event-stream\r\nrequest-id: req_1\r\nanthropic-ratelimit-requests-remaining: 4\r\n";
    let (answer, _) = check(vec![Answer::whole(200, headers, &format!("{START}{TEXT}{END}"))]).await;
    let expected = json!({ "requestId": "req_1", "rateLimits": { "requests": { "remaining": 4 } } });
    assert_eq!(Value::Object(answer.unwrap().metadata), expected);
}

#[tokio::test]
async fn features_are_asked_for_in_one_header() {
    let server = Loopback::start(vec![hello()]).await;
    ask(&at(&server, "/"), question(json!({ "betas": ["a-1", "b-2"] }))).await.unwrap();
    assert!(server.asked()[0].contains("anthropic-beta: oauth-2025-04-20,a-1,b-2\r\n"), "{:?}", server.asked());
    let error = ask(&at(&server, "/"), question(json!({ "betas": ["a\r\nx-evil: 1"] }))).await.unwrap_err();
    assert_eq!((error.kind, server.asked().len()), (ErrorKind::InvalidRequest, 1));
}

#[tokio::test]
async fn tokens_are_counted_without_asking_the_model() {
    let server = Loopback::start(vec![Answer::json(200, "", r#"{"input_tokens":14}"#)]).await;
    for path in ["/", "/v1", "/v1/"] {
        let count = at(&server, path).count_tokens(question(json!({}))).await;
        assert_eq!(count.unwrap(), Some(14));
    }
    let asked = server.asked();
    assert!(asked.iter().all(|asked| asked.starts_with("POST /v1/messages/count_tokens ")), "{asked:?}");
    assert!(!asked[0].contains("max_tokens") && !asked[0].contains("\"stream\""), "{asked:?}");
    let server = Loopback::start(vec![Answer::json(200, "", "{}")]).await;
    let error = at(&server, "/").count_tokens(question(json!({}))).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Protocol);
}

#[tokio::test]
async fn its_way_is_known_to_those_who_keep_it_open() {
    let server = Loopback::start(vec![hello()]).await;
    let path = |base: &str| at(&server, base).endpoints().iter().map(Url::path).collect::<Vec<_>>().join(" ");
    assert_eq!((path("/").as_str(), path("/ai/v1").as_str()), ("/v1/messages", "/ai/v1/messages"));
}

#[tokio::test]
async fn a_refusal_says_why() {
    let whole = r#"{"id":"m","content":[],"stop_reason":"refusal","stop_details":{"explanation":"That would harm."}}"#;
    let (answer, _) = check(vec![Answer::json(200, "", whole)]).await;
    assert_eq!(answer.unwrap().stop, Stop::Refusal(Some("That would harm.".to_owned())));
}
