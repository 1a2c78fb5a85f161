//! An answer's bytes made into deltas: a plain value, the same for every dialect.
//!
//! Whether the answer is a stream or one JSON document is read off its first byte, not off what was asked for or off
//! its content type: servers get both wrong.

use std::collections::VecDeque;

use reqwest::header::HeaderMap;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::sse::{Decoder, Event};
use super::upstream::Source;
use crate::model::{Delta, ErrorKind, Metadata, ProviderError};

/// An answer that is no stream is held whole.
const MAX_WHOLE: usize = 32 * 1024 * 1024;
/// What ends the streams of many servers.
const END: &str = "[DONE]";
/// Enough to quote.
const MAX_HEAD: usize = 1024;

pub(super) type Deltas = VecDeque<Delta>;

/// How one dialect reads an answer. It emits [`Delta::Finished`] itself, in `event`, `whole` or `end`.
pub(super) trait Decode: Send + Unpin + 'static {
    /// What stands above the answer; told first.
    fn headers(&mut self, _headers: &HeaderMap, _out: &mut Deltas) {}

    fn event(&mut self, event: &Event<'_>, out: &mut Deltas) -> Result<(), ProviderError>;

    /// The answer as one document.
    fn whole(&mut self, body: &str, out: &mut Deltas) -> Result<(), ProviderError>;

    /// No more events will come: the answer is finished here, or it was cut off.
    fn end(&mut self, out: &mut Deltas) -> Result<(), ProviderError>;

    fn progress(&self) -> Progress;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    Open,
    /// The model is done, the server not yet: usage may follow, or nothing.
    Complete,
    Ended,
}

pub(super) struct Reader<D> {
    decode: D,
    source: Source,
    shape: Shape,
    keep_raw: bool,
}

enum Shape {
    /// Nothing but blanks so far.
    Unknown,
    Events(Events),
    Whole(Vec<u8>),
}

#[derive(Default)]
struct Events {
    decoder: Decoder,
    /// How the answer began, as long as there was no event: it may be none at all.
    head: Vec<u8>,
    begun: bool,
}

impl<D: Decode> Reader<D> {
    pub(super) fn new(decode: D, source: Source) -> Self {
        Self { decode, source, shape: Shape::Unknown, keep_raw: false }
    }

    /// Whether an answer that is one document is told as it came, too.
    pub(super) fn keep_raw(mut self, keep: bool) -> Self {
        self.keep_raw = keep;
        self
    }

    pub(super) fn headers(&mut self, headers: &HeaderMap, out: &mut Deltas) {
        self.decode.headers(headers, out);
        // Some servers send back what they were sent.
        for delta in out {
            if let Delta::Metadata(metadata) = delta {
                metadata.values_mut().for_each(|value| self.source.redactor.redact_json(value));
            }
        }
    }

    pub(super) fn progress(&self) -> Progress {
        self.decode.progress()
    }

    pub(super) fn push(&mut self, chunk: &[u8], out: &mut Deltas) -> Result<(), ProviderError> {
        if matches!(self.shape, Shape::Unknown) {
            let Some(shape) = Shape::of(chunk) else { return Ok(()) };
            self.shape = shape;
        }
        match &mut self.shape {
            Shape::Unknown => Ok(()),
            Shape::Whole(body) if body.len() + chunk.len() > MAX_WHOLE => {
                Err(ProviderError::new(ErrorKind::Protocol, format!("the answer is longer than {MAX_WHOLE} bytes")))
            }
            Shape::Whole(body) => {
                body.extend_from_slice(chunk);
                Ok(())
            }
            Shape::Events(events) => {
                events.keep(chunk);
                events.decoder.push(chunk);
                while self.decode.progress() != Progress::Ended {
                    let Some(event) = events.decoder.next_event()? else { break };
                    events.begun = true;
                    self.decode.event(&event, out)?;
                }
                Ok(())
            }
        }
    }

    /// At the end of input.
    pub(super) fn end(&mut self, out: &mut Deltas) -> Result<(), ProviderError> {
        match std::mem::replace(&mut self.shape, Shape::Unknown) {
            Shape::Unknown if self.progress() == Progress::Open => Err(self.source.misunderstood("")),
            Shape::Unknown => Ok(()),
            Shape::Whole(body) => {
                let text = String::from_utf8(body);
                let text = text.unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
                if let Some(mut raw) = self.keep_raw.then(|| serde_json::from_str::<Value>(&text).ok()).flatten() {
                    self.source.redactor.redact_json(&mut raw);
                    out.push_back(Delta::Metadata(Metadata::from_iter([("response".to_owned(), raw)])));
                }
                let cut = || self.source.truncated();
                self.decode.whole(&text, out).map_err(|error| if is_cut(&text) { cut() } else { error })
            }
            Shape::Events(mut events) => {
                if self.progress() != Progress::Ended
                    && let Some(event) = events.decoder.last_event()
                {
                    events.begun = true;
                    if !is_cut(event.data) {
                        self.decode.event(&event, out)?;
                    }
                }
                match events.prose() {
                    Some(text) => Err(self.source.misunderstood(&text)),
                    None if self.progress() == Progress::Ended => Ok(()),
                    None => self.decode.end(out),
                }
            }
        }
    }
}

/// Whether it is only the beginning of a document, or of the word that ends a stream.
fn is_cut(data: &str) -> bool {
    let data = data.trim();
    let json = serde_json::from_str::<IgnoredAny>(data);
    (data != END && END.starts_with(data)) || json.is_err_and(|error| error.is_eof())
}

/// A recorded answer, read without a network.
pub(super) fn replay<'a, D: Decode>(
    decode: D,
    source: Source,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Delta>, Result<(), ProviderError>) {
    let mut reader = Reader::new(decode, source);
    let mut deltas = Deltas::new();
    let mut chunks = chunks.into_iter();
    let result = chunks.try_for_each(|chunk| reader.push(chunk, &mut deltas)).and_then(|()| reader.end(&mut deltas));
    (deltas.into(), result)
}

impl Shape {
    /// JSON and web pages are one document; no event begins like them.
    fn of(chunk: &[u8]) -> Option<Self> {
        let first = chunk.iter().find(|byte| !byte.is_ascii_whitespace())?;
        Some(match first {
            b'{' | b'[' | b'"' | b'<' => Self::Whole(Vec::new()),
            _ => Self::Events(Events::default()),
        })
    }
}

impl Events {
    fn keep(&mut self, chunk: &[u8]) {
        if !self.begun && self.head.len() < MAX_HEAD {
            self.head.extend_from_slice(&chunk[..chunk.len().min(MAX_HEAD - self.head.len())]);
        }
    }

    /// What came instead of events: a sentence of something on the way, which has no line like an event's.
    fn prose(&self) -> Option<String> {
        let text = String::from_utf8_lossy(&self.head);
        let is_field = |line: &str| {
            let name = line.trim_start_matches('\u{FEFF}').split(':').next().unwrap_or_default();
            match line.contains(':') {
                true => matches!(name, "" | "data" | "event" | "id" | "retry" | "error"),
                // Cut off in its name.
                false => ["data", "event", "id", "retry"].iter().any(|field| field.starts_with(line)),
            }
        };
        let lines = || text.lines().filter(|line| !line.trim().is_empty());
        (!self.begun && lines().next().is_some() && !lines().any(is_field)).then(|| text.into_owned())
    }
}
