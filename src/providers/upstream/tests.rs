use std::time::{Duration, SystemTime};

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::json;

use super::Upstream;
use crate::model::{ErrorKind, ProviderError};
use crate::policy::Redactor;

const WHO: Upstream = Upstream { name: "Vendor", key_setting: "VENDOR_KEY", url_setting: "VENDOR_URL" };

fn answer(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> ProviderError {
    let pair =
        |(name, value): &(&'static str, &'static str)| (HeaderName::from_static(name), HeaderValue::from_static(value));
    let headers: HeaderMap = headers.iter().map(pair).collect();
    let redactor = Redactor::new(["sk-secret-1".to_owned()]);
    WHO.error(status, &headers, body.as_bytes(), &redactor, SystemTime::UNIX_EPOCH)
}

#[track_caller]
fn check(status: u16, body: &str, kind: ErrorKind, retryable: bool, said: &str) {
    let error = answer(status, &[], body);
    assert_eq!((error.kind, error.retryable), (kind, retryable), "{error}");
    assert_eq!(error.message, format!("Vendor answered {status}: {said}"));
    assert_eq!(error.status, Some(status));
}

#[test]
fn envelopes_of_all_shapes_say_the_same() {
    let bodies = [
        r#"{"error":{"message":"no such thing","type":"x","code":400}}"#,
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"no such thing"},"request_id":"r"}"#,
        r#"{"error":"no such thing"}"#,
        r#"{"error":["no such thing"]}"#,
        r#"[{"error":{"code":400,"message":"no such thing","status":"INVALID_ARGUMENT"}}]"#,
        r#"{"errors":[{"code":7003,"message":"no such thing"}],"success":false,"result":null}"#,
        r#"{"detail":"no such thing"}"#,
        r#"{"detail":[{"loc":["body"],"msg":"no such thing"}]}"#,
        r#"{"object":"error","message":"no such thing","code":"400"}"#,
        r#"{"error":{"message":"no such thing","code":"400"}}"#,
        "no such thing",
        "\"no such thing\"",
    ];
    for body in bodies {
        check(400, body, ErrorKind::InvalidRequest, false, "no such thing");
    }
}

#[test]
fn kinds() {
    use ErrorKind::{Auth, ContextTooLong, ModelNotFound, Quota, RateLimited, Unavailable};
    check(401, r#"{"error":{"message":"invalid x-api-key"}}"#, Auth, false, "invalid x-api-key");
    check(401, "", Auth, false, "the key is missing or wrong");
    check(429, r#"{"error":{"message":"slow","code":"rate_limit_exceeded"}}"#, RateLimited, true, "slow");
    check(429, r#"{"error":{"message":"pay","code":"insufficient_quota"}}"#, Quota, false, "pay");
    let capped = r#"{"error":{"type":"rate_limit_error","message":"cap","details":{"error_code":"enforced_spend_limit_reached"}}}"#;
    check(429, capped, Quota, false, "cap");
    check(
        400,
        r#"{"error":{"message":"Your credit balance is too low"}}"#,
        Quota,
        false,
        "Your credit balance is too low",
    );
    check(
        400,
        r#"{"error":{"code":400,"message":"full","type":"exceed_context_size_error"}}"#,
        ContextTooLong,
        false,
        "full",
    );
    check(404, r#"{"error":{"message":"model x not found"}}"#, ModelNotFound, false, "model x not found");
    check(529, r#"{"error":{"type":"overloaded_error","message":"Overloaded"}}"#, Unavailable, true, "Overloaded");
    check(500, "", Unavailable, true, "it is failing or overloaded");
}

#[test]
fn pages_and_challenges_are_named() {
    let page = answer(404, &[], "\n<!DOCTYPE html><html>");
    assert_eq!(page.message, "Vendor answered 404 with a web page, not JSON");
    assert_eq!(page.hint.as_deref(), Some("is the base URL right? See VENDOR_URL"));
    assert!(answer(502, &[], "<html>").retryable);
    for challenge in [answer(403, &[("cf-mitigated", "challenge")], "<html>"), answer(403, &[], "error code: 1010")] {
        assert_eq!(challenge.kind, ErrorKind::Protocol);
        assert!(challenge.message.contains("challenge of its edge"), "{challenge}");
    }
}

#[test]
fn other_peoples_text_is_cut_and_holds_no_secret() {
    let error = answer(401, &[], r#"{"error":"bad key sk-secret-1\nline"}"#);
    assert_eq!(error.message, "Vendor answered 401: bad key *** line");
    assert_eq!(error.hint.as_deref(), Some("check VENDOR_KEY"));
    assert!(answer(500, &[], &"é".repeat(5000)).message.chars().count() < 350);
}

#[test]
fn the_time_asked_for_is_kept() {
    assert_eq!(answer(429, &[("retry-after", "86400")], "{}").retry_after, Some(Duration::from_secs(86_400)));
}

#[test]
fn errors_inside_an_answer() {
    let check = |value| WHO.broke_off(&value, &Redactor::default());
    let error = check(json!({"type": "overloaded_error", "message": "Overloaded"}));
    assert_eq!((error.kind, error.retryable), (ErrorKind::Unavailable, true));
    assert_eq!(error.message, "Vendor broke off with an error: Overloaded");
    let error = check(json!({"code": "tool_use_failed", "status_code": 400, "message": "no"}));
    assert_eq!((error.kind, error.status, error.retryable), (ErrorKind::InvalidRequest, Some(400), false));
    assert_eq!(check(json!({"code": 502, "message": "bad gateway"})).kind, ErrorKind::Unavailable);
    assert_eq!(check(json!("Context size has been exceeded")).kind, ErrorKind::ContextTooLong);
}
