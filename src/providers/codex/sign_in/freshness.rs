//! When tokens are to be refreshed: a decision.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// So long before they expire.
const EARLY: Duration = Duration::from_secs(5 * 60);
/// Tokens that are younger are not made better by newer ones, whoever refused them.
const YOUNG: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Freshness {
    /// Nothing is due for so long; none if nobody knows when they expire.
    Fresh(Option<Duration>),
    /// They still hold, and newer ones are due.
    Due,
    Expired,
}

/// Times are in seconds since 1970. Tokens that never held longer than [`EARLY`] are due at half their time.
pub(super) fn freshness(obtained_at: u64, expires_at: Option<u64>, now: SystemTime) -> Freshness {
    let Some(expires_at) = expires_at else { return Freshness::Fresh(None) };
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let lifetime = Duration::from_secs(expires_at.saturating_sub(obtained_at));
    let early = EARLY.min(lifetime / 2);
    match Duration::from_secs(expires_at).checked_sub(now) {
        None | Some(Duration::ZERO) => Freshness::Expired,
        Some(left) if left <= early => Freshness::Due,
        Some(left) => Freshness::Fresh(Some(left - early)),
    }
}

/// Whether a refusal may mean that newer tokens are wanted.
pub(super) fn is_young(obtained_at: u64, now: SystemTime) -> bool {
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    now.checked_sub(Duration::from_secs(obtained_at)).is_some_and(|age| age < YOUNG)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::{Freshness, freshness, is_young};

    #[test]
    fn they_are_due_five_minutes_before_they_expire() {
        let check = |now: u64, expected: Freshness| {
            let now = UNIX_EPOCH + Duration::from_secs(now);
            assert_eq!(freshness(1000, Some(4600), now), expected);
        };
        check(1000, Freshness::Fresh(Some(Duration::from_secs(3300))));
        check(4299, Freshness::Fresh(Some(Duration::from_secs(1))));
        check(4300, Freshness::Due);
        check(4599, Freshness::Due);
        check(4600, Freshness::Expired);
        assert_eq!(freshness(1000, None, UNIX_EPOCH), Freshness::Fresh(None));
    }

    #[test]
    fn those_that_hold_briefly_are_due_at_half_their_time() {
        let at = |now: u64| freshness(1000, Some(1060), UNIX_EPOCH + Duration::from_secs(now));
        assert_eq!(at(1000), Freshness::Fresh(Some(Duration::from_secs(30))));
        assert_eq!(at(1030), Freshness::Due);
    }

    #[test]
    fn the_young_are_told_from_the_old() {
        let at = |now: u64| is_young(1000, UNIX_EPOCH + Duration::from_secs(now));
        assert!(at(1000) && at(1059) && !at(1060));
        assert!(!at(900), "a clock that was set back proves nothing");
        assert!(!is_young(u64::MAX, UNIX_EPOCH), "nor does a file that somebody else wrote");
    }
}
