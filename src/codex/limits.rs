//! What is left of a ChatGPT subscription's limits, as the app-server tells it.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Deserialize;

use crate::model::Day;

/// One window of one limit.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// Which limit, as in `codex`.
    pub limit: Option<String>,
    /// `primary` or `secondary`.
    pub name: &'static str,
    pub used_percent: f64,
    pub minutes: Option<u64>,
    /// Unix seconds.
    pub resets_at: Option<u64>,
}

/// `account/rateLimits/read`, and what comes with `account/rateLimits/updated`.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Read {
    rate_limits: Option<Snapshot>,
    rate_limits_by_limit_id: Option<BTreeMap<String, Snapshot>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Snapshot {
    limit_id: Option<String>,
    primary: Option<Used>,
    secondary: Option<Used>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Used {
    used_percent: f64,
    window_duration_mins: Option<u64>,
    resets_at: Option<u64>,
}

/// The windows in it; none if it is something else.
pub fn windows(told: &str) -> Vec<Window> {
    let read: Read = serde_json::from_str(told).unwrap_or_default();
    let by_id = read.rate_limits_by_limit_id.unwrap_or_default();
    let snapshots: Vec<Snapshot> = match by_id.is_empty() {
        true => read.rate_limits.into_iter().collect(),
        false => by_id.into_iter().map(|(id, limit)| Snapshot { limit_id: Some(id), ..limit }).collect(),
    };
    snapshots.into_iter().flat_map(of_limit).collect()
}

fn of_limit(limit: Snapshot) -> impl Iterator<Item = Window> {
    let id = limit.limit_id;
    let named = [("primary", limit.primary), ("secondary", limit.secondary)];
    named.into_iter().filter_map(move |(name, used)| {
        let Used { used_percent, window_duration_mins, resets_at } = used?;
        Some(Window { limit: id.clone(), name, used_percent, minutes: window_duration_mins, resets_at })
    })
}

impl Window {
    pub fn is_used_up(&self) -> bool {
        self.used_percent >= 100.0
    }

    /// When it resets, in ISO 8601, in UTC.
    pub fn resets_at_iso(&self) -> Option<String> {
        let seconds = self.resets_at?;
        let day = Day::at(UNIX_EPOCH.checked_add(Duration::from_secs(seconds))?);
        let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        Some(format!("{day}T{hour:02}:{minute:02}:{second:02}Z"))
    }

    /// How long that is from now.
    pub fn resets_in(&self, now: SystemTime) -> Option<Duration> {
        let at = UNIX_EPOCH.checked_add(Duration::from_secs(self.resets_at?))?;
        Some(at.duration_since(now).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_windows_of_what_is_told_and_of_what_is_read() {
        let primary = r#"{"usedPercent":13,"windowDurationMins":300,"resetsAt":1795386541}"#;
        let told = format!(r#"{{"rateLimits":{{"limitId":"codex","primary":{primary},"secondary":null}}}}"#);
        let window = Window {
            limit: Some("codex".to_owned()),
            name: "primary",
            used_percent: 13.0,
            minutes: Some(300),
            resets_at: Some(1_795_386_541),
        };
        assert_eq!(windows(&told), std::slice::from_ref(&window));
        let of_ids = format!(r#"{{"codex":{{"primary":{primary}}},"other":{{"secondary":{{"usedPercent":100}}}}}}"#);
        let read = format!(r#"{{"rateLimits":{{"primary":{primary}}},"rateLimitsByLimitId":{of_ids}}}"#);
        let read = windows(&read);
        assert_eq!(read[0], window);
        assert_eq!((read[1].limit.as_deref(), read[1].name, read[1].is_used_up()), (Some("other"), "secondary", true));
        assert_eq!(read.len(), 2);
        for nothing in ["{}", "null", "[]", "7", r#"{"rateLimits":{"primary":{"usedPercent":"much"}}}"#] {
            assert_eq!(windows(nothing), [], "{nothing}");
        }
    }

    #[test]
    fn the_time_of_a_reset_is_told_in_two_ways() {
        let window = |resets_at| Window { limit: None, name: "primary", used_percent: 100.0, minutes: None, resets_at };
        let at = window(Some(1_795_386_541));
        assert_eq!(at.resets_at_iso().as_deref(), Some("2026-11-22T22:29:01Z"));
        let now = UNIX_EPOCH + Duration::from_secs(1_795_386_500);
        assert_eq!(at.resets_in(now), Some(Duration::from_secs(41)));
        assert_eq!(at.resets_in(now + Duration::from_secs(100)), Some(Duration::ZERO));
        assert_eq!((window(None).resets_at_iso(), window(None).resets_in(now)), (None, None));
        assert!(window(Some(u64::MAX)).resets_in(now).is_none());
    }
}
