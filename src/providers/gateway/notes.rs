//! What the gateway says above an answer, for the answer's metadata.

use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use crate::model::Metadata;

const NAMES: [(&str, &str); 10] = [
    ("cf-aig-cache-status", "cacheStatus"),
    ("cf-aig-step", "step"),
    ("cf-aig-log-id", "logId"),
    ("cf-aig-request-id", "requestId"),
    ("cf-aig-event-id", "eventId"),
    ("cf-aig-model", "model"),
    ("cf-aig-provider", "provider"),
    ("cf-aig-dlp", "dlp"),
    ("cf-aig-run-id", "runId"),
    ("cf-ray", "rayId"),
];

/// Those that are there. Ids are texts, whatever they look like; only the one that is JSON is read.
pub(super) fn of(headers: &HeaderMap) -> Metadata {
    let note = |(header, name): (&str, &str)| {
        let text = headers.get(header)?.to_str().ok()?.trim();
        let structured = serde_json::from_str::<Value>(text).ok().filter(Value::is_object);
        (!text.is_empty()).then(|| (name.to_owned(), structured.unwrap_or_else(|| json!(text))))
    };
    NAMES.into_iter().filter_map(note).collect()
}
