//! The shapes of Workers AI's own API. Foreigners: they only read and write. What is like OpenAI's is taken from there.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::providers::chat::wire::{Call, Function, Tool, UserContent};
use crate::providers::text::Text;

/// What Cloudflare's API wraps around an answer that is no stream.
#[derive(Debug, Deserialize)]
pub(super) struct Envelope<'a> {
    #[serde(borrow)]
    pub(super) result: Option<&'a RawValue>,
    pub(super) success: Option<bool>,
    #[serde(borrow)]
    pub(super) state: Option<Text<'a>>,
}

impl Envelope<'_> {
    pub(super) fn failed(&self) -> bool {
        self.success == Some(false) || self.state.as_deref().is_some_and(|state| state == "Failed")
    }
}

/// One event of a stream, or a whole result.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Chunk<'a> {
    /// A string, unless it looks like a number or an object was asked for.
    #[serde(borrow)]
    pub(super) response: Option<&'a RawValue>,
    pub(super) tool_calls: Option<Vec<CallPiece<'a>>>,
    #[serde(borrow)]
    pub(super) usage: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) finish_reason: Option<Text<'a>>,
    /// There when the model speaks OpenAI's dialect.
    #[serde(borrow)]
    pub(super) choices: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) error: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) errors: Option<&'a RawValue>,
}

/// A call as OpenAI writes it, or with the name and the arguments (an object) bare.
#[derive(Debug, Default, Deserialize)]
pub(super) struct CallPiece<'a> {
    pub(super) index: Option<u32>,
    #[serde(borrow)]
    pub(super) id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) function: Option<Function<'a>>,
    #[serde(borrow)]
    pub(super) name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) arguments: Option<&'a RawValue>,
}

#[derive(Debug, Serialize)]
pub(super) struct Body<'a> {
    pub(super) messages: Vec<Message<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) tools: Vec<Tool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tool_choice: Option<Choice<'a>>,
    pub(super) max_tokens: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) temperature: Option<f64>,
    pub(super) stream: bool,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Choice<'a> {
    Word(&'static str),
    Named { r#type: &'static str, function: Named<'a> },
}

#[derive(Debug, Serialize)]
pub(super) struct Named<'a> {
    pub(super) name: &'a str,
}

/// Unlike OpenAI's, `content` is never null, and a result says the name of its tool.
#[derive(Debug, Serialize)]
#[serde(tag = "role", rename_all = "lowercase")]
pub(super) enum Message<'a> {
    System {
        content: Cow<'a, str>,
    },
    User {
        content: UserContent<'a>,
    },
    Assistant {
        content: String,
        #[serde(skip_serializing_if = "String::is_empty")]
        reasoning: String,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        tool_calls: Vec<Call<'a>>,
    },
    Tool {
        name: &'a str,
        tool_call_id: &'a str,
        content: Cow<'a, str>,
    },
}
