//! Who answers, and what its error answers mean: every shape of error body that vendors and the boxes between us and
//! them are known to send, made into one [`ProviderError`] that a person can act on.

mod classify;
mod cloudflare;
mod envelope;
mod resets;
#[cfg(test)]
mod tests;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::header::HeaderMap;
use serde_json::Value;

use super::http::{Http, HttpRequest, Response};
use super::retry;
use crate::model::{ErrorKind, ProviderError};
use crate::policy::Redactor;
use classify::{Again, Verdict};
use envelope::Envelope;

/// An error body is read no further.
const MAX_ERROR_BODY: usize = 64 * 1024;
/// Lists of models are the longest of these, and some vendors have thousands.
const MAX_JSON_BODY: usize = 16 * 1024 * 1024;
/// Characters of somebody else's text that stand in a sentence of ours.
const MAX_QUOTE: usize = 300;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A vendor as the user knows it.
#[derive(Clone, Copy, Debug)]
pub struct Upstream {
    pub name: &'static str,
    pub key_setting: &'static str,
    pub url_setting: &'static str,
}

impl Upstream {
    pub fn error(
        &self,
        status: u16,
        headers: &HeaderMap,
        body: &[u8],
        redactor: &Redactor,
        now: SystemTime,
    ) -> ProviderError {
        let text = String::from_utf8_lossy(body);
        if headers.contains_key("cf-mitigated") || is_page(&text) || text.trim_start().starts_with("error code: 1") {
            return self.blocked(status, headers, &text, now);
        }
        let envelope = Envelope::read(&text);
        let verdict = classify::verdict(status, &envelope);
        let said = match envelope.message.as_deref().map(str::trim) {
            Some(message) if !message.is_empty() => redacted(message, redactor),
            _ => classify::meaning(status).to_owned(),
        };
        let by_body = match verdict.again {
            Again::ByStatus => None,
            again => Some(again == Again::Yes),
        };
        let asked = || retry::asked_delay(headers, now).or_else(|| retry::delay_in_words(&said));
        let error = ProviderError::new(verdict.kind, format!("{} answered {status}: {said}", self.name))
            .with_status(status)
            .retryable(retry::is_transient(status, by_body, headers))
            .with_retry_after(wait(verdict, &envelope, now).or_else(asked));
        resets::told(self.hinted(error, verdict.hint), now)
    }

    /// For an error that arrives inside an answer which began as a success.
    pub fn broke_off(&self, error: &Value, redactor: &Redactor, now: SystemTime) -> ProviderError {
        let envelope = Envelope::from_value(error);
        let status = envelope.status();
        let verdict = classify::verdict(status.unwrap_or(0), &envelope);
        let said = envelope.message.as_deref().unwrap_or("no reason was given");
        let message = format!("{} broke off with an error: {}", self.name, redacted(said, redactor));
        let asked = wait(verdict, &envelope, now).or_else(|| retry::delay_in_words(said));
        let mut error = ProviderError::new(verdict.kind, message).with_retry_after(asked);
        error.status = status;
        match envelope.resets_at.or(envelope.resets_in) {
            Some(_) => resets::told(self.hinted(error, verdict.hint), now),
            None => self.hinted(error, verdict.hint),
        }
    }

    /// For an answer that says success and is not what the protocol says.
    pub fn misunderstood(&self, body: &str, redactor: &Redactor) -> ProviderError {
        let said = body.trim();
        if said.is_empty() {
            let message = format!("{} answered with nothing at all", self.name);
            return ProviderError::new(ErrorKind::Protocol, message).with_hint(self.url_hint());
        }
        if is_page(said) {
            let message = format!("{} answered with a web page, not JSON", self.name);
            return ProviderError::new(ErrorKind::Protocol, message).with_hint(self.url_hint());
        }
        let message = format!("{} answered with something else than agreed: {}", self.name, redacted(said, redactor));
        ProviderError::new(ErrorKind::Protocol, message)
    }

