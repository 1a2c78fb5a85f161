//! How much of a subscription is used up: the windows that the ChatGPT backend tells of beside its answers.

use std::sync::{Arc, Mutex, PoisonError};

use reqwest::header::HeaderMap;
use serde_json::{Map, Number, Value, json};

use crate::model::Metadata;

/// Under this name it stands in the metadata.
const NAME: &str = "rateLimits";
const WINDOWS: [&str; 2] = ["primary", "secondary"];

/// What was told last. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub(super) struct Limits {
    last: Arc<Mutex<Option<Value>>>,
}

impl Limits {
    pub(super) fn last(&self) -> Option<Value> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// As metadata, if there is anything of it.
    pub(super) fn told_by_headers(&self, headers: &HeaderMap) -> Option<Metadata> {
        self.keep(of_headers(headers)?)
    }

    pub(super) fn told_by_event(&self, event: &Value) -> Option<Metadata> {
        self.keep(of_event(event)?)
    }

    fn keep(&self, limits: Value) -> Option<Metadata> {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(limits.clone());
        Some(Metadata::from_iter([(NAME.to_owned(), limits)]))
    }
}

fn of_headers(headers: &HeaderMap) -> Option<Value> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let number = |name: &str| text(name).and_then(|text| serde_json::from_str::<Number>(text).ok()).map(Value::Number);
    let flag = |name: &str| text(name).map(|text| Value::Bool(text.eq_ignore_ascii_case("true")));
    let windows = WINDOWS.map(|name| {
        let field = |field: &str| number(&format!("x-codex-{name}-{field}"));
        window(field("used-percent"), field("window-minutes"), field("reset-at"))
    });
    let balance = text("x-codex-credits-balance").filter(|text| !text.is_empty()).map(Value::from);
    let credits = credits(flag("x-codex-credits-has-credits"), flag("x-codex-credits-unlimited"), balance);
    put_together(windows, credits)
}

fn of_event(event: &Value) -> Option<Value> {
    let limits = event.get("rate_limits")?;
    let windows = WINDOWS.map(|name| {
        let window_of = limits.get(name)?;
        let number = |name: &str| window_of.get(name).filter(|value| value.is_number()).cloned();
        window(number("used_percent"), number("window_minutes"), number("reset_at").or_else(|| number("resets_at")))
    });
    let credits_of = event.get("credits").or_else(|| limits.get("credits")).filter(|credits| credits.is_object());
    let credits = credits_of.and_then(|of| {
        let field = |name: &str| of.get(name).filter(|value| !value.is_null()).cloned();
        credits(field("has_credits"), field("unlimited"), field("balance"))
    });
    put_together(windows, credits)
}

fn window(used: Option<Value>, minutes: Option<Value>, resets_at: Option<Value>) -> Option<Value> {
    let mut window = json!({ "usedPercent": used? });
    put(&mut window, "windowMinutes", minutes);
    put(&mut window, "resetsAt", resets_at);
    Some(window)
}

fn credits(has: Option<Value>, unlimited: Option<Value>, balance: Option<Value>) -> Option<Value> {
    let mut credits = json!({ "hasCredits": has? });
    put(&mut credits, "unlimited", unlimited);
    put(&mut credits, "balance", balance);
    Some(credits)
}

fn put(object: &mut Value, name: &str, value: Option<Value>) {
    if let Some(value) = value {
        object[name] = value;
    }
}

fn put_together(windows: [Option<Value>; 2], credits: Option<Value>) -> Option<Value> {
    let named = WINDOWS.into_iter().zip(windows).chain([("credits", credits)]);
    let known: Map<String, Value> = named.filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
    (!known.is_empty()).then_some(Value::Object(known))
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
    use serde_json::{Value, json};

    use super::Limits;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn headers_and_events_say_the_same() {
        let limits = Limits::default();
        let told = limits.told_by_headers(&headers(&[
            ("x-codex-primary-used-percent", "42.5"),
            ("x-codex-primary-window-minutes", "300"),
            ("x-codex-primary-reset-at", "1795400000"),
            ("x-codex-secondary-used-percent", "7"),
            ("x-codex-credits-has-credits", "True"),
            ("x-codex-credits-unlimited", "false"),
            ("x-codex-credits-balance", ""),
        ]));
        let expected = json!({
            "primary": { "usedPercent": 42.5, "windowMinutes": 300, "resetsAt": 1_795_400_000 },
            "secondary": { "usedPercent": 7 },
            "credits": { "hasCredits": true, "unlimited": false },
        });
        assert_eq!(Value::Object(told.unwrap())["rateLimits"], expected);
        assert_eq!(limits.last(), Some(expected.clone()));
        let event = json!({
            "type": "codex.rate_limits",
            "rate_limits": {
                "primary": { "used_percent": 42.5, "window_minutes": 300, "reset_at": 1_795_400_000 },
                "secondary": { "used_percent": 7, "window_minutes": null },
            },
            "credits": { "has_credits": true, "unlimited": false, "balance": null },
        });
        assert_eq!(Value::Object(limits.told_by_event(&event).unwrap())["rateLimits"], expected);
        assert_eq!(limits.told_by_headers(&HeaderMap::new()), None);
        assert_eq!(limits.last(), Some(expected), "what is known stays known");
    }
}
