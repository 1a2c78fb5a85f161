//! Why a turn failed, in the words that Helm has for it.

use serde_json::Value;

use super::super::link::{Fault, FaultKind, LinkError};
use super::wire::TurnError;
use crate::model::{ErrorKind, ProviderError};

const SIGN_IN: &str = "run `codex login` where the app-server runs, or give the key of its model provider there";
const MESSAGE: usize = 2000;
/// What the server says when it takes no more requests.
const OVERLOADED: i32 = -32001;
const INTERNAL: i32 = -32603;

/// What a turn ended with.
pub fn turn_error(error: Option<&TurnError>) -> ProviderError {
    let Some(error) = error else {
        return ProviderError::new(ErrorKind::Unavailable, "Codex ended the turn without saying why");
    };
    let (name, status) = named(&error.codex_error_info);
    let kind = kind(name, status, &error.message);
    let mut text = error.message.clone();
    if let Some(details) = error.additional_details.as_deref().filter(|details| !text.contains(details)) {
        text.push_str(": ");
        text.push_str(details);
    }
    let mut failure = ProviderError::new(kind, format!("Codex: {}", bounded(&text)));
    failure.status = status;
    match (kind, name) {
        (ErrorKind::Auth, _) => failure.with_hint(SIGN_IN),
        (ErrorKind::Quota, _) => failure.with_hint("wait until the limit is reset, or use another provider or model"),
        (ErrorKind::ContextTooLong, _) => failure.with_hint("start another session, or say less at once"),
        (_, "sandboxError") => failure.with_hint("see whether the sandbox of Codex works on its machine"),
        _ => failure,
    }
}

/// The name of the fault, and the HTTP status that came with it.
fn named(info: &Value) -> (&str, Option<u16>) {
    match info {
        Value::String(name) => (name, None),
        Value::Object(object) => object.iter().next().map_or(("", None), |(name, about)| {
            let status = about.get("httpStatusCode").and_then(Value::as_u64);
            (name.as_str(), status.and_then(|status| u16::try_from(status).ok()))
        }),
        _ => ("", None),
    }
}

fn kind(name: &str, status: Option<u16>, message: &str) -> ErrorKind {
    match (name, status) {
        (_, Some(401 | 403)) | ("unauthorized", _) => ErrorKind::Auth,
        ("usageLimitExceeded" | "sessionBudgetExceeded", _) => ErrorKind::Quota,
        (_, Some(429)) | ("rateLimitExceeded", _) => ErrorKind::RateLimited,
        ("contextWindowExceeded", _) => ErrorKind::ContextTooLong,
        ("modelNotFound", _) => ErrorKind::ModelNotFound,
        ("cyberPolicy" | "misalignmentPolicyViolation" | "inferenceHookDenied", _) => ErrorKind::ContentBlocked,
        ("badRequest", _) | (_, Some(400 | 404 | 413 | 422)) => ErrorKind::InvalidRequest,
        ("sandboxError", _) => ErrorKind::Config,
        ("responseStreamDisconnected", None) => ErrorKind::Truncated,
        ("httpConnectionFailed" | "responseStreamConnectionFailed", None) => ErrorKind::Network,
        ("other", _) if message.starts_with("stream disconnected") => ErrorKind::Truncated,
        ("other", _) if message.starts_with("Incomplete response returned") => ErrorKind::Truncated,
        ("other", _) if message.starts_with("Missing environment variable") => ErrorKind::Auth,
        ("other", _) if message.trim_start().starts_with('{') => ErrorKind::InvalidRequest,
        _ => ErrorKind::Unavailable,
    }
}

/// Why a request had no result.
pub fn link_error(method: &str, error: &LinkError) -> ProviderError {
    match error {
        LinkError::Rpc(rpc) => {
            let kind = match rpc.code() {
                OVERLOADED | INTERNAL => ErrorKind::Unavailable,
                _ => ErrorKind::InvalidRequest,
            };
            let message = bounded(rpc.message());
            ProviderError::new(kind, format!("the Codex app-server refused {method}: {message}"))
        }
        LinkError::Down(fault) => fault_error(fault),
        LinkError::Lost(_) => ProviderError::new(ErrorKind::Network, error.to_string()),
        LinkError::TimedOut { .. } => ProviderError::new(ErrorKind::Timeout, error.to_string()),
        LinkError::Overloaded { .. } => ProviderError::new(ErrorKind::Unavailable, error.to_string()),
    }
}

