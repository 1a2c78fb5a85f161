//! What stands above an answer: the request's id and what is left of the account's limits.

use reqwest::header::HeaderMap;
use serde_json::{Map, Value};

use crate::model::Metadata;

const LIMITS: &str = "anthropic-ratelimit-";

/// `requestId`, and `rateLimits` as in `{"inputTokens": {"limit": 10, "remaining": 4, "reset": "…"}}`: the vendor's own
/// names and values, whichever limits there are.
pub(super) fn metadata(headers: &HeaderMap) -> Metadata {
    let mut metadata = Metadata::new();
    if let Some(id) = headers.get("request-id").and_then(|value| value.to_str().ok()) {
        metadata.insert("requestId".to_owned(), id.into());
    }
    let mut limits = Map::new();
    for (name, value) in headers {
        let limit = name.as_str().strip_prefix(LIMITS).and_then(|name| name.rsplit_once('-'));
        if let (Some((limit, field)), Ok(text)) = (limit, value.to_str()) {
            let fields = limits.entry(camel_case(limit)).or_insert_with(|| Value::Object(Map::new()));
            fields[field] = text.parse::<u64>().map_or_else(|_| text.into(), Value::from);
        }
    }
    if !limits.is_empty() {
        metadata.insert("rateLimits".to_owned(), Value::Object(limits));
    }
    metadata
}

fn camel_case(name: &str) -> String {
    let mut words = name.split('-');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |joined, word| {
        let (head, rest) = word.split_at(word.chars().next().map_or(0, char::len_utf8));
        joined + &head.to_uppercase() + rest
    })
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
    use serde_json::{Value, json};

    use super::metadata;

    #[test]
    fn limits_are_told_under_the_vendors_names() {
        let pairs = [
            ("request-id", "req_1"),
            ("anthropic-ratelimit-requests-limit", "50"),
            ("anthropic-ratelimit-requests-reset", "2026-01-01T00:00:00Z"),
            ("anthropic-ratelimit-input-tokens-remaining", "900"),
            ("anthropic-ratelimit-unified-5h-utilization", "0.3"),
            ("anthropic-ratelimit-unified-status", "allowed"),
            ("content-type", "text/event-stream"),
        ];
        let header = |(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value));
        let expected = json!({
            "requestId": "req_1",
            "rateLimits": {
                "requests": { "limit": 50, "reset": "2026-01-01T00:00:00Z" },
                "inputTokens": { "remaining": 900 },
                "unified5h": { "utilization": "0.3" },
                "unified": { "status": "allowed" },
            },
        });
        assert_eq!(Value::Object(metadata(&HeaderMap::from_iter(pairs.map(header)))), expected);
        assert!(metadata(&HeaderMap::new()).is_empty());
    }
}
