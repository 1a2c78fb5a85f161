//! Finding the message and the code in an error body, whatever it is wrapped in.

use std::time::Duration;

use serde_json::Value;

/// Deeper wrapping is nobody's habit.
const MAX_DEPTH: usize = 6;

#[derive(Debug, Default, PartialEq)]
pub(super) struct Envelope {
    pub(super) message: Option<String>,
    /// Every word or number that stands where a code or a type does, outermost first.
    pub(super) codes: Vec<String>,
    /// When a window begins anew, since 1970 and from now on.
    pub(super) resets_at: Option<Duration>,
    pub(super) resets_in: Option<Duration>,
}

impl Envelope {
    /// A body that is not JSON is its own message.
    pub(super) fn read(text: &str) -> Self {
        let value = serde_json::from_str::<Value>(text).ok().or_else(|| in_event(text));
        match value {
            Some(value) => Self::from_value(&value),
            None => Self { message: Some(text.to_owned()), ..Self::default() },
        }
    }

    pub(super) fn from_value(value: &Value) -> Self {
        let mut envelope = Self::default();
        envelope.search(value, MAX_DEPTH);
        envelope
    }

    /// Servers that fail inside an answer put what would have been the status among the codes.
    pub(super) fn status(&self) -> Option<u16> {
        let mut codes = self.codes.iter().rev().filter_map(|code| code.parse::<u16>().ok());
        codes.find(|code| (400..600).contains(code))
    }

    fn search(&mut self, value: &Value, depth: usize) {
        if depth == 0 {
            return;
        }
        match value {
            Value::String(text) => self.say(text),
            Value::Array(list) => {
                if let Some(first) = list.first() {
                    self.search(first, depth - 1);
                }
            }
            Value::Object(fields) => {
                for name in ["code", "status_code", "error_code", "type", "status"] {
                    self.note(fields.get(name));
                }
                self.resets_at = seconds(fields.get("resets_at")).or(self.resets_at);
                self.resets_in = seconds(fields.get("resets_in_seconds")).or(self.resets_in);
                // In the words of OAuth the error itself is but a code.
                if let Some(description) = fields.get("error_description") {
                    self.search(description, depth - 1);
                }
                // The inner message is the vendor's, the outer one that of a box in between.
                for name in ["error", "errors", "detail", "details"] {
                    if let Some(inner) = fields.get(name) {
                        self.search(inner, depth - 1);
                    }
                }
                for name in ["message", "msg", "title"] {
                    if let Some(message) = fields.get(name) {
                        self.search(message, depth - 1);
                    }
                }
            }
            _ => {}
        }
    }

    fn say(&mut self, text: &str) {
        if self.message.is_none() && !text.trim().is_empty() {
            self.message = Some(text.to_owned());
        }
    }

    fn note(&mut self, code: Option<&Value>) {
        match code {
            Some(Value::String(word)) => self.codes.push(word.clone()),
            Some(Value::Number(number)) => self.codes.push(number.to_string()),
            _ => {}
        }
    }
}

/// Servers that were about to stream put an error in the event that would have been the first.
fn in_event(text: &str) -> Option<Value> {
    let fields = text.lines().filter_map(|line| line.strip_prefix("data:").or_else(|| line.strip_prefix("error:")));
    fields.filter_map(|data| serde_json::from_str::<Value>(data).ok()).find(|value| !value.is_null())
}

fn seconds(value: Option<&Value>) -> Option<Duration> {
    value.and_then(Value::as_f64).and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
}
