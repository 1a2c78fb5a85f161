//! Theirs to ours. Some models answer in Cloudflare's own dialect, some in OpenAI's, and either may come in an envelope;
//! all of it is told to the decoder of chat completions, in its words.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::value::RawValue;

use super::wire::{CallPiece, Chunk, Envelope};
use crate::model::ProviderError;
use crate::providers::chat::decode::Decoder as Chat;
use crate::providers::chat::wire::{self as chat, Content, Function, Piece};
use crate::providers::reader::{Decode, Deltas, Progress};
use crate::providers::sse::Event;
use crate::providers::text::{Text, filled};
use crate::providers::upstream::Source;

/// Whether an answer was a document with no result in it, as some models give to a request for a stream.
#[derive(Clone, Debug, Default)]
pub(super) struct Hollow(Arc<AtomicBool>);

impl Hollow {
    pub(super) fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self, hollow: bool) {
        self.0.store(hollow, Ordering::Relaxed);
    }
}

pub(super) struct Decoder {
    chat: Chat,
    hollow: Hollow,
}

impl Decoder {
    /// `taken` are the ids of the calls before.
    pub(super) fn new(source: Source, model: String, taken: HashSet<String>, hollow: Hollow) -> Self {
        Self { chat: Chat::new(source, model, taken), hollow }
    }

    fn chunk(&mut self, text: &str, out: &mut Deltas) -> Result<(), ProviderError> {
        let chunk = match serde_json::from_str::<Chunk<'_>>(text) {
            Ok(chunk) if chunk.choices.is_none() => chunk,
            _ => return self.chat.chunk(text, out),
        };
        if chunk.error.is_some() || chunk.errors.is_some_and(|errors| errors.get() != "[]") {
            return Err(self.chat.failure(text));
        }
        let tool_calls = chunk.tool_calls.map(|calls| calls.into_iter().map(call).collect());
        let content = chunk.response.and_then(response).map(Content::Text);
        self.chat.piece(Piece { content, tool_calls, ..Piece::default() }, out);
        if let Some(reason) = filled(&chunk.finish_reason) {
            self.chat.reason(reason)?;
        }
        self.chat.usage(chunk.usage, out);
        Ok(())
    }
}

impl Decode for Decoder {
    fn headers(&mut self, headers: &HeaderMap, _out: &mut Deltas) {
        let kind = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
        self.hollow.set(kind.starts_with(b"application/json"));
    }

    fn event(&mut self, event: &Event<'_>, out: &mut Deltas) -> Result<(), ProviderError> {
        self.hollow.set(false);
        let data = event.data.trim();
        if event.name != "error" && data.starts_with('{') {
            return self.chunk(data, out);
        }
        self.chat.event(event, out)
    }

    fn whole(&mut self, body: &str, out: &mut Deltas) -> Result<(), ProviderError> {
        self.hollow.set(false);
        let Ok(envelope) = serde_json::from_str::<Envelope<'_>>(body) else { return self.chat.whole(body, out) };
        if envelope.failed() {
            return Err(self.chat.failure(body));
        }
        match envelope.result.map(RawValue::get) {
            Some(result) if result.starts_with('{') => self.chunk(result, out)?,
            Some(result) if result.starts_with('"') => self.chunk(&format!("{{\"response\":{result}}}"), out)?,
            Some(_) => {}
            None if envelope.success.is_some() || body.trim() == "{}" => {}
            None if is_native(body) => self.chunk(body, out)?,
            None => return self.chat.whole(body, out),
        }
        let finished = self.chat.finish(out);
        self.hollow.set(finished.is_err());
        finished
    }

    fn end(&mut self, out: &mut Deltas) -> Result<(), ProviderError> {
        self.chat.end(out)
    }

    fn progress(&self) -> Progress {
        self.chat.progress()
    }
}

/// Whether it has a field that OpenAI's dialect lacks.
fn is_native(body: &str) -> bool {
    let chunk = serde_json::from_str::<Chunk<'_>>(body).unwrap_or_default();
    chunk.response.is_some() || chunk.tool_calls.is_some() || chunk.errors.is_some()
}

/// As text: a string without its quotes, anything else as it is written.
fn response(raw: &RawValue) -> Option<Text<'_>> {
    match raw.get() {
        "null" => None,
        text if text.starts_with('"') => serde_json::from_str(text).ok(),
        text => Some(Text(Cow::Borrowed(text))),
    }
}

fn call(piece: CallPiece<'_>) -> chat::CallPiece<'_> {
    let bare = Function { name: piece.name, arguments: piece.arguments };
    chat::CallPiece {
        index: piece.index,
        id: piece.id,
        function: Some(piece.function.unwrap_or(bare)),
        extra_content: None,
    }
}
