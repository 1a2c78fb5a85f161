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
const EXHAUSTED: [&str; 6] = [
    "insufficient_quota",
    "usage_limit_reached",
    "usage_not_included",
    "enforced_spend_limit_reached",
    "billing_hard_limit_reached",
    "credit_balance_too_low",
];

/// Whether a quota is used up, as against a rate that was too high for a moment.
pub fn is_exhausted(code: &str) -> bool {
    EXHAUSTED.contains(&code)
}

/// Whether the same request may fare better soon. What the server says of that goes before what its body means, if
/// that is known, and both before what its status means.
pub fn is_transient(status: u16, by_body: Option<bool>, headers: &HeaderMap) -> bool {
    match headers.get("x-should-retry").map(HeaderValue::as_bytes) {
        Some(b"true") => true,
        Some(b"false") => false,
        _ => by_body.unwrap_or(matches!(status, 408 | 409 | 425 | 429 | 498) || status >= 500),
    }
}

/// How long the server asks to be left alone; nothing if it does not say, or says something that is past. Dates are
/// read by the server's own clock, if it shows it: ours may be off.
pub fn asked_delay(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let number = |name: &str| text(name).and_then(|text| text.parse::<f64>().ok());
    let seconds = number("retry-after-ms").map(|ms| ms / 1000.0).or_else(|| number("retry-after"));
    let delay = match seconds {
        Some(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        None => {
            let date = |name: &str| text(name).and_then(|text| httpdate::parse_http_date(text).ok());
            date("retry-after").and_then(|at| at.duration_since(date("date").unwrap_or(now)).ok())
        }
    };
    delay.filter(|delay| !delay.is_zero())
}

/// The same, from a sentence such as "Please try again in 1m26.4s", where the headers say nothing.
pub fn delay_in_words(message: &str) -> Option<Duration> {
    const WORDS: [&str; 3] = ["try again in ", "retry in ", "retry after "];
    let message = message.to_ascii_lowercase();
    let mut rest = WORDS.iter().find_map(|words| Some(message.split_once(words)?.1))?;
    let mut delay = Duration::ZERO;
    while let Some((part, left)) = first_span(rest) {
        delay = delay.checked_add(part)?;
        rest = left;
    }
    (!delay.is_zero()).then_some(delay)
}

/// A number with its unit, and what follows.
fn first_span(text: &str) -> Option<(Duration, &str)> {
    let end = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
    let (number, rest) = text.split_at(end);
    let rest = rest.trim_start();
    let unit = &rest[..rest.find(|letter: char| !letter.is_ascii_alphabetic()).unwrap_or(rest.len())];
    let seconds = match unit {
        "ms" | "millisecond" | "milliseconds" => 0.001,
        "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
        "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
        "h" | "hour" | "hours" => 3600.0,
        "d" | "day" | "days" => 86_400.0,
        _ => return None,
    };
    let delay = Duration::try_from_secs_f64(number.parse::<f64>().ok()? * seconds).ok()?;
    Some((delay, rest[unit.len()..].trim_start()))
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
