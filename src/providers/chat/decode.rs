//! Theirs to ours: chunks of a chat completion as deltas.

use std::collections::HashSet;

use serde_json::Value;
use serde_json::value::RawValue;

use super::DIALECT;
use super::calls::Calls;
use super::reasoning::Thought;
use super::usage;
use super::wire::{CallPiece, Chunk, Content, Piece};
use crate::model::{BlockStart, Delta, ErrorKind, Opaque, ProviderError, Stop, Usage};
use crate::providers::reader::{Decode, Deltas, Progress};
use crate::providers::sse::Event;
use crate::providers::text::filled;
use crate::providers::upstream::Source;

pub(in crate::providers) struct Decoder {
    source: Source,
    /// The one that was asked for, which opaque values are bound to.
    model: String,
    /// The next block's index.
    next: u32,
    open: Option<(Prose, u32)>,
    thought: Thought,
    calls: Calls,
    refusal: String,
    named: bool,
    usage: Usage,
    stop: Option<Stop>,
    ended: bool,
}

/// Blocks of which one is open at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Prose {
    Text,
    Reasoning,
}

impl Decoder {
    /// `taken` are the ids of the calls before.
    pub(in crate::providers) fn new(source: Source, model: String, taken: HashSet<String>) -> Self {
        Self {
            calls: Calls::new(model.clone(), taken),
            source,
            model,
            next: 0,
            open: None,
            thought: Thought::default(),
            refusal: String::new(),
            named: false,
            usage: Usage::default(),
            stop: None,
            ended: false,
        }
    }

    pub(in crate::providers) fn chunk(&mut self, text: &str, out: &mut Deltas) -> Result<(), ProviderError> {
        let Ok(chunk) = serde_json::from_str::<Chunk<'_>>(text) else { return Err(self.no_chunk(text)) };
        if let Some(error) = chunk.error {
            return Err(self.failure(error.get()));
        }
        let has_errors = chunk.errors.is_some_and(|errors| errors.get() != "[]");
        if has_errors || chunk.object.as_deref() == Some("error") {
            return Err(self.failure(text));
        }
        if let Some(model) = filled(&chunk.model)
            && !self.named
        {
            self.named = true;
            out.push_back(Delta::Model(model.to_owned()));
        }
        for choice in chunk.choices.unwrap_or_default() {
            if choice.index.unwrap_or(0) != 0 {
                continue;
            }
            if let Some(piece) = choice.delta.or(choice.message) {
                self.piece(piece, out);
            }
            if let Some(reason) = filled(&choice.finish_reason) {
                self.reason(reason)?;
            }
        }
        self.count(chunk.x_groq.and_then(|raw| usage::read_groq(raw.get())), out);
        self.usage(chunk.usage, out);
        Ok(())
    }

    /// Why the model stopped.
    pub(in crate::providers) fn reason(&mut self, reason: &str) -> Result<(), ProviderError> {
        self.stop = Some(self.stop_for(reason)?);
        Ok(())
    }

    pub(in crate::providers) fn usage(&mut self, usage: Option<&RawValue>, out: &mut Deltas) {
        self.count(usage.and_then(|raw| usage::read(raw.get())), out);
    }

    pub(in crate::providers) fn piece(&mut self, mut piece: Piece<'_>, out: &mut Deltas) {
        if let Some(details) = &piece.reasoning_details {
            self.thought.add_details(details);
            if !details.is_empty() {
                self.open(Prose::Reasoning, out);
            }
        }
        if let Some(blocks) = &piece.thinking_blocks {
            self.thought.add_blocks(blocks);
            if !blocks.is_empty() {
                self.open(Prose::Reasoning, out);
            }
        }
        if let Some(text) = self.thought.text(&piece) {
            self.say(Prose::Reasoning, text, out);
        }
        match &piece.content {
            Some(Content::Text(text)) => self.say(Prose::Text, text, out),
            Some(Content::Parts(parts)) => parts.iter().for_each(|part| {
                if let Some(thinking) = &part.thinking {
                    self.say_all(Prose::Reasoning, thinking, out);
                }
                self.say(Prose::Text, filled(&part.text).unwrap_or_default(), out);
            }),
            None => {}
        }
        if let Some(refusal) = filled(&piece.refusal) {
            self.refusal.push_str(refusal);
            self.say(Prose::Text, refusal, out);
        }
        if let Some(function) = piece.function_call.take() {
            let call = CallPiece { index: Some(0), function: Some(function), ..CallPiece::default() };
            piece.tool_calls.get_or_insert_default().push(call);
        }
        for (position, call) in piece.tool_calls.unwrap_or_default().into_iter().enumerate() {
            self.close(out);
            self.calls.add(position, call, &mut self.next, out);
        }
    }

    fn say_all(&mut self, prose: Prose, content: &Content<'_>, out: &mut Deltas) {
        match content {
            Content::Text(text) => self.say(prose, text, out),
            Content::Parts(parts) => {
                parts.iter().for_each(|part| self.say(prose, filled(&part.text).unwrap_or_default(), out));
            }
        }
    }

