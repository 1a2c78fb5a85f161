//! Bugs that others had in this place, under their numbers.

use std::time::Duration;

use serde_json::json;

use super::{ANSWER, asking, gateway};
use crate::config;
use crate::model::{ErrorKind, Provider, ProviderError, Request};
use crate::providers::gateway::{Gateway, GatewaySettings};
use crate::providers::loopback::{Answer, Loopback, http};

async fn refused(answer: Answer, request: Request) -> ProviderError {
    let server = Loopback::start(vec![answer]).await;
    gateway(&server, &server, |_| ()).stream(request).await.err().expect("an error")
}

#[tokio::test]
async fn quirk_05_an_error_inside_a_success_is_an_error() {
    let said = "the vendor is out of order";
    let bodies = [
        format!(r#"{{"result":null,"success":false,"errors":[{{"code":9999,"message":"{said}"}}],"messages":[]}}"#),
        format!(r#"{{"success":false,"result":[],"messages":[],"error":[{{"code":9999,"message":"{said}"}}]}}"#),
        format!(r#"{{"error":{{"message":"{said}"}}}}"#),
    ];
    for body in bodies {
        for model in ["openai/m", "anthropic/m", "alibaba/m", "mistral/m", "openrouter/a/m"] {
            let whole = refused(Answer::json(200, "", &body), asking(model, json!({}))).await;
            assert!(whole.message.ends_with(said), "{model} {body}: {whole}");
            let request = Request { stream: true, ..asking(model, json!({})) };
            let event = refused(Answer::events(&format!("data: {body}\n\n")), request).await;
            assert!(event.message.ends_with(said), "{model} {body}: {event}");
        }
    }
}

#[tokio::test]
async fn quirk_27_every_envelope_of_an_error_is_understood_at_every_door() {
    let bodies = [
        r#"{"success":false,"result":[],"messages":[],"error":[{"code":9999,"message":"no"}],"name":"AiGatewayError"}"#,
        r#"{"result":null,"success":false,"errors":[{"code":9999,"message":"no"}],"messages":[]}"#,
        r#"{"state":"Failed","error":{"code":"unheard_of","message":"no"},"model":"m"}"#,
        r#"{"error":{"message":"no","type":"invalid_request_error"}}"#,
        r#"[{"error":{"code":400,"message":"no","status":"INVALID_ARGUMENT"}}]"#,
        r#"{"error":"no"}"#,
        r#"{"errors":[{"message":"no"}]}"#,
        r#"{"detail":"no"}"#,
    ];
    for body in bodies {
        for model in ["openai/m", "anthropic/m", "alibaba/m", "mistral/m", "openrouter/a/m"] {
            let error = refused(Answer::json(400, "", body), asking(model, json!({}))).await;
            assert!(error.message.ends_with(" answered 400: no"), "{model} {body}: {error}");
            assert_eq!((error.kind, error.retryable), (ErrorKind::InvalidRequest, false), "{model} {body}");
        }
    }
}

fn envelope(code: u32, message: &str) -> String {
    format!(r#"{{"success":false,"result":[],"messages":[],"error":[{{"code":{code},"message":"{message}"}}]}}"#)
}

#[tokio::test]
async fn quirk_23_a_400_with_code_2005_is_asked_again_and_a_402_with_2021_never() {
    let asked = async |status: u16, code: u32| {
        let refusal = Answer::json(status, "retry-after-ms: 1\r\n", &envelope(code, "no"));
        let server = Loopback::start(vec![refusal, Answer::json(200, "", ANSWER)]).await;
        let settings = GatewaySettings { base_url: server.url.clone(), api_token: None, ..super::settings() };
        let settings_of_http = config::Http { max_retries: 1, ..config::Http::default() };
        let gateway = Gateway::new(http(&[&server], settings_of_http), settings);
        (gateway.stream(asking("openai/m", json!({}))).await.is_ok(), server.asked().len())
    };
    assert_eq!(asked(400, 2005).await, (true, 2));
    assert_eq!(asked(503, 7013).await, (true, 2));
    for (status, code) in [(402, 2021), (400, 2001), (400, 2019), (401, 2009), (424, 2016), (422, 2017)] {
        assert_eq!(asked(status, code).await, (false, 1), "{status} {code}");
    }
}

#[tokio::test]
async fn quirk_23_a_spend_limit_is_not_asked_again() {
    let limit = Answer::json(429, "", &envelope(9999, "Spend limit reached for this gateway"));
    let error = refused(limit, asking("openai/m", json!({}))).await;
    assert_eq!((error.kind, error.retryable), (ErrorKind::Quota, false));
    let rate = Answer::json(429, "retry-after: 2\r\n", &envelope(9999, "Rate limited"));
    let error = refused(rate, asking("openai/m", json!({}))).await;
    let expected = (ErrorKind::RateLimited, true, Some(Duration::from_secs(2)));
    assert_eq!((error.kind, error.retryable, error.retry_after), expected);
}

#[tokio::test]
async fn codes_decide_what_kind_of_failure_it_is_and_whether_the_second_path_is_tried() {
    let check = async |status: u16, code: u32, kind: ErrorKind, follows: bool| {
        let api = Loopback::start(vec![Answer::json(status, "", &envelope(code, "no"))]).await;
        let behind = Loopback::start(vec![Answer::json(status, "", &envelope(code, "no"))]).await;
        let error = gateway(&api, &behind, |_| ()).stream(asking("openai/m", json!({}))).await.err().unwrap();
        assert_eq!((error.kind, behind.asked().len()), (kind, usize::from(follows)), "{status} {code}");
    };
    check(400, 2001, ErrorKind::Config, false).await;
    check(400, 2005, ErrorKind::Unavailable, false).await;
    check(400, 2019, ErrorKind::InvalidRequest, false).await;
    check(401, 2009, ErrorKind::Auth, true).await;
    check(401, 10000, ErrorKind::Auth, true).await;
    check(402, 2021, ErrorKind::Quota, true).await;
    check(404, 7003, ErrorKind::ModelNotFound, true).await;
    check(424, 2016, ErrorKind::ContentBlocked, false).await;
    check(422, 2017, ErrorKind::ContentBlocked, false).await;
    check(503, 7013, ErrorKind::Unavailable, true).await;
}
