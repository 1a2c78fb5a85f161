//! A JSON Schema, which is written into every request and hardly ever looked into: its text is kept beside it.

use std::ops::Deref;

use serde::{Serialize, Serializer};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

/// Reads as the value, is written as the text.
#[derive(Clone, Debug)]
pub struct Schema {
    value: Value,
    text: Box<RawValue>,
}

impl Schema {
    /// As it is written.
    pub fn text(&self) -> &str {
        self.text.get()
    }
}

impl From<Value> for Schema {
    fn from(value: Value) -> Self {
        let text = to_raw_value(&value).expect("a JSON value can be written");
        Self { value, text }
    }
}

impl Deref for Schema {
    type Target = Value;

    fn deref(&self) -> &Value {
        &self.value
    }
}

impl PartialEq for Schema {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl Serialize for Schema {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.text.serialize(serializer)
    }
}
