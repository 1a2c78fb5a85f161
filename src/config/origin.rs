//! Where a configuration came from, so that it can be read again, and what has changed in its file since.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use super::file::Entry;
use super::{Config, ConfigError, Secret, Sources};

/// `Debug` prints nothing of it: it holds secrets.
#[derive(Clone, Default)]
pub struct Origin {
    sources: Option<Arc<Sources>>,
    /// What stands in the file, by name: values as digests alone.
    outline: BTreeMap<String, u64>,
}

/// Names of settings, `table.key` for those in tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes(Vec<String>);

/// What holds from the start of a process to its end.
const OF_THE_START: [&str; 7] =
    ["daemon.", "limits.", "log", "open_think_log", "otel_", "helm.queued_turns", "codex.warm_threads"];

/// What among that may change all the same.
const AT_ANY_TIME: [&str; 2] = ["daemon.allowed_hosts", "daemon.allowed_origins"];

impl Origin {
    pub(super) fn of(sources: Sources) -> Self {
        Self { sources: Some(Arc::new(sources)), outline: BTreeMap::new() }
    }

    pub(super) fn note(&mut self, entry: &Entry<'_>) {
        match entry.table() {
            Ok(members) => {
                members.iter().for_each(|member| self.note_value(&format!("{}.{}", entry.key, member.key), member));
            }
            Err(_) => self.note_value(entry.key, entry),
        }
    }

    fn note_value(&mut self, name: &str, entry: &Entry<'_>) {
        let mut hasher = DefaultHasher::new();
        entry.json().map(|value| value.to_string()).unwrap_or_default().hash(&mut hasher);
        self.outline.insert(name.to_ascii_lowercase(), hasher.finish());
    }
}

impl Config {
    /// The same once more: from the same flags and environment, and what stands in the file now.
    ///
    /// # Errors
    /// As [`Config::load`]; none where it was not loaded from anywhere.
    pub fn again(&self) -> Result<Self, ConfigError> {
        match &self.origin.sources {
            Some(sources) => Self::load(Sources::clone(sources)),
            None => Ok(self.clone()),
        }
    }

    /// What stands otherwise in the file than it did then, and the secrets that are others.
    pub fn changes_since(&self, before: &Self) -> Changes {
        let (old, new) = (&before.origin.outline, &self.origin.outline);
        let changed = |name: &&String| old.get(*name) != new.get(*name);
        let mut names: Vec<String> = old.keys().chain(new.keys()).filter(changed).cloned().collect();
        // Values that the file only refers to, or that are kept beside it.
        let secrets = before.named_secrets().into_iter().zip(self.named_secrets());
        let others = secrets.filter(|((_, old), (_, new))| old.map(Secret::expose) != new.map(Secret::expose));
        names.extend(others.map(|((name, _), _)| name.to_owned()));
        names.sort_unstable();
        names.dedup();
        Changes(names)
    }
}

impl Changes {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn names(&self) -> &[String] {
        &self.0
    }

    /// Whether a name begins with one of these.
    pub fn touch(&self, beginnings: &[&str]) -> bool {
        self.0.iter().any(|name| beginnings.iter().any(|beginning| name.starts_with(beginning)))
    }

    /// Those that are without effect until the process is started anew.
    pub fn for_restart(&self) -> Vec<String> {
        let of_the_start = |name: &&String| {
            let begins = OF_THE_START.iter().any(|beginning| name.starts_with(beginning));
            begins && !AT_ANY_TIME.contains(&name.as_str())
        };
        self.0.iter().filter(of_the_start).cloned().collect()
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Origin")
    }
}
