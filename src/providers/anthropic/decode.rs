//! Theirs to ours: events of the Messages API, or a whole message, as deltas.

use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use super::blocks::Blocks;
use super::headers;
use super::wire::{Answer, Event as WireEvent, ForeignEvent, Usage as WireUsage};
use crate::model::{Delta, Metadata, ProviderError, Stop, Usage};
use crate::providers::reader::{Decode, Deltas, Progress};
use crate::providers::sse::Event;
use crate::providers::text::filled;
use crate::providers::upstream::Source;

pub(super) struct Decoder {
    source: Source,
    blocks: Blocks,
    /// Of the message that began.
    id: Option<String>,
    counts: WireUsage,
    told: Usage,
    stop: Option<Stop>,
    ended: bool,
}

impl Decoder {
    /// `model` is the one that was asked for, which opaque values are bound to.
    pub(super) fn new(source: Source, model: String) -> Self {
        let counts = WireUsage::default();
        Self { source, blocks: Blocks::new(model), id: None, counts, told: Usage::default(), stop: None, ended: false }
    }

    fn begin(&mut self, message: Answer, out: &mut Deltas) -> Result<(), ProviderError> {
        let id = message.id.unwrap_or_default();
        match &self.id {
            // A gateway that asks again in the middle of a stream repeats what it has already sent on.
            Some(known) if *known == id => return Ok(()),
            // Or it gets another answer, and the halves of two do not make one.
            Some(_) if !self.blocks.is_empty() => return Err(self.source.truncated()),
            _ => self.id = Some(id),
        }
        out.extend(message.model.map(Delta::Model));
        for (index, block) in (0..).zip(message.content.unwrap_or_default()) {
            self.blocks.start(index, block, out);
            self.blocks.stop(index, out);
        }
        self.count(message.usage, out);
        if let Some(reason) = &message.stop_reason {
            self.stopped(reason, message.stop_details.as_ref(), out);
            self.contained(message.container, out);
        }
        Ok(())
    }

    fn stopped(&mut self, reason: &str, details: Option<&Value>, out: &mut Deltas) {
        let detail = |name: &str| details.and_then(|details| details.get(name)).and_then(Value::as_str);
        let why = detail("explanation").or_else(|| detail("category"));
        self.stop = Some(stop_for(reason, why.map(|why| self.source.redactor.redact(why))));
        if let Some(model) = detail("recommended_model") {
            out.push_back(Delta::Metadata(Metadata::from_iter([("recommendedModel".to_owned(), model.into())])));
        }
    }

    /// Where the vendor's tools ran: calls that they made can only be answered there.
    fn contained(&mut self, container: Option<Value>, out: &mut Deltas) {
        if let Some(id) = container.as_ref().and_then(|container| container.get("id")).and_then(Value::as_str) {
            self.blocks.keep(json!({ "container": id }), out);
        }
    }

    /// Counts replace each other; what an event leaves out stays.
    fn count(&mut self, usage: Option<WireUsage>, out: &mut Deltas) {
        let Some(new) = usage else { return };
        let old = self.counts;
        self.counts = WireUsage {
            input_tokens: new.input_tokens.or(old.input_tokens),
            output_tokens: new.output_tokens.or(old.output_tokens),
            cache_creation_input_tokens: new.cache_creation_input_tokens.or(old.cache_creation_input_tokens),
            cache_read_input_tokens: new.cache_read_input_tokens.or(old.cache_read_input_tokens),
            output_tokens_details: new.output_tokens_details.or(old.output_tokens_details),
        };
        let usage = usage_of(&self.counts);
        if usage != self.told {
            self.told = usage;
            out.push_back(Delta::Usage(usage));
        }
    }

    fn finish(&mut self, out: &mut Deltas) {
        self.blocks.stop_all(out);
        self.ended = true;
        out.push_back(Delta::Finished(self.stop.take().unwrap_or(Stop::EndTurn)));
    }

