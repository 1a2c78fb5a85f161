//! Taking secrets out of text that comes from elsewhere: upstream errors, command output.

use std::sync::Arc;

use serde_json::Value;

/// Shorter values would blank ordinary words.
const MIN_SECRET: usize = 6;

/// Cloning shares the secrets.
#[derive(Clone, Default)]
pub struct Redactor {
    secrets: Arc<[String]>,
}

impl Redactor {
    pub fn new(secrets: impl IntoIterator<Item = String>) -> Self {
        let mut secrets: Vec<String> = secrets.into_iter().filter(|secret| secret.len() >= MIN_SECRET).collect();
        // A secret that contains another must go first.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Self { secrets: secrets.into() }
    }

    pub fn redact(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in self.secrets.iter().filter(|secret| !secret.is_empty()) {
            if text.contains(secret.as_str()) {
                text = text.replace(secret.as_str(), "***");
            }
        }
        text
    }
}

impl Redactor {
    /// In every text of the document.
    pub fn redact_json(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.redact(text),
            Value::Array(list) => list.iter_mut().for_each(|item| self.redact_json(item)),
            Value::Object(fields) => fields.values_mut().for_each(|field| self.redact_json(field)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Redactor;

    #[test]
    fn documents_are_blanked_in_depth() {
        let mut value = json!({ "a": ["key sk-abcdef", 1], "b": { "c": "sk-abcdef" } });
        Redactor::new(["sk-abcdef".to_owned()]).redact_json(&mut value);
        assert_eq!(value, json!({ "a": ["key ***", 1], "b": { "c": "***" } }));
    }

    #[test]
    fn known_secrets_are_blanked_longest_first() {
        let redactor = Redactor::new(["sk-abcdef".to_owned(), "sk-abcdef-long".to_owned(), "x".to_owned()]);
        assert_eq!(redactor.redact("key sk-abcdef-long, then sk-abcdef; x stays"), "key ***, then ***; x stays");
    }
}
