//! A day in UTC: what spending is counted by.
//!
//! The calendar is the proleptic Gregorian one, from 1970 to 9999; nothing here asks for the time.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const SECONDS: u64 = 86_400;
/// 9999-12-31.
const LAST: u32 = 2_932_896;

/// In the order of time. Written and read as `YYYY-MM-DD`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day {
    /// Since the first of January 1970.
    number: u32,
}

impl Day {
    pub fn at(time: SystemTime) -> Self {
        let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let number = u32::try_from(seconds / SECONDS).unwrap_or(LAST);
        Self { number: number.min(LAST) }
    }

    /// Where the next one begins.
    pub fn end(self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs((u64::from(self.number) + 1) * SECONDS)
    }

    pub fn next(self) -> Self {
        Self { number: (self.number + 1).min(LAST) }
    }

    /// The days from this one to a later one, both counted; none if it is earlier.
    pub fn days_to(self, last: Self) -> u32 {
        (last.number + 1).saturating_sub(self.number)
    }

    fn of(year: u32, month: u32, day: u32) -> Option<Self> {
        let in_range = (1970..=9999).contains(&year) && (1..=12).contains(&month);
        if !in_range || day == 0 || day > days_of(year, month) {
            return None;
        }
        let of_months: u32 = (1..month).map(|month| days_of(year, month)).sum();
        Some(Self { number: days_before(year) - days_before(1970) + of_months + day - 1 })
    }

    fn parts(self) -> (u32, u32, u32) {
        // A year is never longer than 366 days, so the guess is never too late, and soon right.
        let mut year = 1970 + self.number / 366;
        while days_before(year + 1) - days_before(1970) <= self.number {
            year += 1;
        }
        let mut left = self.number - (days_before(year) - days_before(1970));
        let mut month = 1;
        while left >= days_of(year, month) {
            left -= days_of(year, month);
            month += 1;
        }
        (year, month, left + 1)
    }
}

/// All days of the years before this one.
fn days_before(year: u32) -> u32 {
    let years = year - 1;
    years * 365 + years / 4 - years / 100 + years / 400
}

fn days_of(year: u32, month: u32) -> u32 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn is_leap(year: u32) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.parts();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

/// What a text must be to name a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a day of the calendar, written as 2026-03-31")]
pub struct NoDay;

impl FromStr for Day {
    type Err = NoDay;

    fn from_str(text: &str) -> Result<Self, NoDay> {
        let digits = |range| {
            let part: &str = text.get(range).ok_or(NoDay)?;
            let all = part.bytes().all(|byte| byte.is_ascii_digit());
            part.parse::<u32>().ok().filter(|_| all).ok_or(NoDay)
        };
        if text.len() != 10 || text.get(4..5) != Some("-") || text.get(7..8) != Some("-") {
            return Err(NoDay);
        }
        Self::of(digits(0..4)?, digits(5..7)?, digits(8..10)?).ok_or(NoDay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> String {
        Day::at(UNIX_EPOCH + Duration::from_secs(seconds)).to_string()
    }

    #[test]
    fn it_changes_at_midnight_in_utc() {
        assert_eq!(at(0), "1970-01-01");
        assert_eq!(at(1_772_323_199), "2026-02-28");
        assert_eq!(at(1_772_323_200), "2026-03-01");
        assert_eq!(at(1_709_164_800), "2024-02-29");
        assert_eq!(at(4_107_542_400), "2100-03-01");
        assert_eq!(at(u64::from(u32::MAX) * 100_000), "9999-12-31", "the end of the calendar");
        assert_eq!(Day::at(UNIX_EPOCH - Duration::from_secs(1)).to_string(), "1970-01-01");
        let day: Day = "2026-02-28".parse().unwrap();
        assert_eq!(day.end(), UNIX_EPOCH + Duration::from_secs(1_772_323_200));
        assert_eq!(Day::at(day.end()), day.next());
    }

    #[test]
    fn every_day_is_read_as_it_is_written() {
        for number in (0..=LAST).step_by(13).chain(LAST - 400..=LAST) {
            assert_eq!(Day { number }.to_string().parse(), Ok(Day { number }));
        }
    }

    #[test]
    fn what_is_no_day_is_refused() {
        let wrong =
            ["", "2026-02-29", "2026-13-01", "2026-00-01", "2026-01-00", "2026-1-1", "2026/01/01", "1969-12-31"];
        for text in wrong.into_iter().chain(["2026-01-01T", "+026-01-01", "2026-+1-01", "today", "２０26-01-01"]) {
            assert_eq!(text.parse::<Day>(), Err(NoDay), "{text}");
        }
    }

    #[test]
    fn days_are_counted_with_both_ends() {
        let day = |text: &str| text.parse::<Day>().unwrap();
        assert_eq!(day("2026-01-01").days_to(day("2026-01-01")), 1);
        assert_eq!(day("2024-01-01").days_to(day("2024-12-31")), 366);
        assert_eq!(day("2026-01-02").days_to(day("2026-01-01")), 0);
    }
}
