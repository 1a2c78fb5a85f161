//! Cloudflare's envelope around an answer. Errors come in it through every door, whole answers through one of them,
//! so it is known by its shape.

use reqwest::header::HeaderMap;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::notes;
use crate::model::{Delta, Metadata, ProviderError};
use crate::providers::reader::{Decode, Deltas, Progress};
use crate::providers::sse::Event;
use crate::providers::upstream::Source;

/// Reads what is in the envelope as `inner` does, and tells beside it which way the answer came.
pub(super) struct Enveloped<D> {
    pub(super) inner: D,
    pub(super) source: Source,
    /// Told first.
    pub(super) about: Metadata,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    success: Option<bool>,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
}

impl<D: Decode> Decode for Enveloped<D> {
    fn headers(&mut self, headers: &HeaderMap, out: &mut Deltas) {
        let mut about = std::mem::take(&mut self.about);
        about.extend(notes::of(headers));
        out.push_back(Delta::Metadata(about));
        self.inner.headers(headers, out);
    }

    fn event(&mut self, event: &Event<'_>, out: &mut Deltas) -> Result<(), ProviderError> {
        match open(event.data) {
            Some(Envelope { success: Some(false), .. }) => Err(self.refusal(event.data)),
            _ => self.inner.event(event, out),
        }
    }

    fn whole(&mut self, body: &str, out: &mut Deltas) -> Result<(), ProviderError> {
        match open(body) {
            Some(Envelope { success: Some(false), .. }) => Err(self.refusal(body)),
            Some(Envelope { success: Some(true), result: Some(result) }) => self.inner.whole(result.get(), out),
            _ => self.inner.whole(body, out),
        }
    }

    fn end(&mut self, out: &mut Deltas) -> Result<(), ProviderError> {
        self.inner.end(out)
    }

    fn progress(&self) -> Progress {
        self.inner.progress()
    }
}

impl<D> Enveloped<D> {
    fn refusal(&self, body: &str) -> ProviderError {
        self.source.broke_off(&serde_json::from_str(body).unwrap_or(Value::Null))
    }
}

/// Inside a JSON string the quotes would be escaped, so most texts need not be read twice to know that they have none.
fn open(text: &str) -> Option<Envelope<'_>> {
    text.contains("\"success\"").then(|| serde_json::from_str(text).ok()).flatten()
}
