//! What an issuer answers, in either dialect, and what that means.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::config::Secret;
use crate::model::ProviderError;

/// Where an issuer says nothing of it.
const INTERVAL: Duration = Duration::from_secs(5);
/// What OpenAI's page tells its user.
const LIFETIME: Duration = Duration::from_secs(15 * 60);
const LONGEST_LIFETIME: Duration = Duration::from_secs(30 * 60);

/// What a sign-in begins with.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Code {
    /// By which the issuer is asked.
    pub(super) device: String,
    /// What the user types in.
    pub(super) user: String,
    /// Where, and where without typing; none if the answer does not say.
    pub(super) page: Option<Url>,
    pub(super) whole_page: Option<Url>,
    pub(super) interval: Duration,
    pub(super) lifetime: Duration,
}

/// Tokens as they were handed out.
#[derive(Debug)]
pub struct Grant {
    pub(super) access: Secret,
    pub(super) id: Option<Secret>,
    pub(super) refresh: Option<Secret>,
    pub(super) lifetime: Option<Duration>,
}

/// What can be exchanged for tokens, once.
#[derive(Clone, Debug)]
pub(super) struct Permit {
    pub(super) code: Secret,
    pub(super) verifier: Secret,
}

/// What a question for the tokens came to.
#[derive(Debug)]
pub enum Polled {
    /// The user has not decided.
    Pending,
    SlowDown,
    Tokens(Grant),
    Denied,
    Expired,
    /// Asking again is no use.
    Refused(ProviderError),
    /// There was no answer, or none that counts.
    Unreachable(ProviderError),
}

/// What stands in the body of a success.
#[derive(Debug)]
pub(super) enum Granted {
    Tokens(Grant),
    /// OpenAI's issuer makes both halves of the proof itself, and hands them out.
    Permit(Permit),
}

/// What an answer that is no success means, as far as its word or its status tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    Pending,
    SlowDown,
    Denied,
    Expired,
    /// The refresh token holds no more.
    Ended,
    Busy,
    No,
}

#[derive(Deserialize)]
struct CodeAnswer {
    #[serde(alias = "device_code")]
    device_auth_id: String,
    #[serde(alias = "usercode")]
    user_code: String,
    #[serde(alias = "verification_url")]
    verification_uri: Option<String>,
    verification_uri_complete: Option<String>,
    interval: Option<Value>,
    expires_in: Option<Value>,
}

/// No `Debug`: it holds secrets as plain text.
#[derive(Deserialize)]
struct TokenAnswer {
    access_token: Option<String>,
    id_token: Option<String>,
    refresh_token: Option<String>,
    expires_in: Option<Value>,
    authorization_code: Option<String>,
    code_verifier: Option<String>,
}

pub(super) fn code(body: Value) -> Option<Code> {
    let answer: CodeAnswer = serde_json::from_value(body).ok()?;
    let page = |text: Option<String>| {
        let url = Url::parse(&text?).ok()?;
        matches!(url.scheme(), "http" | "https").then_some(url)
    };
    // Clients sleep for as long as they are told.
    let within = |duration: Duration| duration.max(Duration::from_secs(1)).min(LONGEST_LIFETIME);
    let lifetime = within(seconds(answer.expires_in).unwrap_or(LIFETIME));
    let interval = within(seconds(answer.interval).unwrap_or(INTERVAL));
    let is_plain = |text: &str| !text.is_empty() && text.len() <= 64 && text.chars().all(|c| !c.is_control());
    is_plain(&answer.user_code).then_some(Code {
        device: answer.device_auth_id,
        user: answer.user_code,
        page: page(answer.verification_uri),
        whole_page: page(answer.verification_uri_complete),
        interval,
        lifetime,
    })
}

pub(super) fn granted(body: &[u8]) -> Option<Granted> {
    let answer: TokenAnswer = serde_json::from_slice(body).ok()?;
    let filled = |text: Option<String>| text.filter(|text| !text.trim().is_empty()).map(Secret::new);
    if let Some(access) = filled(answer.access_token) {
        let (id, refresh) = (filled(answer.id_token), filled(answer.refresh_token));
        return Some(Granted::Tokens(Grant { access, id, refresh, lifetime: seconds(answer.expires_in) }));
    }
    let (code, verifier) = (filled(answer.authorization_code)?, filled(answer.code_verifier)?);
    Some(Granted::Permit(Permit { code, verifier }))
}

