//! Where each setting comes from, told without asking for any secret.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::config::{Config, Kept, Reference, SETTINGS, SecretStore, Setting, Sources, StoreError};

#[derive(Serialize)]
pub struct Row {
    pub name: &'static str,
    /// None when it is unset and has no default.
    pub value: Option<String>,
    pub from: Layer,
    /// The kind of reference that leads to a secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub via: Option<&'static str>,
    pub about: &'static str,
}

#[derive(Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layer {
    Flag,
    Environment,
    File,
    Keyring,
    SecretFile,
    Default,
}

struct Layers<'a> {
    sources: &'a Sources,
    file: toml::Table,
    kept: BTreeMap<String, Kept>,
}

/// As [`Config::load`] lays the layers over each other; what it did not refuse needs no check here. Where what is kept
/// cannot be read, nothing of it is used, and why is told beside.
pub fn rows(config: &Config, sources: &Sources) -> anyhow::Result<(Vec<Row>, Option<StoreError>)> {
    let text = std::fs::read_to_string(&config.file).unwrap_or_default();
    let (kept, unread) = match SecretStore::new(&config.state_dir).kept() {
        Ok(kept) => (kept, None),
        Err(error) => (BTreeMap::new(), Some(error)),
    };
    let layers = Layers { sources, file: toml::from_str(&text)?, kept };
    Ok((SETTINGS.iter().map(|setting| layers.row(setting, config)).collect(), unread))
}

impl Layers<'_> {
    fn row(&self, setting: &'static Setting, config: &Config) -> Row {
        let Setting { name, about, .. } = *setting;
        let flags = &self.sources.flags;
        let found = self.find(setting);
        // Where these are is known, whoever said so.
        if name == "OPEN_THINK_CONFIG" {
            let from = place(flags.config_file.is_some(), found.as_ref());
            return Row { name, value: Some(config.file.display().to_string()), from, via: None, about };
        }
        if name == "OPEN_THINK_STATE_DIR" {
            let from = place(flags.state_dir.is_some(), found.as_ref());
            return Row { name, value: Some(config.state_dir.display().to_string()), from, via: None, about };
        }
        if name == "OPEN_THINK_PROFILE" {
            let from = place(flags.profile.is_some(), found.as_ref());
            return Row {
                name,
                value: flags.profile.clone().or(found.map(|(_, value)| value)),
                from,
                via: None,
                about,
            };
        }
        match found {
            Some((from, value)) if setting.is_secret() => {
                Row { name, value: Some("***".to_owned()), from, via: Reference::kind(&value), about }
            }
            Some((from, value)) => Row { name, value: Some(value), from, via: None, about },
            None => match self.kept.get(name) {
                Some(kept) => {
                    let from = if matches!(kept, Kept::Keyring) { Layer::Keyring } else { Layer::SecretFile };
                    Row { name, value: Some("***".to_owned()), from, via: None, about }
                }
                None => Row { name, value: setting.default.map(str::to_owned), from: Layer::Default, via: None, about },
            },
        }
    }

    fn find(&self, setting: &Setting) -> Option<(Layer, String)> {
        let flags = self.sources.flags.settings.iter().rev();
        let flag = flags.clone().find(|(name, _)| name.eq_ignore_ascii_case(setting.name));
        let flag = flag.map(|(_, value)| value.clone());
        let environment = self.sources.env.get(setting.name).map(|value| value.to_string_lossy().into_owned());
        let key = setting.key();
        let in_file = key.and_then(|key| self.file.get(&key).or_else(|| self.file.get(setting.name))).map(shown);
        let layers = [(Layer::Flag, flag), (Layer::Environment, environment), (Layer::File, in_file)];
        let counts = |value: &String| setting.takes_list() || !value.trim().is_empty();
        layers.into_iter().find_map(|(from, value)| Some((from, value.filter(counts)?)))
    }
}

fn place(flag: bool, found: Option<&(Layer, String)>) -> Layer {
    if flag { Layer::Flag } else { found.map_or(Layer::Default, |(from, _)| *from) }
}

fn shown(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Array(items) => items.iter().map(shown).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

/// What those are told who would miss what is kept.
pub fn unused(error: &StoreError) -> String {
    format!("the secrets that were kept are not used: {error}.\nhint: {}", error.fix)
}

impl Row {
    /// As a person reads it.
    pub fn shown(&self) -> String {
        match (&self.value, self.via) {
            (None, _) => "-".to_owned(),
            (Some(value), None) => value.clone(),
            (Some(value), Some(via)) => format!("{value} ({via}:)"),
        }
    }
}

impl Layer {
    pub fn name(self) -> &'static str {
        match self {
            Self::Flag => "flag",
            Self::Environment => "environment",
            Self::File => "file",
            Self::Keyring => "keyring",
            Self::SecretFile => "secret file",
            Self::Default => "default",
        }
    }
}