    fn say(&mut self, prose: Prose, text: &str, out: &mut Deltas) {
        if text.is_empty() {
            return;
        }
        let index = self.open(prose, out);
        out.push_back(Delta::Text { index, text: text.to_owned() });
    }

    fn open(&mut self, prose: Prose, out: &mut Deltas) -> u32 {
        if let Some((open, index)) = self.open
            && open == prose
        {
            return index;
        }
        self.close(out);
        let index = self.next;
        self.next += 1;
        self.open = Some((prose, index));
        let block = match prose {
            Prose::Text => BlockStart::Text,
            Prose::Reasoning => BlockStart::Reasoning,
        };
        out.push_back(Delta::Start { index, block });
        index
    }

    fn close(&mut self, out: &mut Deltas) {
        let Some((prose, index)) = self.open.take() else { return };
        if prose == Prose::Reasoning
            && let Some(value) = self.thought.take()
        {
            let opaque = Opaque { dialect: DIALECT.to_owned(), model: self.model.clone(), value };
            out.push_back(Delta::Opaque { index, opaque });
        }
        out.push_back(Delta::Stop { index });
    }

    fn count(&mut self, reported: Option<Usage>, out: &mut Deltas) {
        let before = self.usage;
        self.usage.replace_with(reported.unwrap_or_default());
        // Some servers repeat it in every chunk.
        if self.usage != before {
            out.push_back(Delta::Usage(self.usage));
        }
    }

    fn stop_for(&self, reason: &str) -> Result<Stop, ProviderError> {
        Ok(match reason {
            "stop" | "eos" | "eos_token" | "end_turn" => Stop::EndTurn,
            "length" | "max_tokens" | "model_length" => Stop::MaxTokens,
            "tool_calls" | "function_call" | "tool_use" => Stop::ToolUse,
            "content_filter" => Stop::ContentFilter,
            "stop_sequence" => Stop::StopSequence,
            "error" => return Err(self.failure("null")),
            other => Stop::Other(other.to_owned()),
        })
    }

    pub(in crate::providers) fn finish(&mut self, out: &mut Deltas) -> Result<(), ProviderError> {
        self.close(out);
        let has_calls = !self.calls.is_empty();
        self.calls.finish(&mut self.next, out);
        let stop = match self.stop.take() {
            _ if !self.refusal.is_empty() => Stop::Refusal(Some(std::mem::take(&mut self.refusal))),
            None | Some(Stop::EndTurn) if has_calls => Stop::ToolUse,
            Some(Stop::ToolUse) | None if !has_calls => Stop::EndTurn,
            stop => stop.unwrap_or(Stop::EndTurn),
        };
        if stop == Stop::EndTurn && self.next == 0 {
            return Err(self.nothing_said());
        }
        self.ended = true;
        out.push_back(Delta::Finished(stop));
        Ok(())
    }

    pub(in crate::providers) fn failure(&self, json: &str) -> ProviderError {
        let error = serde_json::from_str(json).unwrap_or_else(|_| Value::String(json.to_owned()));
        self.source.broke_off(&error)
    }

    fn nothing_said(&self) -> ProviderError {
        let name = self.source.upstream.name;
        ProviderError::new(ErrorKind::Protocol, format!("{name} answered with an empty completion"))
            .with_hint("the conversation may be longer than the context the model was loaded with")
    }

    /// JSON of another shape may still hold an error.
    fn no_chunk(&self, text: &str) -> ProviderError {
        match serde_json::from_str::<Value>(text) {
            Ok(Value::Array(list)) if list.iter().any(|item| item.get("error").is_some()) => self.failure(text),
            _ => self.source.misunderstood(text),
        }
    }
}

impl Decode for Decoder {
    fn event(&mut self, event: &Event<'_>, out: &mut Deltas) -> Result<(), ProviderError> {
        let data = event.data.trim();
        if event.name == "error" {
            return Err(self.failure(data));
        }
        match data {
            "" => Ok(()),
            "[DONE]" => self.finish(out),
            _ => self.chunk(data, out),
        }
    }

    fn whole(&mut self, body: &str, out: &mut Deltas) -> Result<(), ProviderError> {
        self.chunk(body, out)?;
        let answered = self.next > 0 || self.stop.is_some() || !self.calls.is_empty();
        if !answered && !body.contains("\"choices\"") {
            return Err(self.source.misunderstood(body));
        }
        self.finish(out)
    }

    fn end(&mut self, out: &mut Deltas) -> Result<(), ProviderError> {
        // A good many servers end without [DONE], but none without a reason to stop.
        if self.stop.is_some() { self.finish(out) } else { Err(self.source.truncated()) }
    }

    fn progress(&self) -> Progress {
        match (self.ended, &self.stop) {
            (true, _) => Progress::Ended,
            (false, Some(_)) => Progress::Complete,
            (false, None) => Progress::Open,
        }
    }
}
