//! When a limit ends, where the body says so and not the headers.

use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::model::{ErrorKind, ProviderError};

/// A longer time is a number of something else.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// How long the limit still holds; nothing if the body does not say, or says something that is past.
pub(super) fn delay(body: &str, now: SystemTime) -> Option<Duration> {
    let body: Value = serde_json::from_str(body).ok()?;
    let error = body.get("error").unwrap_or(&body);
    let number = |name: &str| error.get(name).and_then(Value::as_u64);
    let at = number("resets_at").and_then(|seconds| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds)));
    let left = at.and_then(|at| at.duration_since(now).ok());
    left.or_else(|| number("resets_in_seconds").map(Duration::from_secs))
        .filter(|left| !left.is_zero() && *left < LONGEST)
}

/// A quota comes back at a time, which is then what the user has to know.
pub(super) fn told(error: ProviderError, now: SystemTime) -> ProviderError {
    let left = error.retry_after.filter(|left| error.kind == ErrorKind::Quota && *left < LONGEST);
    let Some(at) = left.and_then(|left| now.checked_add(left)) else { return error };
    let message = format!("{} (until {})", error.message, httpdate::fmt_http_date(at));
    ProviderError { message, ..error }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::{delay, told};
    use crate::model::{ErrorKind, ProviderError};

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn quirk_23_the_end_of_a_usage_limit_is_found_in_the_body() {
        let check = |body: &str, seconds: Option<u64>| assert_eq!(delay(body, at(1000)).map(|d| d.as_secs()), seconds);
        check(r#"{"error":{"type":"usage_limit_reached","resets_at":1060}}"#, Some(60));
        check(r#"{"error":{"resets_at":900,"resets_in_seconds":30}}"#, Some(30));
        check(r#"{"detail":"no","resets_at":1060}"#, Some(60));
        check(r#"{"error":{"resets_at":1000}}"#, None);
        check(r#"{"error":{"resets_at":99999999999999999}}"#, None);
        check("not JSON", None);
    }

    #[test]
    fn a_quota_says_when_it_comes_back() {
        let error = |kind| ProviderError::new(kind, "no more").with_retry_after(Some(Duration::from_secs(86_400)));
        assert_eq!(told(error(ErrorKind::Quota), at(0)).message, "no more (until Fri, 02 Jan 1970 00:00:00 GMT)");
        assert_eq!(told(error(ErrorKind::RateLimited), at(0)).message, "no more");
    }
}
