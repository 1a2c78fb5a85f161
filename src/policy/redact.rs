//! Taking secrets out of text that comes from elsewhere: upstream errors, command output.

use std::sync::{Arc, PoisonError, RwLock};

use serde_json::Value;

/// Shorter values would blank ordinary words.
const MIN_SECRET: usize = 6;
/// Of those learned later, the oldest are forgotten beyond this number.
const MAX_LEARNED: usize = 64;

/// Cloning shares the secrets.
#[derive(Clone, Default)]
pub struct Redactor {
    secrets: Arc<[String]>,
    /// Oldest first.
    learned: Arc<RwLock<Vec<String>>>,
}

impl Redactor {
    pub fn new(secrets: impl IntoIterator<Item = String>) -> Self {
        let secrets = secrets.into_iter().filter(|secret| secret.len() >= MIN_SECRET).collect();
        Self { secrets, learned: Arc::default() }
    }

    /// One more, that was not known at the start: a token read from a file, say. All clones know it from then on.
    pub fn learn(&self, secret: &str) {
        let mut learned = self.learned.write().unwrap_or_else(PoisonError::into_inner);
        if secret.len() < MIN_SECRET || learned.iter().any(|known| known == secret) {
            return;
        }
        if learned.len() == MAX_LEARNED {
            learned.remove(0);
        }
        learned.push(secret.to_owned());
    }

    /// One that knows another secret beside these.
    pub fn with(&self, secret: &str) -> Self {
        let mut wider = self.clone();
        wider.secrets = Self::new(self.secrets.iter().cloned().chain([secret.to_owned()])).secrets;
        wider
    }

    /// Whether there is something to take out.
    pub fn finds(&self, text: &str) -> bool {
        let learned = self.learned.read().unwrap_or_else(PoisonError::into_inner);
        self.secrets.iter().chain(learned.iter()).any(|secret| text.contains(secret.as_str()))
    }

    pub fn redact(&self, text: &str) -> String {
        let learned = self.learned.read().unwrap_or_else(PoisonError::into_inner);
        let known = self.secrets.iter().chain(learned.iter());
        let mut found: Vec<&String> = known.filter(|secret| text.contains(secret.as_str())).collect();
        // A secret that contains another must go first.
        found.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        found.into_iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), "***"))
    }
}

impl Redactor {
    /// In every text of the document.
    pub fn redact_json(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.redact(text),
            Value::Array(list) => list.iter_mut().for_each(|item| self.redact_json(item)),
            Value::Object(fields) => {
                fields.values_mut().for_each(|field| self.redact_json(field));
                if fields.keys().any(|name| self.finds(name)) {
                    *fields =
                        std::mem::take(fields).into_iter().map(|(name, field)| (self.redact(&name), field)).collect();
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Redactor;

    #[test]
    fn what_one_learns_all_know() {
        let redactor = Redactor::new([]);
        let other = redactor.clone();
        redactor.learn("token-1");
        redactor.learn("x");
        assert_eq!(other.redact("token-1, x"), "***, x");
        (0..64).for_each(|number| redactor.learn(&format!("token-of-{number}")));
        assert_eq!(other.redact("token-1, token-of-63"), "token-1, ***", "the oldest is forgotten");
    }

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
        assert_eq!(redactor.with("another").redact("another sk-abcdef"), "*** ***");
    }
}
