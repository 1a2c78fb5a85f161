//! The provider of a machine without a model: it ranks the skills it knows against the words of the request.
//!
//! It needs no network and always says the same to the same request. Where tools are offered it calls the best safe
//! skill whose input it can fill from the text, and reports the result; where none are, it proposes up to three. Its
//! final answers end by saying that no model is configured and how to add one.
//!
//! A person, or a test of the loop, may also say exactly what to call, one call a line:
//!
//! ```text
//! call admin-suggest-plugins {"goal":"dns"}
//! call admin-health-check
//! then
//! call admin-introspect {}
//! ```
//!
//! The calls up to a line `then` are made side by side in one message; those after it follow when the results are in.
//! The JSON is passed on as it was written, and the skill need not exist.

mod deltas;
mod input;
mod order;
mod rank;
mod render;
mod reply;

#[cfg(test)]
mod tests;

use async_trait::async_trait;
use futures_util::StreamExt;
use serde_json::Value;

use crate::model::{DeltaStream, Message, ModelInfo, Provider, ProviderError, Request, Role, ToolChoice, ToolSpec};

pub const ID: &str = "offline";

/// A skill, as far as it matters for choosing one.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub id: String,
    pub description: String,
    pub tags: Vec<String>,
    /// A JSON Schema of type `object`.
    pub input_schema: Value,
    pub dangerous: bool,
}

pub struct Offline {
    catalogue: Vec<Entry>,
}

#[derive(Debug, PartialEq)]
enum Answer {
    Say(String),
    Call(Vec<Call>),
}

#[derive(Clone, Debug, PartialEq)]
struct Call {
    skill: String,
    /// JSON, or what a person wrote for it.
    arguments: String,
}

impl Offline {
    pub fn new(catalogue: Vec<Entry>) -> Self {
        Self { catalogue }
    }

    fn answer(&self, request: &Request) -> Answer {
        let (text, since) = last_said(&request.messages);
        let offered = !request.tools.is_empty() && request.tool_choice != ToolChoice::None;
        let entries = if offered { self.offered(&request.tools) } else { self.catalogue.clone() };
        let rounds = since.iter().filter(|message| message.tool_calls().next().is_some()).count();
        if let Some(calls) = order::read(&text, &entries).into_iter().nth(rounds) {
            return if offered { Answer::Call(calls) } else { Answer::Say(reply::as_ordered(&calls)) };
        }
        let mut results: Vec<_> = since.iter().flat_map(Message::tool_results).collect();
        // As they were called, whichever ended first.
        let calls: Vec<&str> = since.iter().flat_map(Message::tool_calls).map(|call| call.id.as_str()).collect();
        results.sort_by_key(|result| calls.iter().position(|id| *id == result.call_id));
        if !results.is_empty() {
            return Answer::Say(reply::found(&results));
        }
        let ranked = rank::rank(&entries, &text);
        if !offered {
            return Answer::Say(reply::proposals(&ranked, &entries, &text));
        }
        match reply::choose(&ranked, &text) {
            Some(call) => Answer::Call(vec![call]),
            None => Answer::Say(reply::nothing_to_call(&ranked, &entries, &text)),
        }
    }

    /// What a tool is beyond its description is known from the catalogue; an unknown one counts as dangerous.
    fn offered(&self, tools: &[ToolSpec]) -> Vec<Entry> {
        let entry = |tool: &ToolSpec| {
            let known = self.catalogue.iter().find(|entry| entry.id == tool.name);
            Entry {
                id: tool.name.clone(),
                description: tool.description.clone(),
                tags: known.map(|entry| entry.tags.clone()).unwrap_or_default(),
                input_schema: Value::clone(&tool.input_schema),
                dangerous: known.is_none_or(|entry| entry.dangerous),
            }
        };
        tools.iter().map(entry).collect()
    }
}

#[async_trait]
impl Provider for Offline {
    fn id(&self) -> &str {
        ID
    }

    fn default_model(&self) -> Option<&str> {
        None
    }

    async fn stream(&self, request: Request) -> Result<DeltaStream, ProviderError> {
        let answer = self.answer(&request);
        let deltas = deltas::of(answer, &request.messages, request.stream);
        Ok(futures_util::stream::iter(deltas.into_iter().map(Ok)).boxed())
    }

    async fn models(&self) -> Result<Vec<ModelInfo>, ProviderError> {
        Ok(Vec::new())
    }
}

/// The user's last text, and the messages that came after it.
fn last_said(messages: &[Message]) -> (String, &[Message]) {
    match messages.iter().rposition(|message| message.role == Role::User) {
        Some(at) => (messages[at].plain_text(), &messages[at + 1..]),
        None => (String::new(), messages),
    }
}