    fn read(&mut self, text: &str, event_name: &str, out: &mut Deltas) -> Result<(), ProviderError> {
        let Ok(event) = serde_json::from_str::<WireEvent<'_>>(text) else {
            return Err(if event_name == "error" { self.failure(text) } else { self.source.misunderstood(text) });
        };
        match filled(&event.r#type).unwrap_or(event_name) {
            "content_block_delta" => match (event.index, &event.delta) {
                (Some(index), Some(_)) if self.blocks.is_foreign(index) => {
                    let piece = serde_json::from_str::<ForeignEvent>(text).unwrap_or_default();
                    self.blocks.grow_foreign(index, piece.delta);
                }
                (Some(index), Some(piece)) => self.blocks.grow(index, piece, out),
                _ => {}
            },
            "content_block_start" => {
                let block = event.content_block.map(|raw| serde_json::from_str(raw.get()).unwrap_or_default());
                if let (Some(index), Some(block)) = (event.index, block) {
                    self.blocks.start(index, block, out);
                }
            }
            "content_block_stop" => {
                if let Some(index) = event.index {
                    self.blocks.stop(index, out);
                }
            }
            "message_start" => {
                let message = event.message.and_then(|raw| serde_json::from_str(raw.get()).ok());
                let Some(message) = message else { return Err(self.source.misunderstood(text)) };
                self.begin(message, out)?;
            }
            "message_delta" => {
                if let Some(delta) = event.delta
                    && let Some(reason) = filled(&delta.stop_reason)
                {
                    self.stopped(reason, delta.stop_details.as_ref(), out);
                    self.contained(delta.container, out);
                }
                self.count(event.usage, out);
            }
            "message_stop" => self.finish(out),
            "error" => return Err(self.failure(text)),
            _ if event.error.is_some() => return Err(self.failure(text)),
            // `ping`, and what is not known yet.
            _ => {}
        }
        Ok(())
    }

    fn failure(&self, json: &str) -> ProviderError {
        let error = serde_json::from_str(json).unwrap_or_else(|_| Value::String(json.to_owned()));
        self.source.broke_off(&error)
    }
}

impl Decode for Decoder {
    fn headers(&mut self, headers: &HeaderMap, out: &mut Deltas) {
        out.extend(Some(headers::metadata(headers)).filter(|told| !told.is_empty()).map(Delta::Metadata));
    }

    fn event(&mut self, event: &Event<'_>, out: &mut Deltas) -> Result<(), ProviderError> {
        match event.data.trim() {
            // Gateways that speak several dialects end this one as they end the others.
            "[DONE]" if self.stop.is_some() => {
                self.finish(out);
                Ok(())
            }
            "" | "[DONE]" => Ok(()),
            text => self.read(text, event.name, out),
        }
    }

    fn whole(&mut self, body: &str, out: &mut Deltas) -> Result<(), ProviderError> {
        let Ok(value) = serde_json::from_str::<Value>(body) else { return Err(self.source.misunderstood(body)) };
        if value.get("error").is_some_and(|error| !error.is_null()) {
            return Err(self.source.broke_off(&value));
        }
        let is_message = value.get("content").is_some_and(Value::is_array);
        let message = serde_json::from_value(value).ok().filter(|_| is_message);
        self.begin(message.ok_or_else(|| self.source.misunderstood(body))?, out)?;
        self.finish(out);
        Ok(())
    }

    fn end(&mut self, out: &mut Deltas) -> Result<(), ProviderError> {
        if self.stop.is_none() {
            return Err(self.source.truncated());
        }
        self.finish(out);
        Ok(())
    }

    fn progress(&self) -> Progress {
        match (self.ended, &self.stop) {
            (true, _) => Progress::Ended,
            (false, Some(_)) => Progress::Complete,
            (false, None) => Progress::Open,
        }
    }
}

fn stop_for(reason: &str, why: Option<String>) -> Stop {
    match reason {
        "end_turn" => Stop::EndTurn,
        "tool_use" => Stop::ToolUse,
        "max_tokens" => Stop::MaxTokens,
        "stop_sequence" => Stop::StopSequence,
        "pause_turn" => Stop::Pause,
        "refusal" => Stop::Refusal(why),
        "model_context_window_exceeded" => Stop::ContextExceeded,
        other => Stop::Other(other.to_owned()),
    }
}

/// Their input count leaves the cached part out; ours does not.
fn usage_of(counts: &WireUsage) -> Usage {
    let (written, cached) = (counts.cache_creation_input_tokens, counts.cache_read_input_tokens);
    let sum = |input: u64| input.saturating_add(written.unwrap_or(0)).saturating_add(cached.unwrap_or(0));
    Usage {
        input_tokens: counts.input_tokens.map(sum),
        output_tokens: counts.output_tokens,
        cached_tokens: cached,
        cache_write_tokens: written,
        reasoning_tokens: counts.output_tokens_details.and_then(|details| details.reasoning_tokens),
        cost_nano_usd: None,
    }
}
