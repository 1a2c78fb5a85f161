//! Cloudflare's envelopes around an answer: that of its API, and inside or in place of it one that tells the state of a
//! run. Errors come in them through every door, whole answers through one, so they are known by their shape.

use std::borrow::Cow;

use reqwest::header::HeaderMap;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::notes;
use crate::model::{Delta, Metadata, ProviderError};
use crate::providers::reader::{Decode, Deltas, Progress};
use crate::providers::sse::Event;
use crate::providers::upstream::Source;

/// The API's, and that of a run.
const ENVELOPES: usize = 2;

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
    state: Option<Cow<'a, str>>,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
}

impl Envelope<'_> {
    fn failed(&self) -> bool {
        self.success == Some(false) || self.state.as_deref() == Some("Failed")
    }

    fn says_how_it_went(&self) -> bool {
        self.success.is_some() || self.state.is_some()
    }
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
            Some(envelope) if envelope.failed() => Err(self.refusal(event.data)),
            _ => self.inner.event(event, out),
        }
    }

    fn whole(&mut self, body: &str, out: &mut Deltas) -> Result<(), ProviderError> {
        let mut body = body;
        for _ in 0..ENVELOPES {
            body = match open(body) {
                Some(envelope) if envelope.failed() => return Err(self.refusal(body)),
                Some(Envelope { result: Some(result), .. }) => result.get(),
                _ => break,
            };
        }
        self.inner.whole(body, out)
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
    let may_be = text.contains("\"success\"") || text.contains("\"state\"");
    let envelope: Option<Envelope<'_>> = may_be.then(|| serde_json::from_str(text).ok()).flatten();
    envelope.filter(Envelope::says_how_it_went)
}
