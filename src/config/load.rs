//! The layers laid over each other: defaults, file, environment, flags.

use std::ffi::OsStr;
use std::path::Path;

use super::file::{Entry, Source};
use super::secrets::Claim;
use super::settings::Given;
use super::sources::ConfigFile;
use super::{
    Config, ConfigError, ConfigErrorKind, Environment, SETTINGS, Setting, Sources, nearest, price, skill, tables,
};

impl Config {
    /// Reads the file and has the secrets that are only referred to, which may run programs; nothing is written, and the
    /// state directory need not exist.
    pub fn load(sources: Sources) -> Result<Self, ConfigError> {
        let (platform, codex) = (sources.platform, sources.in_home(".codex"));
        let mut config = Self::read(sources)?;
        config.resolve(platform);
        if config.codex.home.is_none() && config.wants_codex_home() {
            config.codex.home = codex;
        }
        Ok(config)
    }

    /// As [`Config::load`], without any secret: for those who only want to know where things are.
    pub fn read(sources: Sources) -> Result<Self, ConfigError> {
        let (config, faults) = Self::examine(sources)?;
        faults.into_iter().next().map_or(Ok(config), Err)
    }

    /// What is good of it, and every fault.
    pub fn examine(sources: Sources) -> Result<(Self, Vec<ConfigError>), ConfigError> {
        let mut config = Self { state_dir: sources.state_dir()?, ..Self::default() };
        let mut faults = Vec::new();
        if let Some(text) = read(&mut config, sources.config_file()?)? {
            let path = config.file.clone();
            apply_file(&mut config, Source { path: &path, text: &text }, &mut faults)?;
        }
        faults.extend(apply_environment(&mut config, &sources));
        faults.extend(apply_flags(&mut config, &sources));
        config.warnings.extend(config.spend.warning().map(str::to_owned));
        config.environment = Environment::new(sources.env);
        Ok((config, faults))
    }

    /// The Codex CLI's own sign-in is somebody else's: it is used only where the user asked for the plugin by name and gave
    /// it nothing of its own.
    fn wants_codex_home(&self) -> bool {
        let named = self.enabled_plugins.iter().flatten().any(|id| id == "codex");
        let of_codex = ["OPENAI_API_KEY", "CODEX_ACCESS_TOKEN", "CODEX_ID_TOKEN"];
        let unresolved = self.unresolved.iter().any(|secret| of_codex.contains(&secret.setting));
        named && !unresolved && self.codex.api_key.is_none() && self.codex.access_token.is_none()
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

fn apply_file(config: &mut Config, source: Source<'_>, faults: &mut Vec<ConfigError>) -> Result<(), ConfigError> {
    let document = source.parse()?;
    let mut seen: Vec<&str> = Vec::new();
    for entry in source.entries(&document) {
        if let Some(setting) = find(&entry) {
            if seen.contains(&setting.name) {
                faults.push(entry.fault("is set twice"));
                continue;
            }
            seen.push(setting.name);
            faults.extend(apply_setting(config, setting, &entry).err());
        } else if entry.key == "skill" {
            skill::read(&entry).map_or_else(|fault| faults.push(fault), |skills| config.skills = skills);
        } else if entry.key == "price" {
            price::read(&entry).map_or_else(|fault| faults.push(fault), |prices| config.spend.prices = prices);
        } else if tables::names().any(|name| name == entry.key) {
            tables::apply(config, &entry, faults);
        } else {
            faults.push(unknown(&entry));
        }
    }
    // So far the file alone has spoken.
    let holds_secret = config.claims.0.values().any(|claim| matches!(claim, Claim::Value(_)));
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

fn apply_environment(config: &mut Config, sources: &Sources) -> Vec<ConfigError> {
    let given = SETTINGS.iter().filter_map(|setting| Some((setting, sources.variable(setting.name)?)));
    let apply = |(setting, value): (&Setting, &OsStr)| {
        let fault = |what: &str| ConfigError::in_environment(setting.name, what);
        let Some(text) = value.to_str() else { return Some(fault("is not UTF-8 text")) };
        setting.apply(config, Given::Text(text.to_owned())).err().map(|what| fault(&what))
    };
    given.filter_map(apply).collect()
}

fn apply_flags(config: &mut Config, sources: &Sources) -> Vec<ConfigError> {
    let apply = |(name, value): &(String, String)| {
        let Some(setting) = Setting::find(name) else {
            let known: Vec<&str> = SETTINGS.iter().map(|setting| setting.name).collect();
            let what = format!("does not exist: {}", nearest::advice(name, &known));
            return Some(ConfigError::in_flag(ConfigErrorKind::UnknownKey, name, &what));
        };
        let fault = |what: String| ConfigError::in_flag(ConfigErrorKind::Value, setting.name, &what);
        setting.apply(config, Given::Text(value.clone())).err().map(fault)
    };
    sources.flags.settings.iter().filter_map(apply).collect()
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
