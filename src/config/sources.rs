//! Where a configuration comes from, as plain values: the flags, the environment, the customs of the platform.
//!
//! [`Sources::from_process`] is the only reader of the process's environment; tests make their own.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::{ConfigError, ConfigErrorKind, SETTINGS, Secret, Setting};

const DIRECTORY: &str = "open-think";
const FILE: &str = "config.toml";

/// The name of the profile that has none.
pub const DEFAULT: &str = "default";

/// It becomes part of paths.
const PROFILE: &str = "must be a name of 1 to 32 lower-case letters, digits and hyphens";

/// No `Debug`: it holds secrets as plain text.
#[derive(Clone)]
pub struct Sources {
    pub flags: Overrides,
    pub env: BTreeMap<String, OsString>,
    pub platform: Platform,
}

/// What the command line says. Every field wins over environment and file. No `Debug`, as for [`Sources`].
#[derive(Clone, Default)]
pub struct Overrides {
    pub config_file: Option<PathBuf>,
    pub state_dir: Option<PathBuf>,
    pub profile: Option<String>,
    /// Settings by their environment name.
    pub settings: Vec<(String, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    Unix,
    MacOs,
    Windows,
}

/// A file that was named must be there; the customary one need not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ConfigFile {
    Named(PathBuf),
    Customary(PathBuf),
    /// There is no home to look in.
    Nowhere,
}

impl Sources {
    pub fn from_process(flags: Overrides) -> Self {
        let named = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        Self { flags, env: named.collect(), platform: Platform::current() }
    }

