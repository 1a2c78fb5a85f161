//! Whether to ask again, and when.
//!
//! The decisions are functions of plain values; [`run`] is the loop around them. The caller sees to it that an attempt
//! which has already shown something of the answer is not one that fails.

#[cfg(test)]
mod tests;

use std::time::{Duration, SystemTime};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use reqwest::header::{HeaderMap, HeaderValue};
use tokio::time::Instant;

use crate::model::{ErrorKind, ProviderError};

const FIRST_DELAY: Duration = Duration::from_millis(500);
const LONGEST_DELAY: Duration = Duration::from_secs(8);
/// Somebody sits in front of the screen: a longer wait is theirs to decide on.
const LONGEST_ASKED: Duration = Duration::from_secs(60);
/// These come as 429, but stay true for hours or until somebody pays.
const EXHAUSTED: [&str; 7] = [
    "insufficient_quota",
    "usage_limit_reached",
    "usage_not_included",
    "enforced_spend_limit_reached",
    "billing_hard_limit_reached",
    "credit_balance_too_low",
    "3036",
];

/// Whether a quota is used up, as against a rate that was too high for a moment.
pub fn is_exhausted(code: &str) -> bool {
    EXHAUSTED.contains(&code)
}

/// Whether the same request may fare better soon; `hopeless` is what its body says. What the server says of that goes before what its status means.
pub fn is_transient(status: u16, hopeless: bool, headers: &HeaderMap) -> bool {
    match headers.get("x-should-retry").map(HeaderValue::as_bytes) {
        Some(b"true") => true,
        Some(b"false") => false,
        _ => !hopeless && (matches!(status, 408 | 409 | 425 | 429) || status >= 500),
    }
}

/// How long the server asks to be left alone; nothing if it does not say, or says something that is past.
pub fn asked_delay(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let number = |name: &str| text(name).and_then(|text| text.parse::<f64>().ok());
    let seconds = number("retry-after-ms").map(|ms| ms / 1000.0).or_else(|| number("retry-after"));
    let delay = match seconds {
        Some(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        None => httpdate::parse_http_date(text("retry-after")?).ok().and_then(|at| at.duration_since(now).ok()),
    };
    delay.filter(|delay| !delay.is_zero())
}

/// The retries that one call has left.
#[derive(Debug)]
pub struct Retries {
    delays: ExponentialBackoff,
}

impl Retries {
    pub fn new(max: u32) -> Self {
        let max = usize::try_from(max).unwrap_or(usize::MAX);
        let builder = ExponentialBuilder::new().with_min_delay(FIRST_DELAY).with_max_delay(LONGEST_DELAY);
        Self { delays: builder.with_max_times(max).with_jitter().build() }
    }

    /// How long to wait before the next attempt, or none if this error is to be reported. `left` is what remains of
    /// the caller's time.
    pub fn after(&mut self, error: &ProviderError, left: Option<Duration>) -> Option<Duration> {
        if !may_repeat(error) {
            return None;
        }
        let own = self.delays.next()?.min(LONGEST_DELAY);
        let delay = error.retry_after.unwrap_or(own);
        let in_time = left.is_none_or(|left| delay < left);
        (delay <= LONGEST_ASKED && in_time).then_some(delay)
    }
}

fn may_repeat(error: &ProviderError) -> bool {
    match error.kind {
        // Our own clock ran out: the patience that was configured is spent.
        ErrorKind::Timeout => error.retryable && error.status.is_some(),
        // Not the caller's to repeat, who has seen a part of it; in here nobody has.
        ErrorKind::Truncated => true,
        _ => error.retryable,
    }
}

/// Tries until it works, or until it is no use.
pub async fn run<T, F>(max: u32, deadline: Option<Instant>, mut attempt: impl FnMut() -> F) -> Result<T, ProviderError>
where
    F: Future<Output = Result<T, ProviderError>>,
{
    let mut retries = Retries::new(max);
    loop {
        let error = match attempt().await {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let Some(delay) = retries.after(&error, left) else { return Err(error) };
        tracing::info!(%error, ?delay, "asking again");
        tokio::time::sleep(delay).await;
    }
}
