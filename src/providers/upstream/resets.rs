//! When a quota comes back, said to the user.

use std::time::{Duration, SystemTime};

use crate::model::{ErrorKind, ProviderError};

/// A longer time is a number of something else.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

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

    use super::told;
    use crate::model::{ErrorKind, ProviderError};

    #[test]
    fn a_quota_says_when_it_comes_back() {
        let error = |kind| ProviderError::new(kind, "no more").with_retry_after(Some(Duration::from_secs(86_400)));
        let told = |kind| told(error(kind), SystemTime::UNIX_EPOCH).message;
        assert_eq!(told(ErrorKind::Quota), "no more (until Fri, 02 Jan 1970 00:00:00 GMT)");
        assert_eq!(told(ErrorKind::RateLimited), "no more");
    }
}
