//! A model's answer, whole.

use super::{Message, Usage};

#[derive(Clone, Debug, PartialEq)]
pub struct Completion {
    /// Always of role assistant.
    pub message: Message,
    pub usage: Usage,
    pub stop: Stop,
    /// The model that answered, as it names itself.
    pub model: Option<String>,
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