    /// No flags, and this environment only.
    pub fn of_environment<N: Into<String>, V: Into<OsString>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        let env = pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self { flags: Overrides::default(), env, platform: Platform::current() }
    }

    pub(super) fn variable(&self, name: &str) -> Option<&OsStr> {
        self.env.get(name).map(OsString::as_os_str)
    }

    /// Which of the user's daemons is meant; none is the one that is meant where none is named.
    pub fn profile(&self) -> Result<Option<String>, ConfigError> {
        Ok(self.named_profile()?.filter(|name| name != DEFAULT))
    }

    /// As a flag or the environment has it.
    fn named_profile(&self) -> Result<Option<String>, ConfigError> {
        if let Some(name) = &self.flags.profile {
            let fault = || ConfigError::in_flag(ConfigErrorKind::Value, "OPEN_THINK_PROFILE", PROFILE);
            return is_profile(name).then(|| Some(name.clone())).ok_or_else(fault);
        }
        let Some(value) = self.variable("OPEN_THINK_PROFILE").filter(|value| !value.is_empty()) else {
            return Ok(None);
        };
        let name = value.to_str().filter(|name| is_profile(name));
        let fault = || ConfigError::in_environment("OPEN_THINK_PROFILE", PROFILE);
        name.map(|name| Some(name.to_owned())).ok_or_else(fault)
    }

    /// The configuration file that a flag or the environment names, not by custom.
    pub fn named_config_file(&self) -> Option<PathBuf> {
        self.flags.config_file.clone().or_else(|| self.path("OPEN_THINK_CONFIG"))
    }

    /// As [`Self::named_config_file`].
    pub fn named_state_dir(&self) -> Option<PathBuf> {
        self.flags.state_dir.clone().or_else(|| self.path("OPEN_THINK_STATE_DIR"))
    }

    pub fn home(&self) -> Option<PathBuf> {
        self.path("HOME")
    }

    /// The settings that flags or the environment give, not the file: the last word on each.
    pub fn given(&self) -> impl Iterator<Item = (&'static str, Secret)> {
        let flag = |name: &str| {
            let flags = self.flags.settings.iter().rev();
            flags.clone().find(|(flag, _)| flag.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone())
        };
        let given = move |setting: &Setting| {
            let value = flag(setting.name).or_else(|| self.variable(setting.name)?.to_str().map(str::to_owned))?;
            let counts = setting.key().is_some() && (setting.takes_list() || !value.trim().is_empty());
            counts.then(|| Secret::new(value.trim()))
        };
        SETTINGS.iter().filter_map(move |setting| Some((setting.name, given(setting)?)))
    }

    pub(super) fn config_file(&self) -> Result<ConfigFile, ConfigError> {
        if let Some(file) = self.named_config_file() {
            return Ok(ConfigFile::Named(file));
        }
        let profile = self.profile()?.unwrap_or_default();
        let file = |directory: PathBuf| ConfigFile::Customary(directory.join(DIRECTORY).join(profile).join(FILE));
        Ok(self.config_home().map_or(ConfigFile::Nowhere, file))
    }

    /// Where the platform's programs keep their configuration.
    pub fn config_home(&self) -> Option<PathBuf> {
        match self.platform {
            Platform::Unix => self.base("XDG_CONFIG_HOME").or_else(|| self.in_home(".config")),
            Platform::MacOs => self.base("XDG_CONFIG_HOME").or_else(|| self.in_home("Library/Application Support")),
            Platform::Windows => self.path("APPDATA"),
        }
    }

    /// The configuration file, whether or not it is there; none where there is no place for one.
    pub fn file(&self) -> Result<Option<PathBuf>, ConfigError> {
        Ok(match self.config_file()? {
            ConfigFile::Named(file) | ConfigFile::Customary(file) => Some(file),
            ConfigFile::Nowhere => None,
        })
    }

    /// Where sessions and logs live; no file says otherwise.
    pub fn state_dir(&self) -> Result<PathBuf, ConfigError> {
        if let Some(directory) = self.named_state_dir() {
            return Ok(directory);
        }
        let directory = match self.platform {
            Platform::Unix => self.base("XDG_STATE_HOME").or_else(|| self.in_home(".local/state")),
            Platform::MacOs => self.base("XDG_STATE_HOME").or_else(|| self.in_home("Library/Application Support")),
            Platform::Windows => self.path("LOCALAPPDATA"),
        };
        let directory = directory.ok_or_else(|| ConfigError::no_home(self.platform.home()))?.join(DIRECTORY);
        Ok(match self.profile()? {
            Some(profile) => directory.join(profile),
            None => directory,
        })
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        self.variable(name).filter(|value| !value.is_empty()).map(PathBuf::from)
    }

    /// The XDG base directory specification says that a relative path in these variables is to be ignored.
    fn base(&self, name: &str) -> Option<PathBuf> {
        self.path(name).filter(|path| path.is_absolute())
    }

    pub fn in_home(&self, below: &str) -> Option<PathBuf> {
        self.path("HOME").map(|home| home.join(Path::new(below)))
    }
}

fn is_profile(name: &str) -> bool {
    let fine = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=32).contains(&name.len()) && name.bytes().all(fine)
}

impl Platform {
    pub fn current() -> Self {
        if cfg!(windows) {
            Self::Windows
        } else if cfg!(target_os = "macos") {
            Self::MacOs
        } else {
            Self::Unix
        }
    }

    fn home(self) -> &'static str {
        match self {
            Self::Unix | Self::MacOs => "HOME",
            Self::Windows => "LOCALAPPDATA",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ConfigFile, Platform, Sources};

    fn sources(platform: Platform, env: &[(&str, &str)]) -> Sources {
        Sources { platform, ..Sources::of_environment(env.iter().copied()) }
    }

    #[track_caller]
    fn check(platform: Platform, env: &[(&str, &str)], file: &str, state: &str) {
        let sources = sources(platform, env);
        assert_eq!(sources.config_file().expect("a place"), ConfigFile::Customary(file.into()));
        assert_eq!(sources.state_dir().expect("a state directory"), std::path::Path::new(state));
    }

