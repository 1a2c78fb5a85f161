use std::cell::Cell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::time::Instant;

use super::{asked_delay, delay_in_words, is_exhausted, is_transient, run};
use crate::model::{ErrorKind, ProviderError};

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&'static str, &str)| {
        (HeaderName::from_static(name), HeaderValue::from_str(value).expect("a header value"))
    };
    pairs.iter().map(pair).collect()
}

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_700_000_000)
}

#[test]
fn statuses() {
    for status in [408, 409, 425, 429, 498, 500, 502, 503, 504, 520, 524, 529] {
        assert!(is_transient(status, None, &HeaderMap::new()), "{status}");
    }
    for status in [400, 401, 402, 403, 404, 413, 422, 424] {
        assert!(!is_transient(status, None, &HeaderMap::new()), "{status}");
    }
    assert!(is_exhausted("insufficient_quota") && !is_transient(429, Some(false), &HeaderMap::new()));
    assert!(is_transient(400, Some(true), &HeaderMap::new()));
    assert!(is_transient(400, None, &headers(&[("x-should-retry", "true")])));
    assert!(!is_transient(503, None, &headers(&[("x-should-retry", "false")])));
}

#[test]
fn quirk_22_the_delay_that_a_server_asks_for_in_every_form() {
    let check = |pairs: &[(&'static str, &str)]| asked_delay(&headers(pairs), now());
    let date = |at: SystemTime| httpdate::fmt_http_date(at);
    assert_eq!(check(&[("retry-after", "2")]), Some(Duration::from_secs(2)));
    assert_eq!(check(&[("retry-after", " 0.25 ")]), Some(Duration::from_millis(250)));
    assert_eq!(check(&[("retry-after", "9"), ("retry-after-ms", "15")]), Some(Duration::from_millis(15)));
    let soon = date(now() + Duration::from_secs(7));
    assert_eq!(check(&[("retry-after", &soon)]), Some(Duration::from_secs(7)));
    assert_eq!(check(&[("retry-after", "86400")]), Some(Duration::from_secs(86_400)));
    let past = date(now() - Duration::from_secs(7));
    for nothing in ["-1", "0", "soon", "NaN", "inf", "1e300", &past] {
        assert_eq!(check(&[("retry-after", nothing)]), None, "{nothing}");
    }
    assert_eq!(check(&[]), None);
}

#[test]
fn quirk_22_a_date_is_read_by_the_clock_of_the_server() {
    let date = |at: SystemTime| httpdate::fmt_http_date(at);
    let theirs = now() + Duration::from_secs(3600);
    let (sent, until) = (date(theirs), date(theirs + Duration::from_secs(5)));
    assert_eq!(asked_delay(&headers(&[("date", &sent), ("retry-after", &until)]), now()), Some(Duration::from_secs(5)));
}

#[test]
fn quirk_22_the_delay_in_a_sentence() {
    let check = |said: &str| delay_in_words(said).map(|delay| delay.as_millis());
    assert_eq!(check("Please try again in 20s."), Some(20_000));
    assert_eq!(check("Please try again in 1m26.4s. See"), Some(86_400));
    assert_eq!(check("Try again in 350 ms"), Some(350));
    assert_eq!(check("please retry after 2 minutes"), Some(120_000));
    assert_eq!(check("try again in 6m0s"), Some(360_000));
    for nothing in [
        "try again in a moment",
        "try again in 20 apples",
        "try again in ",
        "try again in 1e9s",
        "no",
        "try again in 0s",
    ] {
        assert_eq!(check(nothing), None, "{nothing}");
    }
}

/// How often was asked, and how long that took.
async fn check(error: ProviderError, time: Option<Duration>) -> (u32, Duration, ProviderError) {
    let start = Instant::now();
    let tries = Cell::new(0);
    let outcome = run(2, time.map(|time| start + time), async || {
        tries.set(tries.get() + 1);
        Err::<(), _>(error.clone())
    });
    let error = outcome.await.expect_err("every attempt fails");
    (tries.get(), start.elapsed(), error)
}

fn unavailable() -> ProviderError {
    ProviderError::new(ErrorKind::Unavailable, "overloaded").with_status(529)
}

#[tokio::test(start_paused = true)]
async fn what_passes_is_tried_again_with_growing_delays() {
    let (tries, took, _) = check(unavailable(), None).await;
    assert_eq!(tries, 3);
    assert!(took >= Duration::from_millis(1500) && took <= Duration::from_millis(3100), "{took:?}");
    let (tries, took, _) = check(unavailable().with_retry_after(Some(Duration::from_secs(5))), None).await;
    assert_eq!((tries, took.as_secs()), (3, 10));
}

#[tokio::test(start_paused = true)]
async fn quirk_22_a_wait_that_is_too_long_is_reported_at_once() {
    for (asked, time) in [(61, None), (10, Some(Duration::from_secs(10)))] {
        let error = unavailable().with_retry_after(Some(Duration::from_secs(asked)));
        let (tries, took, error) = check(error, time).await;
        assert_eq!((tries, took), (1, Duration::ZERO));
        assert_eq!(error.retry_after, Some(Duration::from_secs(asked)));
    }
}

#[tokio::test(start_paused = true)]
async fn quirk_23_what_does_not_pass_is_not_tried_again() {
    for kind in [ErrorKind::Auth, ErrorKind::Quota, ErrorKind::InvalidRequest, ErrorKind::HostNotAllowed] {
        assert_eq!(check(ProviderError::new(kind, "no"), None).await.0, 1, "{kind:?}");
    }
    assert_eq!(check(ProviderError::new(ErrorKind::Timeout, "our own clock"), None).await.0, 1);
}
