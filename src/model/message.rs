//! One message of a conversation, made of blocks.
//!
//! These types are also what is kept on disk, so a change of their serialised shape is a migration.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ToolCall, ToolResult};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    System,
    User,
    Assistant,
    /// Carries only [`Block::ToolResult`]s; each dialect places them where its wire wants them.
    Tool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    pub role: Role,
    pub blocks: Vec<Block>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Block {
    Text {
        text: String,
    },
    Image {
        source: ImageSource,
    },
    ToolCall(ToolCall),
    ToolResult(ToolResult),
    /// `text` may be empty while `opaque` is not: some models sign a thought they do not show.
    Reasoning {
        text: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        opaque: Option<Opaque>,
    },
    /// A block that only its own dialect understands.
    Foreign {
        opaque: Opaque,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum ImageSource {
    Url {
        url: String,
    },
    /// `data` is base64.
    Base64 {
        media_type: String,
        data: String,
    },
}

/// What a vendor wants back unchanged: a signature, an encrypted thought, a block of its own.
/// It is replayed only to the dialect and model that made it; a wrong signature is refused upstream, a missing one is not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Opaque {
    pub dialect: String,
    pub model: String,
    pub value: Value,
}

impl Message {
    pub fn text(role: Role, text: impl Into<String>) -> Self {
        let blocks = vec![Block::Text { text: text.into() }];
        Self { role, blocks }
    }

    /// The visible text, blocks joined as they came.
    pub fn plain_text(&self) -> String {
        let texts = self.blocks.iter().filter_map(|block| match block {
            Block::Text { text } => Some(text.as_str()),
            _ => None,
        });
        texts.collect::<Vec<_>>().join("")
    }

    pub fn tool_calls(&self) -> impl Iterator<Item = &ToolCall> {
        self.blocks.iter().filter_map(|block| match block {
            Block::ToolCall(call) => Some(call),
            _ => None,
        })
    }

    pub fn tool_results(&self) -> impl Iterator<Item = &ToolResult> {
        self.blocks.iter().filter_map(|block| match block {
            Block::ToolResult(result) => Some(result),
            _ => None,
        })
    }
}

impl Opaque {
    pub fn belongs_to(&self, dialect: &str, model: &str) -> bool {
        self.dialect == dialect && self.model == model
    }
}
