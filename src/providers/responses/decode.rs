//! Theirs to ours: events of the Responses API, or a whole response, as deltas.

use std::collections::HashSet;

use reqwest::header::HeaderMap;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::item::{Binding, PartKind, Place};
use super::items::Items;
use super::limits::Limits;
use super::wire::{Event as WireEvent, Response, Usage as WireUsage};
use crate::model::{Delta, ErrorKind, Metadata, ProviderError, Request, Stop, Usage};
use crate::providers::history::call_ids;
use crate::providers::reader::{Decode, Deltas, Progress};
use crate::providers::sse::Event;
use crate::providers::text::filled;
use crate::providers::upstream::Source;

pub(super) struct Decoder {
    source: Source,
    items: Items,
    limits: Limits,
    /// The items as they came, where the answer is wanted in one piece from an endpoint that only streams.
    raw: Option<Vec<Value>>,
    named: bool,
    ended: bool,
}

/// What a decoder has to know of the request.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    /// Ids of the calls so far.
    pub(super) call_ids: HashSet<String>,
    pub(super) tools: HashSet<String>,
    /// Whether the answer is wanted as it came, though it comes as a stream.
    pub(super) keep_raw: bool,
}

impl Asked {
    pub(super) fn by(request: &Request, only_streams: bool) -> Self {
        Self {
            call_ids: call_ids(&request.messages),
            tools: request.tools.iter().map(|tool| tool.name.clone()).collect(),
            keep_raw: request.include_raw && !request.stream && only_streams,
        }
    }
}

impl Decoder {
    pub(super) fn new(source: Source, binding: Binding, asked: Asked, limits: Limits) -> Self {
        let items = Items::new(binding, asked.call_ids, asked.tools);
        let raw = asked.keep_raw.then(Vec::new);
        Self { source, items, limits, raw, named: false, ended: false }
    }

    fn read(&mut self, text: &str, event_name: &str, out: &mut Deltas) -> Result<(), ProviderError> {
        let Ok(event) = serde_json::from_str::<WireEvent<'_>>(text) else {
            return Err(if event_name == "error" { self.failure(text) } else { self.source.misunderstood(text) });
        };
        let place = Place { output_index: event.output_index, id: filled(&event.item_id) };
        let more = filled(&event.delta).unwrap_or_default();
        let part = event.content_index.unwrap_or(0);
        match filled(&event.r#type).unwrap_or(event_name) {
            "response.output_text.delta" => self.items.grow(place, (PartKind::Text, part), more, out),
            "response.refusal.delta" => self.items.grow(place, (PartKind::Refusal, part), more, out),
            "response.reasoning_text.delta" => self.items.grow(place, (PartKind::Thought, part), more, out),
            "response.reasoning_summary_text.delta" => {
                let part = event.summary_index.unwrap_or(0);
                self.items.grow(place, (PartKind::Summary, part), more, out);
            }
            "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta" => {
                self.items.grow_call(place, more, out);
            }
            "response.output_item.added" => {
                if let Some(item) = event.item.and_then(read) {
                    self.items.add(place, &item, out);
                }
            }
            "response.output_item.done" => {
                if let Some(item) = event.item.and_then(read) {
                    self.items.done(place, &item, out);
                    self.raw.iter_mut().for_each(|raw| raw.push(item.clone()));
                }
            }
            "response.completed" => return self.last("completed", event.response, out),
            "response.incomplete" => return self.last("incomplete", event.response, out),
            "response.failed" => return self.last("failed", event.response, out),
            "response.created" | "response.queued" | "response.in_progress" => {
                let response = event.response.and_then(read::<Response>);
                self.name(response.and_then(|response| response.model), out);
            }
            "codex.rate_limits" => {
                let event = serde_json::from_str(text).unwrap_or_default();
                out.extend(self.limits.told_by_event(&event).map(Delta::Metadata));
            }
            "error" => return Err(self.failure(text)),
            _ if event.error.is_some_and(|error| error.get() != "null") => return Err(self.failure(text)),
            // The ends of parts, which say nothing that the ends of their items do not, and what is not known yet.
            _ => {}
        }
        Ok(())
    }

    fn name(&mut self, model: Option<String>, out: &mut Deltas) {
        if let Some(model) = model.filter(|model| !model.is_empty() && !self.named) {
            self.named = true;
            out.push_back(Delta::Model(model));
        }
    }

    /// The last event of a stream.
    fn last(&mut self, status: &str, raw: Option<&RawValue>, out: &mut Deltas) -> Result<(), ProviderError> {
        let json = raw.map_or("{}", RawValue::get);
        let response = serde_json::from_str::<Response>(json).map_err(|_| self.source.misunderstood(json))?;
        let response = Response { status: Some(status.to_owned()), ..response };
        if let Some(items) = self.raw.take() {
            let mut raw: Value = serde_json::from_str(json).unwrap_or_default();
            if response.output.as_ref().is_none_or(Vec::is_empty) {
                raw["output"] = Value::Array(items);
            }
            out.push_back(Delta::Metadata(Metadata::from_iter([("response".to_owned(), raw)])));
        }
        self.finish(response, out)
    }

    fn finish(&mut self, response: Response, out: &mut Deltas) -> Result<(), ProviderError> {
        self.name(response.model, out);
        out.extend(response.usage.as_ref().map(|usage| Delta::Usage(convert(usage))));
        if let Some(error) = response.error.filter(|error| !error.is_null()) {
            return Err(self.source.broke_off(&error));
        }
        let stop = match response.status.as_deref() {
            Some("failed" | "cancelled") => return Err(self.source.broke_off(&Value::Null)),
            Some("incomplete") => {
                let reason = response.incomplete_details.and_then(|details| details.reason);
                stop_for(reason.as_deref().unwrap_or_default())
            }
            _ => Stop::EndTurn,
        };
        self.items.finish(response.output.as_deref().unwrap_or_default(), out);
        let goes_on = response.end_turn == Some(false);
        let stop = match stop {
            Stop::EndTurn if self.items.has_calls() => Stop::ToolUse,
            Stop::EndTurn if goes_on => Stop::Pause,
            stop => self.items.take_refusal().map_or(stop, |reason| Stop::Refusal(Some(reason))),
        };
        if stop == Stop::EndTurn && self.items.is_empty() {
            return Err(self.nothing_said());
        }
        self.ended = true;
        out.push_back(Delta::Finished(stop));
        Ok(())
    }

    fn failure(&self, json: &str) -> ProviderError {
        let error = serde_json::from_str(json).unwrap_or_else(|_| Value::String(json.to_owned()));
        self.source.broke_off(&error)
    }

    fn nothing_said(&self) -> ProviderError {
        let name = self.source.upstream.name;
        ProviderError::new(ErrorKind::Protocol, format!("{name} answered with an empty response"))
            .with_hint("ask again, or ask another model")
    }
}

