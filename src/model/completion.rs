//! A model's answer, whole.

use serde_json::{Map, Value};

use super::{Message, Usage};

/// What a provider says beside its answer: `path` (the way it took), cache status, request ids, rate limits. The names
/// are camelCase, as clients see them; none is a secret.
pub type Metadata = Map<String, Value>;

#[derive(Clone, Debug, PartialEq)]
pub struct Completion {
    /// Always of role assistant.
    pub message: Message,
    pub usage: Usage,
    pub stop: Stop,
    /// The model that answered, as it names itself.
    pub model: Option<String>,
    pub metadata: Metadata,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    EndTurn,
    ToolUse,
    MaxTokens,
    StopSequence,
    /// The model declined; the text says why when the vendor gave a reason.
    Refusal(Option<String>),
    ContentFilter,
    ContextExceeded,
    /// The vendor's own tool loop paused: sending the answer back as it is makes it go on.
    Pause,
    Other(String),
}
