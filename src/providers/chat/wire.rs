//! The shapes of OpenAI's chat completions and of what others make of them. Foreigners: they only read and write.

use std::borrow::Cow;
use std::fmt;

use serde::de::value::SeqAccessDeserializer;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::model::Schema;
use crate::providers::text::Text;

/// A chunk of a stream, or a whole answer: they differ in `delta` and `message` only.
#[derive(Debug, Deserialize)]
pub(in crate::providers) struct Chunk<'a> {
    #[serde(borrow)]
    pub(in crate::providers) model: Option<Text<'a>>,
    pub(in crate::providers) choices: Option<Vec<Choice<'a>>>,
    #[serde(borrow)]
    pub(in crate::providers) usage: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(in crate::providers) x_groq: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(in crate::providers) error: Option<&'a RawValue>,
    /// Of the boxes in between, which put several in a list.
    #[serde(borrow)]
    pub(in crate::providers) errors: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(in crate::providers) object: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
pub(in crate::providers) struct Choice<'a> {
    pub(in crate::providers) index: Option<u32>,
    #[serde(borrow)]
    pub(in crate::providers) delta: Option<Piece<'a>>,
    #[serde(borrow)]
    pub(in crate::providers) message: Option<Piece<'a>>,
    #[serde(borrow)]
    pub(in crate::providers) finish_reason: Option<Text<'a>>,
}

#[derive(Debug, Default, Deserialize)]
pub(in crate::providers) struct Piece<'a> {
    #[serde(borrow)]
    pub(in crate::providers) content: Option<Content<'a>>,
    #[serde(borrow)]
    pub(in crate::providers) reasoning_content: Option<Text<'a>>,
    #[serde(borrow)]
    pub(in crate::providers) reasoning: Option<Text<'a>>,
    pub(in crate::providers) reasoning_details: Option<Vec<Value>>,
    /// LiteLLM's, which come beside the text.
    pub(in crate::providers) thinking_blocks: Option<Vec<Value>>,
    #[serde(borrow)]
    pub(in crate::providers) refusal: Option<Text<'a>>,
    #[serde(borrow)]
    pub(in crate::providers) tool_calls: Option<Vec<CallPiece<'a>>>,
    /// What calls were before there could be several.
    #[serde(borrow)]
    pub(in crate::providers) function_call: Option<Function<'a>>,
}

#[derive(Debug, Default, Deserialize)]
pub(in crate::providers) struct CallPiece<'a> {
    pub(in crate::providers) index: Option<u32>,
    #[serde(borrow)]
    pub(in crate::providers) id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(in crate::providers) function: Option<Function<'a>>,
    /// Gemini's signature of the thought that led to the call.
    pub(in crate::providers) extra_content: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
pub(in crate::providers) struct Function<'a> {
    #[serde(borrow)]
    pub(in crate::providers) name: Option<Text<'a>>,
    /// A string by the book, an object by some.
    #[serde(borrow)]
    pub(in crate::providers) arguments: Option<&'a RawValue>,
}

#[derive(Debug)]
pub(in crate::providers) enum Content<'a> {
    Text(Text<'a>),
    Parts(Vec<Part<'a>>),
}

#[derive(Debug, Deserialize)]
pub(in crate::providers) struct Part<'a> {
    #[serde(borrow)]
    pub(in crate::providers) text: Option<Text<'a>>,
    /// Mistral's reasoning models.
    #[serde(borrow)]
    pub(in crate::providers) thinking: Option<Content<'a>>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Content<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor)
    }
}

struct ContentVisitor;

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = Content<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or a list of parts")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Content::Text(Text(Cow::Borrowed(text))))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Content::Text(Text(Cow::Owned(text.to_owned()))))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Content::Text(Text(Cow::Owned(number.to_string()))))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Content::Text(Text(Cow::Owned(number.to_string()))))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Content::Text(Text(Cow::Owned(number.to_string()))))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Content::Text(Text::default()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Content::Text(Text::default()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(list)).map(Content::Parts)
    }
}

#[derive(Debug, Serialize)]
pub(in crate::providers) struct Body<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(in crate::providers) model: &'a str,
    pub(in crate::providers) messages: Vec<Message<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::providers) tools: Vec<Tool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::providers) tool_choice: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::providers) max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::providers) max_completion_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::providers) temperature: Option<f64>,
    pub(in crate::providers) stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::providers) stream_options: Option<StreamOptions>,
}

#[derive(Debug, Serialize)]
pub(in crate::providers) struct StreamOptions {
    pub(in crate::providers) include_usage: bool,
}

#[derive(Debug, Serialize)]
#[serde(tag = "role", rename_all = "lowercase")]
pub(in crate::providers) enum Message<'a> {
    System { content: Cow<'a, str> },
    User { content: UserContent<'a> },
    Assistant(Assistant<'a>),
    Tool { tool_call_id: Cow<'a, str>, content: Cow<'a, str> },
}

#[derive(Debug, Default, Serialize)]
pub(in crate::providers) struct Assistant<'a> {
    pub(in crate::providers) content: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::providers) reasoning_content: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::providers) reasoning: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::providers) reasoning_details: Vec<&'a Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::providers) thinking_blocks: Vec<&'a Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::providers) tool_calls: Vec<Call<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(in crate::providers) enum UserContent<'a> {
    Text(String),
    Parts(Vec<UserPart<'a>>),
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(in crate::providers) enum UserPart<'a> {
    Text { text: &'a str },
    ImageUrl { image_url: ImageUrl<'a> },
}

#[derive(Debug, Serialize)]
pub(in crate::providers) struct ImageUrl<'a> {
    pub(in crate::providers) url: Cow<'a, str>,
}

#[derive(Debug, Serialize)]
pub(in crate::providers) struct Call<'a> {
    pub(in crate::providers) id: Cow<'a, str>,
    pub(in crate::providers) r#type: &'static str,
    pub(in crate::providers) function: CallFunction<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::providers) extra_content: Option<&'a Value>,
}

#[derive(Debug, Serialize)]
pub(in crate::providers) struct CallFunction<'a> {
    pub(in crate::providers) name: &'a str,
    pub(in crate::providers) arguments: Cow<'a, str>,
}

#[derive(Debug, Serialize)]
pub(in crate::providers) struct Tool<'a> {
    pub(in crate::providers) r#type: &'static str,
    pub(in crate::providers) function: ToolFunction<'a>,
}

#[derive(Debug, Serialize)]
pub(in crate::providers) struct ToolFunction<'a> {
    pub(in crate::providers) name: &'a str,
    pub(in crate::providers) description: &'a str,
    pub(in crate::providers) parameters: &'a Schema,
}