    /// Something in front of the vendor answered in its place.
    fn blocked(&self, status: u16, headers: &HeaderMap, text: &str, now: SystemTime) -> ProviderError {
        let challenged = headers.contains_key("cf-mitigated") || (status == 403 && !text.trim_start().starts_with('<'));
        let (what, hint) = match challenged {
            true => {
                ("a challenge of its edge, which keeps programs out", "the network you are on may be blocked".into())
            }
            false => ("a web page, not JSON", self.url_hint()),
        };
        let message = format!("{} answered {status} with {what}", self.name);
        let passes = status >= 500 && retry::is_transient(status, None, headers);
        let kind = if passes { ErrorKind::Unavailable } else { ErrorKind::Protocol };
        let asked = retry::asked_delay(headers, now);
        ProviderError::new(kind, message).with_status(status).retryable(passes).with_retry_after(asked).with_hint(hint)
    }

    fn hinted(&self, error: ProviderError, known: Option<&str>) -> ProviderError {
        if let Some(hint) = known {
            return error.with_hint(hint);
        }
        let hint = match error.kind {
            ErrorKind::Auth => format!("check {}", self.key_setting),
            ErrorKind::Quota => format!("check the plan and the credit of the account behind {}", self.key_setting),
            ErrorKind::ModelNotFound => "`providers.models` lists the models there are".to_owned(),
            ErrorKind::ContextTooLong => "compact the session, or take a model with a larger context".to_owned(),
            ErrorKind::InvalidRequest if error.status == Some(404) => self.url_hint(),
            _ => return error,
        };
        error.with_hint(hint)
    }

    fn url_hint(&self) -> String {
        format!("is the base URL right? See {}", self.url_setting)
    }
}

/// An upstream and what must not be quoted of it.
#[derive(Clone)]
pub struct Source {
    pub upstream: Upstream,
    pub redactor: Redactor,
}

impl Source {
    /// For an answer whose status is not a success.
    pub async fn refused(&self, response: Response) -> ProviderError {
        let (status, headers) = (response.status, response.headers.clone());
        let body = response.prefix(MAX_ERROR_BODY).await;
        self.upstream.error(status, &headers, &body, &self.redactor, SystemTime::now())
    }

    pub fn broke_off(&self, error: &Value) -> ProviderError {
        self.upstream.broke_off(error, &self.redactor, SystemTime::now())
    }

    pub fn misunderstood(&self, body: &str) -> ProviderError {
        self.upstream.misunderstood(body, &self.redactor)
    }

    /// For an answer that ended before it said that it ends.
    pub fn truncated(&self) -> ProviderError {
        let name = self.upstream.name;
        ProviderError::new(ErrorKind::Truncated, format!("the answer of {name} ended in the middle"))
    }

    /// Asks for JSON, and asks again while that may help.
    pub async fn ask(&self, http: &Http, request: &HttpRequest) -> Result<Value, ProviderError> {
        let attempt = async || self.json(http.send(request.clone()).await?).await;
        retry::run(http.settings().max_retries, request.deadline, attempt).await
    }

    /// The body of a successful answer that is JSON.
    async fn json(&self, response: Response) -> Result<Value, ProviderError> {
        if !response.is_success() {
            return Err(self.refused(response).await);
        }
        let body = response.bytes(MAX_JSON_BODY).await?;
        let text = String::from_utf8_lossy(&body);
        serde_json::from_str(&text).map_err(|_| self.misunderstood(&text))
    }
}

/// What the body says of when to come back.
fn wait(verdict: Verdict, envelope: &Envelope, now: SystemTime) -> Option<Duration> {
    let since_epoch = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    match verdict.again {
        Again::Tomorrow => Some(DAY - Duration::from_secs(since_epoch.as_secs() % DAY.as_secs())),
        _ => envelope.resets_in.or_else(|| envelope.resets_at?.checked_sub(since_epoch)),
    }
}

fn is_page(text: &str) -> bool {
    text.trim_start_matches('\u{FEFF}').trim_start().starts_with('<')
}

/// One line, free of secrets, and short.
fn redacted(text: &str, redactor: &Redactor) -> String {
    let text = redactor.redact(text);
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MAX_QUOTE) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