pub fn fault_error(fault: &Fault) -> ProviderError {
    let kind = match fault.kind {
        FaultKind::NotInstalled | FaultKind::WrongVersion | FaultKind::BadConfiguration => ErrorKind::Config,
        FaultKind::HostNotAllowed => ErrorKind::HostNotAllowed,
        FaultKind::WrongToken => ErrorKind::Auth,
        FaultKind::TimedOut => ErrorKind::Timeout,
        FaultKind::Protocol => ErrorKind::Protocol,
        _ => ErrorKind::Network,
    };
    let error = ProviderError::new(kind, fault.message.clone());
    match &fault.hint {
        Some(hint) => error.with_hint(hint.clone()),
        None => error,
    }
}

/// Another session has the same thread.
pub fn at_work(thread: &str, session: &str) -> ProviderError {
    let message = format!("the thread {thread} is at work for session {session}");
    ProviderError::new(ErrorKind::Unavailable, message).with_hint("wait for the end of its turn, or interrupt it")
}

/// A turn that no longer runs, nobody knows how far it came.
pub fn died() -> ProviderError {
    let message = "the Codex app-server was started anew in the middle of the turn, which is lost";
    ProviderError::new(ErrorKind::Truncated, message).with_hint("say again what is to be done")
}

fn bounded(text: &str) -> String {
    match text.char_indices().nth(MESSAGE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(info: Value, message: &str, expected: ErrorKind) {
        let error = TurnError { message: message.into(), codex_error_info: info, additional_details: None };
        assert_eq!(turn_error(Some(&error)).kind, expected);
    }

    #[test]
    fn what_codex_says_of_a_failure_is_what_helm_would() {
        check(json!("usageLimitExceeded"), "You’ve hit your usage limit.", ErrorKind::Quota);
        check(json!({ "httpConnectionFailed": { "httpStatusCode": 401 } }), "unexpected status 401", ErrorKind::Auth);
        check(json!("unauthorized"), "refresh token was already used", ErrorKind::Auth);
        check(json!("contextWindowExceeded"), "too long", ErrorKind::ContextTooLong);
        check(json!("rateLimitExceeded"), "try again in 0.3s", ErrorKind::RateLimited);
        check(
            json!({ "responseTooManyFailedAttempts": { "httpStatusCode": 429 } }),
            "exceeded retry limit",
            ErrorKind::RateLimited,
        );
        check(json!("internalServerError"), "high demand", ErrorKind::Unavailable);
        check(json!({ "httpConnectionFailed": { "httpStatusCode": 503 } }), "unexpected", ErrorKind::Unavailable);
        check(json!({ "httpConnectionFailed": { "httpStatusCode": null } }), "refused", ErrorKind::Network);
        check(json!({ "responseStreamDisconnected": {} }), "cut", ErrorKind::Truncated);
        check(json!("other"), "stream disconnected before completion: Transport error", ErrorKind::Truncated);
        check(json!("other"), r#"{"error":{"message":"Mock bad request"}}"#, ErrorKind::InvalidRequest);
        check(json!("other"), "Missing environment variable: `GW_KEY`.", ErrorKind::Auth);
        check(json!("of a later version"), "new", ErrorKind::Unavailable);
        check(Value::Null, "nothing", ErrorKind::Unavailable);
    }

    #[test]
    fn the_status_and_the_way_out_are_kept_and_the_text_is_bounded() {
        let info = json!({ "httpConnectionFailed": { "httpStatusCode": 401 } });
        let error = TurnError { message: "x".repeat(9000), codex_error_info: info, additional_details: None };
        let error = turn_error(Some(&error));
        assert_eq!((error.status, error.retryable), (Some(401), false));
        assert!(error.hint.is_some_and(|hint| hint.contains("codex login")));
        assert!(error.message.chars().count() < MESSAGE + 20);
    }

    #[test]
    fn a_link_that_is_down_says_what_to_do() {
        let fault = Fault::new(FaultKind::NothingListening, "nothing listens at 127.0.0.1:4500").with_hint("start it");
        let error = link_error("turn/start", &LinkError::Down(fault.into()));
        assert_eq!((error.kind, error.retryable, error.hint.as_deref()), (ErrorKind::Network, true, Some("start it")));
    }
}