/// By the word in the body first: issuers differ in the status that goes with it.
pub(super) fn word(status: u16, body: &[u8]) -> Word {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let said = [&body["error"], &body["error"]["code"], &body["code"], &body["error"]["type"]];
    let known = |said: &Value| {
        Some(match said.as_str()? {
            "authorization_pending" => Word::Pending,
            "slow_down" => Word::SlowDown,
            "access_denied" | "authorization_declined" => Word::Denied,
            "expired_token" => Word::Expired,
            "invalid_grant"
            | "refresh_token_reused"
            | "refresh_token_expired"
            | "refresh_token_invalidated"
            | "app_session_terminated" => Word::Ended,
            _ => return None,
        })
    };
    said.into_iter().find_map(known).unwrap_or(match status {
        429 => Word::SlowDown,
        408 | 500.. => Word::Busy,
        _ => Word::No,
    })
}

/// A number, or one in quotes.
fn seconds(value: Option<Value>) -> Option<Duration> {
    let number = match value? {
        Value::String(text) => text.trim().parse().ok()?,
        other => other.as_f64()?,
    };
    Duration::try_from_secs_f64(number).ok().filter(|duration| !duration.is_zero())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::{Granted, Word, code, granted, word};

    fn bytes(value: &Value) -> Vec<u8> {
        value.to_string().into_bytes()
    }

    #[test]
    fn codes_of_both_dialects() {
        let own = json!({ "device_auth_id": "d", "user_code": "ABCD-12345", "interval": "1", "expires_at": "2026" });
        let own = code(own).expect("a code");
        assert_eq!((own.device.as_str(), own.user.as_str(), own.page), ("d", "ABCD-12345", None));
        assert_eq!((own.interval, own.lifetime), (Duration::from_secs(1), Duration::from_secs(900)));
        let other = json!({
            "device_code": "d", "user_code": "WDJB", "verification_uri": "https://a.example/device",
            "verification_uri_complete": "https://a.example/device?c=WDJB", "expires_in": 1800, "interval": 7,
        });
        let other = code(other).expect("a code");
        assert_eq!(other.page.expect("a page").as_str(), "https://a.example/device");
        assert!(other.whole_page.is_some());
        assert_eq!((other.interval, other.lifetime), (Duration::from_secs(7), Duration::from_secs(1800)));
    }

    #[test]
    fn codes_that_cannot_be_used() {
        assert_eq!(code(json!({ "user_code": "A" })), None);
        assert_eq!(code(json!({ "device_code": "d", "user_code": "A\u{1b}[2J" })), None);
        let odd = json!({ "device_code": "d", "user_code": "A", "interval": 0, "expires_in": "soon", "verification_uri": "javascript:x" });
        let odd = code(odd).expect("a code");
        assert_eq!((odd.page, odd.interval, odd.lifetime), (None, Duration::from_secs(5), Duration::from_secs(900)));
        let long = code(json!({ "device_code": "d", "user_code": "A", "interval": 1e19, "expires_in": 0.1 }));
        let long = long.expect("a code");
        assert_eq!((long.interval, long.lifetime), (Duration::from_secs(1800), Duration::from_secs(1)));
    }

    #[test]
    fn what_is_granted() {
        let tokens = json!({ "access_token": "a", "refresh_token": "r", "expires_in": 3600 });
        assert!(matches!(granted(&bytes(&tokens)), Some(Granted::Tokens(grant)) if grant.id.is_none()));
        let permit = json!({ "authorization_code": "c", "code_challenge": "x", "code_verifier": "v" });
        assert!(matches!(granted(&bytes(&permit)), Some(Granted::Permit(permit)) if permit.code.expose() == "c"));
        for other in [json!({}), json!({ "access_token": " " }), json!({ "authorization_code": "c" }), json!("x")] {
            assert!(granted(&bytes(&other)).is_none(), "{other}");
        }
    }

    #[test]
    fn refusals_are_told_by_their_word_and_else_by_their_status() {
        let check =
            |status: u16, body: Value, expected: Word| assert_eq!(word(status, &bytes(&body)), expected, "{body}");
        check(400, json!({ "error": "authorization_pending" }), Word::Pending);
        check(403, json!({ "error": { "code": "slow_down", "message": "no" } }), Word::SlowDown);
        check(400, json!({ "error": "access_denied" }), Word::Denied);
        check(400, json!({ "error": "expired_token" }), Word::Expired);
        check(
            401,
            json!({ "error": { "code": "refresh_token_reused", "type": "invalid_request_error" } }),
            Word::Ended,
        );
        check(400, json!({ "error": "invalid_grant", "error_description": "x" }), Word::Ended);
        check(400, json!({ "code": "refresh_token_expired" }), Word::Ended);
        check(429, json!({}), Word::SlowDown);
        check(503, json!("<html>"), Word::Busy);
        check(403, json!({ "error": { "code": "deviceauth_authorization_unknown" } }), Word::No);
        check(400, json!({ "error": "invalid_client" }), Word::No);
    }
}