impl Decode for Decoder {
    fn headers(&mut self, headers: &HeaderMap, out: &mut Deltas) {
        let mut metadata = self.limits.told_by_headers(headers).unwrap_or_default();
        if let Some(id) = headers.get("x-request-id").and_then(|value| value.to_str().ok()) {
            metadata.insert("requestId".to_owned(), json!(id));
        }
        if !metadata.is_empty() {
            out.push_back(Delta::Metadata(metadata));
        }
    }

    fn event(&mut self, event: &Event<'_>, out: &mut Deltas) -> Result<(), ProviderError> {
        match event.data.trim() {
            // Gateways that speak several dialects end this one as they end the others.
            "" | "[DONE]" => Ok(()),
            text => self.read(text, event.name, out),
        }
    }

    fn whole(&mut self, body: &str, out: &mut Deltas) -> Result<(), ProviderError> {
        let Ok(value) = serde_json::from_str::<Value>(body) else { return Err(self.source.misunderstood(body)) };
        let is_answer = value.get("output").is_some_and(Value::is_array);
        if value.get("error").is_some_and(|error| !error.is_null()) && !is_answer {
            return Err(self.source.broke_off(&value));
        }
        let response = serde_json::from_value(value).ok().filter(|_| is_answer);
        self.finish(response.ok_or_else(|| self.source.misunderstood(body))?, out)
    }

    fn end(&mut self, _: &mut Deltas) -> Result<(), ProviderError> {
        Err(self.source.truncated())
    }

    fn progress(&self) -> Progress {
        if self.ended { Progress::Ended } else { Progress::Open }
    }
}

/// None if it is of another shape, which may come from a version to be: what matters comes again at the end.
fn read<T: DeserializeOwned>(raw: &RawValue) -> Option<T> {
    serde_json::from_str(raw.get()).ok()
}

fn stop_for(reason: &str) -> Stop {
    match reason {
        "max_output_tokens" | "max_tokens" | "" => Stop::MaxTokens,
        "content_filter" => Stop::ContentFilter,
        other => Stop::Other(other.to_owned()),
    }
}

fn convert(wire: &WireUsage) -> Usage {
    let input = wire.input_tokens_details.as_ref();
    Usage {
        input_tokens: wire.input_tokens,
        output_tokens: wire.output_tokens,
        cached_tokens: input.and_then(|details| details.cached_tokens),
        cache_write_tokens: input.and_then(|details| details.cache_write_tokens),
        reasoning_tokens: wire.output_tokens_details.as_ref().and_then(|details| details.reasoning_tokens),
        cost_nano_usd: None,
    }
}
