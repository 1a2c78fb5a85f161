//! The layers laid over each other: defaults, file, environment, flags.

use std::path::Path;

use super::file::{Entry, Source};
use super::settings::Given;
use super::sources::ConfigFile;
use super::{
    Config, ConfigError, ConfigErrorKind, Environment, Origin, SETTINGS, Setting, Sources, nearest, price, skill,
    tables,
};

impl Config {
    /// Reads the file; nothing is written, and the state directory need not exist.
    pub fn load(sources: Sources) -> Result<Self, ConfigError> {
        let origin = Origin::of(sources.clone());
        let mut config = Self { state_dir: sources.state_dir()?, origin, ..Self::default() };
        if let Some(text) = read(&mut config, sources.config_file()?)? {
            let path = config.file.clone();
            apply_file(&mut config, Source { path: &path, text: &text })?;
        }
        apply_environment(&mut config, &sources)?;
        apply_flags(&mut config, &sources)?;
        if config.codex.home.is_none() && config.wants_codex_home() {
            config.codex.home = sources.in_home(".codex");
        }
        config.warnings.extend(config.spend.warning().map(str::to_owned));
        config.environment = Environment::new(sources.env);
        Ok(config)
    }

    /// The Codex CLI's own sign-in is somebody else's: it is used only where the user asked for the plugin by name and gave
    /// it nothing of its own.
    fn wants_codex_home(&self) -> bool {
        let named = self.enabled_plugins.iter().flatten().any(|id| id == "codex");
        named && self.codex.api_key.is_none() && self.codex.access_token.is_none()
    }
}

/// The file's text, if there is one.
fn read(config: &mut Config, file: ConfigFile) -> Result<Option<String>, ConfigError> {
    let (path, must_be_there) = match file {
        ConfigFile::Named(path) => (path, true),
        ConfigFile::Customary(path) => (path, false),
        ConfigFile::Nowhere => return Ok(None),
    };
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !must_be_there => None,
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            return Err(ConfigError::unreadable(&path, "it is not UTF-8 text"));
        }
        Err(error) => return Err(ConfigError::unreadable(&path, &error.to_string())),
    };
    config.file = path;
    Ok(text)
}

fn apply_file(config: &mut Config, source: Source<'_>) -> Result<(), ConfigError> {
    let document = source.parse()?;
    let mut seen: Vec<&str> = Vec::new();
    for entry in source.entries(&document) {
        config.origin.note(&entry);
        if let Some(setting) = find(&entry) {
            if seen.contains(&setting.name) {
                return Err(entry.fault("is set twice"));
            }
            seen.push(setting.name);
            apply_setting(config, setting, &entry)?;
        } else if entry.key == "skill" {
            config.skills = skill::read(&entry)?;
        } else if entry.key == "price" {
            config.spend.prices = price::read(&entry)?;
        } else if tables::names().any(|name| name == entry.key) {
            tables::apply(config, &entry)?;
        } else {
            return Err(unknown(&entry));
        }
    }
    let holds_secret = seen.iter().any(|name| Setting::find(name).is_some_and(Setting::is_secret));
    if holds_secret && open_to_others(source.path) {
        let file = source.path.display();
        config.warnings.push(format!("{file} holds a key and other users may read it: run chmod 600 '{file}'"));
    }
    Ok(())
}

/// Names stand in the file in lower case, or as in the environment; nothing in between.
fn find(entry: &Entry<'_>) -> Option<&'static Setting> {
    let setting = Setting::find(entry.key)?;
    let spelled = entry.key == setting.name || entry.key == setting.name.to_ascii_lowercase();
    spelled.then_some(setting)
}

fn apply_setting(config: &mut Config, setting: &Setting, entry: &Entry<'_>) -> Result<(), ConfigError> {
    if setting.key().is_none() {
        return Err(entry.fault("is read before this file: set it in the environment"));
    }
    let given = match (entry, setting.wanted_number()) {
        (list, _) if setting.takes_list() && list.is_array() => Given::List(list.texts()?),
        (number, Some(_)) if number.is_number() => Given::Text(number.json()?.to_string()),
        (other, Some(wanted)) if !other.is_text() => return Err(other.fault(wanted)),
        (text, _) => Given::Text(text.text()?),
    };
    setting.apply(config, given).map_err(|what| entry.fault(&what))
}

fn unknown(entry: &Entry<'_>) -> ConfigError {
    let mut known: Vec<String> = SETTINGS.iter().filter_map(Setting::key).collect();
    // [anthropic] with api_key in it is a good guess at anthropic_api_key.
    for inner in entry.table().unwrap_or_default() {
        let joined = format!("{}_{}", entry.key, inner.key).to_ascii_lowercase();
        if known.contains(&joined) {
            return entry.unknown_but(&format!("write {joined} at the top of the file"));
        }
    }
    known.extend(tables::names().chain(["skill", "price"]).map(str::to_owned));
    entry.unknown(known.iter().map(String::as_str))
}

fn apply_environment(config: &mut Config, sources: &Sources) -> Result<(), ConfigError> {
    for setting in SETTINGS {
        let Some(value) = sources.variable(setting.name) else { continue };
        let fault = |what: &str| ConfigError::in_environment(setting.name, what);
        let text = value.to_str().ok_or_else(|| fault("is not UTF-8 text"))?;
        setting.apply(config, Given::Text(text.to_owned())).map_err(|what| fault(&what))?;
    }
    Ok(())
}

fn apply_flags(config: &mut Config, sources: &Sources) -> Result<(), ConfigError> {
    for (name, value) in &sources.flags.settings {
        let Some(setting) = Setting::find(name) else {
            let known: Vec<&str> = SETTINGS.iter().map(|setting| setting.name).collect();
            let what = format!("does not exist: {}", nearest::advice(name, &known));
            return Err(ConfigError::in_flag(ConfigErrorKind::UnknownKey, name, &what));
        };
        let fault = |what: String| ConfigError::in_flag(ConfigErrorKind::Value, setting.name, &what);
        setting.apply(config, Given::Text(value.clone())).map_err(fault)?;
    }
    Ok(())
}

#[cfg(unix)]
fn open_to_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
}

/// Elsewhere a file belongs to its user's profile, and its rights are not said in bits.
#[cfg(not(unix))]
fn open_to_others(_: &Path) -> bool {
    false
}