    #[test]
    fn each_platform_keeps_its_customs() {
        let home = ("HOME", "/h");
        check(Platform::Unix, &[home], "/h/.config/open-think/config.toml", "/h/.local/state/open-think");
        let xdg = [home, ("XDG_CONFIG_HOME", "/c"), ("XDG_STATE_HOME", "/s")];
        check(Platform::Unix, &xdg, "/c/open-think/config.toml", "/s/open-think");
        check(Platform::MacOs, &xdg, "/c/open-think/config.toml", "/s/open-think");
        let relative = [home, ("XDG_CONFIG_HOME", "c"), ("XDG_STATE_HOME", "")];
        check(Platform::Unix, &relative, "/h/.config/open-think/config.toml", "/h/.local/state/open-think");
        let library = "/h/Library/Application Support/open-think";
        check(Platform::MacOs, &[home], &format!("{library}/config.toml"), library);
        let windows = [("APPDATA", "/roaming"), ("LOCALAPPDATA", "/local")];
        check(Platform::Windows, &windows, "/roaming/open-think/config.toml", "/local/open-think");
    }

    #[test]
    fn flags_win_over_the_environment_and_the_environment_over_custom() {
        let env = [("HOME", "/h"), ("OPEN_THINK_CONFIG", "/e.toml"), ("OPEN_THINK_STATE_DIR", "/e")];
        let mut sources = sources(Platform::Unix, &env);
        assert_eq!(sources.config_file().expect("a place"), ConfigFile::Named("/e.toml".into()));
        assert_eq!(sources.state_dir().expect("a state directory"), std::path::Path::new("/e"));
        sources.flags.config_file = Some("/f.toml".into());
        sources.flags.state_dir = Some("/f".into());
        assert_eq!(sources.config_file().expect("a place"), ConfigFile::Named("/f.toml".into()));
        assert_eq!(sources.state_dir().expect("a state directory"), std::path::Path::new("/f"));
    }

    #[test]
    fn a_profile_has_a_place_of_its_own() {
        let env = [("HOME", "/h"), ("OPEN_THINK_PROFILE", "work-2")];
        let of = "/h/.config/open-think/work-2/config.toml";
        check(Platform::Unix, &env, of, "/h/.local/state/open-think/work-2");
        let env = [("HOME", "/h"), ("OPEN_THINK_PROFILE", "default")];
        check(Platform::Unix, &env, "/h/.config/open-think/config.toml", "/h/.local/state/open-think");
        for bad in ["../x", "Work", "a b", "x".repeat(33).as_str()] {
            let sources = sources(Platform::Unix, &[("HOME", "/h"), ("OPEN_THINK_PROFILE", bad)]);
            let error = sources.state_dir().expect_err(bad).to_string();
            assert!(error.contains("OPEN_THINK_PROFILE") && error.contains("lower-case"), "{error}");
        }
    }

    #[test]
    fn what_flags_and_environment_give_is_known_by_name() {
        let env = [("HOME", "/h"), ("ANTHROPIC_API_KEY", "k"), ("OPEN_THINK_CONFIG", "/c"), ("MODEL_DEFAULT", " ")];
        let mut sources = sources(Platform::Unix, &env);
        sources.flags.settings = [("open_think_log", "debug"), ("OPEN_THINK_LOG", "warn")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec();
        let given: Vec<_> = sources.given().map(|(name, value)| (name, value.expose().to_owned())).collect();
        let expected = [("ANTHROPIC_API_KEY", "k"), ("OPEN_THINK_LOG", "warn")];
        assert_eq!(given, expected.map(|(name, value)| (name, value.to_owned())));
    }

    #[test]
    fn without_a_home_there_is_no_file_and_the_error_says_what_to_set() {
        let sources = sources(Platform::Unix, &[]);
        assert_eq!(sources.config_file().expect("a place"), ConfigFile::Nowhere);
        let error = sources.state_dir().expect_err("no home").to_string();
        assert!(error.contains("HOME") && error.contains("OPEN_THINK_STATE_DIR"), "{error}");
    }
}
