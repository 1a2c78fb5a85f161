//! From a status, codes and words to what the caller branches on.

use super::cloudflare;
use super::envelope::Envelope;
use crate::model::ErrorKind;
use crate::providers::retry;

/// What an error answer means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Verdict {
    pub(super) kind: ErrorKind,
    pub(super) again: Again,
    /// Better advice than what the kind alone allows.
    pub(super) hint: Option<&'static str>,
}

/// Whether the same request may fare better soon.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Again {
    /// The status tells.
    ByStatus,
    Yes,
    Never,
    /// Not before 00:00 UTC.
    Tomorrow,
}

/// Codes and types that say more than the status they come with.
const BY_CODE: [(&str, ErrorKind); 25] = [
    ("authentication_error", ErrorKind::Auth),
    ("invalid_api_key", ErrorKind::Auth),
    ("permission_error", ErrorKind::Auth),
    ("billing_error", ErrorKind::Quota),
    ("rate_limit_error", ErrorKind::RateLimited),
    ("rate_limit_exceeded", ErrorKind::RateLimited),
    ("overloaded_error", ErrorKind::Unavailable),
    ("api_error", ErrorKind::Unavailable),
    ("server_error", ErrorKind::Unavailable),
    ("provider_unavailable", ErrorKind::Unavailable),
    ("server_is_overloaded", ErrorKind::Unavailable),
    ("slow_down", ErrorKind::Unavailable),
    ("timeout_error", ErrorKind::Timeout),
    ("context_length_exceeded", ErrorKind::ContextTooLong),
    ("exceed_context_size_error", ErrorKind::ContextTooLong),
    ("request_too_large", ErrorKind::ContextTooLong),
    ("model_not_found", ErrorKind::ModelNotFound),
    ("model_decommissioned", ErrorKind::ModelNotFound),
    ("content_filter", ErrorKind::ContentBlocked),
    ("content_policy_violation", ErrorKind::ContentBlocked),
    ("cyber_policy", ErrorKind::ContentBlocked),
    ("invalid_request_error", ErrorKind::InvalidRequest),
    ("invalid_prompt", ErrorKind::InvalidRequest),
    ("tool_use_failed", ErrorKind::InvalidRequest),
    ("BadRequestError", ErrorKind::InvalidRequest),
];

/// Words of a 4xx that come without a code of their own.
const BY_WORDS: [(&str, ErrorKind); 11] = [
    ("prompt is too long", ErrorKind::ContextTooLong),
    ("maximum context length", ErrorKind::ContextTooLong),
    ("context window", ErrorKind::ContextTooLong),
    ("context size", ErrorKind::ContextTooLong),
    ("credit balance is too low", ErrorKind::Quota),
    ("spend limit", ErrorKind::Quota),
    ("usage limit", ErrorKind::Quota),
    ("budget has been exceeded", ErrorKind::Quota),
    ("exceeded your current quota", ErrorKind::Quota),
    ("daily free allocation", ErrorKind::Quota),
    ("provider credentials", ErrorKind::Auth),
];

/// Words that tell a 429 about money from one about haste.
const ABOUT_MONEY: [&str; 3] = ["spend", "budget", "billing limit"];

/// A status of 0 stands for none.
pub(super) fn verdict(status: u16, envelope: &Envelope) -> Verdict {
    if let Some(verdict) = cloudflare::verdict(status, &envelope.codes) {
        return verdict;
    }
    let kind = kind(status, envelope);
    let hopeless = matches!(kind, ErrorKind::Quota | ErrorKind::ContextTooLong | ErrorKind::ContentBlocked);
    Verdict { kind, again: if hopeless { Again::Never } else { Again::ByStatus }, hint: None }
}

fn kind(status: u16, envelope: &Envelope) -> ErrorKind {
    if envelope.codes.iter().any(|code| retry::is_exhausted(code)) {
        return ErrorKind::Quota;
    }
    let message = envelope.message.as_deref().unwrap_or_default().to_ascii_lowercase();
    let by_words = BY_WORDS.iter().find(|(words, _)| message.contains(words)).map(|(_, kind)| *kind);
    let about_money = || ABOUT_MONEY.iter().any(|words| message.contains(words)).then_some(ErrorKind::Quota);
    // Some servers take a conversation that does not fit for a fault of their own.
    let known_words = by_words.filter(|kind| status < 500 || *kind == ErrorKind::ContextTooLong);
    let by_status = match status {
        401 | 403 => Some(ErrorKind::Auth),
        402 => Some(ErrorKind::Quota),
        404 if message.contains("model") => Some(ErrorKind::ModelNotFound),
        413 => Some(ErrorKind::ContextTooLong),
        429 => Some(by_words.or_else(about_money).unwrap_or(ErrorKind::RateLimited)),
        _ => known_words,
    };
    let codes = envelope.codes.iter().rev();
    let by_code = || codes.flat_map(|code| BY_CODE.iter().filter(move |(known, _)| known == code)).next();
    by_status.or_else(|| by_code().map(|(_, kind)| *kind)).unwrap_or(match status {
        408 | 504 | 524 => ErrorKind::Timeout,
        0 | 409 | 425 | 498 | 500.. => ErrorKind::Unavailable,
        _ => ErrorKind::InvalidRequest,
    })
}

/// For an answer that says nothing but its status.
pub(super) fn meaning(status: u16) -> &'static str {
    match status {
        401 => "the key is missing or wrong",
        403 => "the key does not allow this",
        404 => "there is no such thing at this address",
        408 | 504 | 524 => "it took too long upstream",
        413 => "the request is too large",
        429 => "too many requests",
        498 | 500.. => "it is failing or overloaded",
        _ => "no reason was given",
    }
}
