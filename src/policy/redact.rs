//! Taking secrets out of text that comes from elsewhere: upstream errors, command output.

use std::sync::Arc;

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

    /// One that knows another secret beside these.
    pub fn with(&self, secret: &str) -> Self {
        let mut wider = self.clone();
        wider.secrets = Self::new(self.secrets.iter().cloned().chain([secret.to_owned()])).secrets;
        wider
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

#[cfg(test)]
mod tests {
    use super::Redactor;

    #[test]
    fn known_secrets_are_blanked_longest_first() {
        let redactor = Redactor::new(["sk-abcdef".to_owned(), "sk-abcdef-long".to_owned(), "x".to_owned()]);
        assert_eq!(redactor.redact("key sk-abcdef-long, then sk-abcdef; x stays"), "key ***, then ***; x stays");
        assert_eq!(redactor.with("another").redact("another sk-abcdef"), "*** ***");
    }
}
