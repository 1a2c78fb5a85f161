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
fn quirk_27_error_envelopes_of_all_shapes_say_the_same() {
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
        r#"{"success":false,"result":[],"messages":[],"error":[{"code":2099,"message":"no such thing"}]}"#,
        r#"{"state":"Failed","error":{"code":"bad","message":"no such thing"},"model":"m"}"#,
        r#"{"error":{"message":"no such thing","code":"tool_use_failed"}}"#,
        r#"{"message":"no such thing"}"#,
        "data: {\"error\":{\"message\":\"no such thing\"}}\n\ndata: [DONE]\n\n",
        "event: error\r\ndata: {\"message\":\"no such thing\"}\r\n\r\n",
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
fn quirk_27_a_failure_with_the_status_500_of_a_stream_that_never_began() {
    let body = "data: {\"error\":{\"message\":\"slow\",\"type\":\"None\",\"param\":\"None\",\"code\":\"429\"}}\n\n";
    check(500, body, ErrorKind::Unavailable, true, "slow");
    let octets = answer(400, &[("content-type", "application/octet-stream")], r#"{"error":{"message":"bad"}}"#);
    assert_eq!(octets.message, "Vendor answered 400: bad");
}

#[test]
fn quirk_27_the_errors_of_single_vendors() {
    use ErrorKind::{ContentBlocked, ContextTooLong, InvalidRequest, ModelNotFound, RateLimited, Unavailable};
    let azure = r#"{"error":{"message":"filtered","type":null,"param":"prompt","code":"content_filter","status":400,
        "innererror":{"code":"ResponsibleAIPolicyViolation"}}}"#;
    check(400, azure, ContentBlocked, false, "filtered");
    let groq = r#"{"error":{"message":"bad call","type":"invalid_request_error","code":"tool_use_failed","failed_generation":"<x>"}}"#;
    check(400, groq, InvalidRequest, false, "bad call");
    check(498, r#"{"error":{"message":"capacity exceeded"}}"#, Unavailable, true, "capacity exceeded");
    check(413, r#"{"error":{"message":"too large","code":"rate_limit_exceeded"}}"#, ContextTooLong, false, "too large");
    let llama =
        r#"{"error":{"code":400,"message":"full","type":"exceed_context_size_error","n_prompt_tokens":9,"n_ctx":8}}"#;
    check(400, llama, ContextTooLong, false, "full");
    let vllm = r#"{"error":{"message":"This model's maximum context length is 8","type":"BadRequestError","param":null,"code":400}}"#;
    check(400, vllm, ContextTooLong, false, "This model's maximum context length is 8");
    let mistral = r#"{"object":"error","message":{"detail":[{"type":"missing","msg":"Field required"}]},"type":"invalid_request_error"}"#;
    check(422, mistral, InvalidRequest, false, "Field required");
    let gemini = r#"[{"error":{"code":429,"message":"Resource exhausted","status":"RESOURCE_EXHAUSTED"}}]"#;
    check(429, gemini, RateLimited, true, "Resource exhausted");
    let ollama = r#"{"error":{"message":"model 'x' not found","type":"api_error","param":null,"code":null}}"#;
    check(404, ollama, ModelNotFound, false, "model 'x' not found");
    let litellm =
        r#"{"error":{"message":"Budget has been exceeded! Current cost: 1","type":"budget_exceeded","code":"400"}}"#;
    check(400, litellm, ErrorKind::Quota, false, "Budget has been exceeded! Current cost: 1");
    let openrouter =
        r#"{"error":{"message":"Provider returned error","code":429,"metadata":{"raw":"busy"}},"user_id":"u"}"#;
    check(429, openrouter, RateLimited, true, "Provider returned error");
}

#[test]
fn quirk_23_a_quota_that_is_used_up_is_not_asked_for_again() {
    let coded = |code: &str| format!(r#"{{"error":{{"message":"no","type":"{code}","code":null}}}}"#);
    for code in ["insufficient_quota", "usage_limit_reached", "enforced_spend_limit_reached"] {
        check(429, &coded(code), ErrorKind::Quota, false, "no");
    }
    let gateway = r#"{"success":false,"error":[{"code":2050,"message":"Spend limit of the gateway reached"}]}"#;
    check(429, gateway, ErrorKind::Quota, false, "Spend limit of the gateway reached");
    let gateway = r#"{"success":false,"error":[{"code":2051,"message":"Rate limited"}]}"#;
    check(429, gateway, ErrorKind::RateLimited, true, "Rate limited");
}

#[test]
fn quirk_23_a_window_that_begins_anew_says_when() {
    let body = r#"{"error":{"type":"usage_limit_reached","message":"no","plan_type":"plus","resets_at":3600}}"#;
    assert_eq!(answer(429, &[], body).retry_after, Some(Duration::from_secs(3600)));
    let body = r#"{"error":{"type":"usage_limit_reached","message":"no","resets_in_seconds":90}}"#;
    assert_eq!(answer(429, &[], body).retry_after, Some(Duration::from_secs(90)));
}

/// The gateway's envelope and the API's.
#[track_caller]
fn check_code(status: u16, code: u32, kind: ErrorKind, retryable: bool) -> ProviderError {
    let error = format!(r#"{{"code":{code},"message":"why"}}"#);
    let gateway = format!(r#"{{"success":false,"result":[],"messages":[],"error":[{error}]}}"#);
    let api = format!(r#"{{"result":null,"success":false,"errors":[{error}],"messages":[]}}"#);
    let named = format!(r#"{{"name":"AiGatewayError","error":{error}}}"#);
    // A quota that is spent for the day comes back at a time.
    let said = if matches!(code, 3036 | 4006) { "why (until Fri, 02 Jan 1970 00:00:00 GMT)" } else { "why" };
    for body in [gateway, api, named] {
        check(status, &body, kind, retryable, said);
    }
    answer(status, &[], &format!(r#"{{"errors":[{error}]}}"#))
}

#[test]
fn quirk_23_the_same_status_of_cloudflare_means_opposite_things() {
    use ErrorKind::{Auth, Config, ContentBlocked, InvalidRequest, ModelNotFound, Quota, Unavailable};
    let day_begun = check_code(429, 3036, Quota, false);
    assert_eq!(day_begun.retry_after, Some(Duration::from_secs(86_400)));
    assert_eq!(check_code(429, 4006, Quota, false).retry_after, day_begun.retry_after);
    check_code(429, 3040, Unavailable, true);
    check_code(400, 2005, Unavailable, true);
    check_code(402, 2021, Quota, false);
    check_code(400, 2001, Config, false);
    check_code(400, 2019, InvalidRequest, false);
    check_code(401, 2009, Auth, false);
    check_code(401, 10_000, Auth, false);
    for (status, code) in [(424, 2016), (424, 2017), (422, 2017)] {
        assert!(check_code(status, code, ContentBlocked, false).hint.unwrap().contains("guardrails"));
    }
    check_code(404, 7003, ModelNotFound, false);
    check_code(400, 7003, InvalidRequest, false);
    check_code(500, 7009, Unavailable, true);
    check_code(503, 7013, Unavailable, true);
}

#[test]
fn the_codes_of_workers_ai() {
    use ErrorKind::{Auth, ContextTooLong, InvalidRequest, ModelNotFound, Quota, Timeout};
    check_code(408, 3007, Timeout, true);
    check_code(408, 3008, Timeout, true);
    check_code(413, 3006, ContextTooLong, false);
    check_code(400, 5007, ModelNotFound, false);
    check_code(404, 3042, ModelNotFound, false);
    check_code(400, 5004, InvalidRequest, false);
    for code in [5018, 5016, 3023, 3041] {
        assert!(check_code(403, code, Auth, false).hint.is_some());
    }
    check_code(403, 5035, Quota, false);
    // It comes without a code, too.
    let spent = r#"{"error":{"message":"you have used up your daily free allocation of 10,000 neurons","type":null}}"#;
    check(429, spent, Quota, false, "you have used up your daily free allocation of 10,000 neurons");
}

#[test]
fn the_free_quota_lasts_until_midnight() {
    let body = r#"{"success":false,"errors":[{"code":3036,"message":"4006"}]}"#;
    let evening = SystemTime::UNIX_EPOCH + Duration::from_secs(20_000 * 86_400 + 23 * 3600);
    let error = WHO.error(429, &HeaderMap::new(), body.as_bytes(), &Redactor::default(), evening);
    assert_eq!((error.retryable, error.retry_after), (false, Some(Duration::from_secs(3600))));
}

#[test]
fn a_provider_that_failed_behind_the_run_path() {
    let failed = json!({"state": "Failed", "error": {"code": "provider_unavailable", "message": "gone"}});
    let error = WHO.broke_off(&failed, &Redactor::default(), SystemTime::UNIX_EPOCH);
    assert_eq!((error.kind, error.retryable), (ErrorKind::Unavailable, true));
}

#[test]
fn quirk_24_web_pages_and_challenges_are_named() {
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
fn quirk_24_a_success_that_is_no_answer_is_quoted_and_holds_no_secret() {
    let redactor = Redactor::new(["sk-secret-1".to_owned()]);
    let page = WHO.misunderstood("\u{FEFF}\n<html>Sign in</html>", &redactor);
    assert_eq!(page.message, "Vendor answered with a web page, not JSON");
    assert_eq!(WHO.misunderstood(" ", &redactor).message, "Vendor answered with nothing at all");
    let long = WHO.misunderstood(&format!("hello sk-secret-1 {}", "x".repeat(999)), &redactor);
    assert!(long.message.contains("something else than agreed: hello *** xxx"), "{long}");
    assert!(long.message.chars().count() < 360);
    assert!([page, long].iter().all(|error| error.kind == ErrorKind::Protocol && !error.retryable));
}

#[test]
fn quirk_22_the_wait_is_read_from_the_words_when_no_header_says_it() {
    let body =
        r#"{"error":{"message":"Rate limit reached. Please try again in 1.2s. Visit","code":"rate_limit_exceeded"}}"#;
    assert_eq!(answer(429, &[], body).retry_after, Some(Duration::from_millis(1200)));
    assert_eq!(answer(429, &[("retry-after", "7")], body).retry_after, Some(Duration::from_secs(7)));
}

#[test]
fn quirk_22_a_long_wait_is_told_and_not_shortened() {
    assert_eq!(answer(429, &[("retry-after", "86400")], "{}").retry_after, Some(Duration::from_secs(86_400)));
}

#[test]
fn errors_inside_an_answer() {
    let check = |value| WHO.broke_off(&value, &Redactor::default(), SystemTime::UNIX_EPOCH);
    let error = check(json!({"type": "overloaded_error", "message": "Overloaded"}));
    assert_eq!((error.kind, error.retryable), (ErrorKind::Unavailable, true));
    assert_eq!(error.message, "Vendor broke off with an error: Overloaded");
    let error = check(json!({"code": "tool_use_failed", "status_code": 400, "message": "no"}));
    assert_eq!((error.kind, error.status, error.retryable), (ErrorKind::InvalidRequest, Some(400), false));
    assert_eq!(check(json!({"code": 502, "message": "bad gateway"})).kind, ErrorKind::Unavailable);
    let error = check(json!({"code": "usage_limit_reached", "message": "no more", "resets_at": 3600}));
    assert_eq!(error.message, "Vendor broke off with an error: no more (until Thu, 01 Jan 1970 01:00:00 GMT)");
    assert_eq!(check(json!("Context size has been exceeded")).kind, ErrorKind::ContextTooLong);
}
