//! The environment as it was read, for those who pass some of it on.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;

/// `Debug` prints the names alone: a value may be a secret.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, OsString>);

impl Environment {
    pub fn new(variables: BTreeMap<String, OsString>) -> Self {
        Self(variables)
    }

    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.0.get(name).map(OsString::as_os_str)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &OsStr)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_os_str()))
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::Environment;

    #[test]
    fn values_are_never_printed() {
        let environment = Environment::new([("A_TOKEN".to_owned(), "sk-1".into())].into());
        assert_eq!(format!("{environment:?}"), r#"{"A_TOKEN"}"#);
    }
}
