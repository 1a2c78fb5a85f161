//! A model's answer as it arrives.
//!
//! A provider yields, streamed or not: blocks that start, grow and stop, keyed by `index` (several may be open at
//! once), usage whenever it is reported, and `Finished` exactly once, last. An answer that breaks off yields an
//! error instead of `Finished`.

use super::{Metadata, Opaque, Stop, Usage};

#[derive(Clone, Debug, PartialEq)]
pub enum Delta {
    /// The model that answers, when it is known to differ from the one asked for or to name it exactly.
    Model(String),
    Start {
        index: u32,
        block: BlockStart,
    },
    /// More of a text or reasoning block.
    Text {
        index: u32,
        text: String,
    },
    /// More of a tool call's arguments.
    Arguments {
        index: u32,
        partial: String,
    },
    /// Replaces the opaque value of a reasoning, tool call or foreign block. What belongs to a text stands behind it,
    /// as a foreign block.
    Opaque {
        index: u32,
        opaque: Opaque,
    },
    Stop {
        index: u32,
    },
    /// A snapshot for this call: later ones replace, field by field.
    Usage(Usage),
    /// More of what is said beside the answer; a name that came before is replaced.
    Metadata(Metadata),
    Finished(Stop),
}

#[derive(Clone, Debug, PartialEq)]
pub enum BlockStart {
    Text,
    Reasoning,
    ToolCall { id: String, name: String },
    Foreign(Opaque),
}
