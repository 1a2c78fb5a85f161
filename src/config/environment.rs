//! The environment as it was read, for those who pass some of it on, and what of a client's own may reach the daemon.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;

/// `Debug` prints the names alone: a value may be a secret.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, OsString>);

/// Names of variables that some program may see.
pub struct Names {
    pub listed: &'static [&'static [&'static str]],
    pub prefixes: &'static [&'static str],
}

/// Where a program's things are, and how its user speaks.
pub const HOME: &[&str] = &["PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "TMPDIR", "TERM"];

/// How a program gets out.
pub const PROXIES: &[&str] =
    &["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy"];

/// What a client tells of its environment: where its tools are, how its user speaks, and how to get out.
const OF_CLIENTS: Names = Names {
    listed: &[
        PROXIES,
        &["PATH", "LANG", "LANGUAGE", "TERM", "COLORTERM", "TZ"],
        &["SSH_AUTH_SOCK", "VIRTUAL_ENV", "NODE_ENV", "DISPLAY", "WAYLAND_DISPLAY"],
    ],
    prefixes: &["LC_", "CONDA_"],
};

/// Parts of the names under which people keep secrets.
const SECRET_NAMES: [&str; 6] = ["TOKEN", "SECRET", "KEY", "PASSWORD", "PASSWD", "CREDENTIAL"];

/// What a service manager tells a process and means for no other.
pub const OF_A_SERVICE: [&str; 6] =
    ["LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC"];

/// One client tells so many variables at most, and so many bytes of each.
const MAX_VARIABLES: usize = 128;
const MAX_VALUE: usize = 16 * 1024;

impl Names {
    pub fn hold(&self, name: &str) -> bool {
        self.listed.iter().any(|names| names.contains(&name))
            || self.prefixes.iter().any(|prefix| name.starts_with(prefix))
    }
}

impl Environment {
    pub fn new(mut variables: BTreeMap<String, OsString>) -> Self {
        variables.retain(|name, _| !OF_A_SERVICE.contains(&name.as_str()));
        Self(variables)
    }

    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.0.get(name).map(OsString::as_os_str)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &OsStr)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_os_str()))
    }

    /// As much as goes to a program that is started.
    pub fn only(&self, passes: impl Fn(&str) -> bool) -> Vec<(OsString, OsString)> {
        let passed = self.iter().filter(|(name, _)| passes(name));
        passed.map(|(name, value)| (name.into(), value.to_owned())).collect()
    }

    /// What a client tells the daemon of it.
    pub fn for_daemon(&self) -> Vec<(String, String)> {
        let texts = self.iter().filter_map(|(name, value)| Some((name.to_owned(), value.to_str()?.to_owned())));
        client_environment(texts)
    }
}

/// As much of a client's environment as the programs started for it may see. Asked by clients before they send it and by
/// the daemon before it believes them.
pub fn client_environment(variables: impl IntoIterator<Item = (String, String)>) -> Vec<(String, String)> {
    let passes = |name: &str, value: &str| {
        is_of_clients(name) && value.len() <= MAX_VALUE && !value.contains('\0') && !holds_password(value)
    };
    let passed = variables.into_iter().filter(|(name, value)| passes(name, value));
    passed.take(MAX_VARIABLES).collect()
}

/// Whether a client tells this variable, if it has it.
pub fn is_of_clients(name: &str) -> bool {
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let is_place = name.starts_with("XDG_") && ["_DIR", "_DIRS", "_HOME"].iter().any(|end| name.ends_with(end));
    plain && (OF_CLIENTS.hold(name) || is_place) && !names_secret(name)
}

/// Whether people keep secrets under such a name.
pub fn names_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    SECRET_NAMES.iter().any(|part| name.contains(part))
}

/// As the address of a proxy may.
fn holds_password(value: &str) -> bool {
    let authority = value.split_once("://").map(|(_, rest)| rest.split(['/', '?', '#']).next().unwrap_or_default());
    authority.and_then(|authority| authority.rsplit_once('@')).is_some_and(|(user, _)| user.contains(':'))
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::{Environment, MAX_VALUE, client_environment};

    #[test]
    fn values_are_never_printed() {
        let environment = Environment::new([("A_TOKEN".to_owned(), "sk-1".into())].into());
        assert_eq!(format!("{environment:?}"), r#"{"A_TOKEN"}"#);
    }

    #[test]
    fn what_a_service_manager_tells_is_passed_on_to_nobody() {
        let variables = ["LISTEN_FDS", "NOTIFY_SOCKET", "PATH"].map(|name| (name.to_owned(), "x".into()));
        let environment = Environment::new(variables.into());
        assert_eq!(environment.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["PATH"]);
    }

    #[test]
    fn a_client_tells_where_its_tools_are_and_no_secret() {
        let long = "p".repeat(MAX_VALUE + 1);
        let told = [
            ("PATH", "/usr/bin"),
            ("LC_ALL", "pl_PL.UTF-8"),
            ("CONDA_PREFIX", "/c"),
            ("CONDA_TOKEN", "no"),
            ("XDG_RUNTIME_DIR", "/run/user/1"),
            ("XDG_SESSION_ID", "no"),
            ("https_proxy", "http://proxy:8080"),
            ("http_proxy", "http://me:no@proxy:8080/"),
            ("SSH_AUTH_SOCK", "/s"),
            ("ANTHROPIC_API_KEY", "no"),
            ("LC_SECRET", "no"),
            ("LD_PRELOAD", "no"),
            ("HOME", "no"),
            ("LC_A=B", "no"),
            ("LANG", "no\0"),
            ("TERM", &long),
        ];
        let passed = client_environment(told.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let names: Vec<&str> = passed.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["PATH", "LC_ALL", "CONDA_PREFIX", "XDG_RUNTIME_DIR", "https_proxy", "SSH_AUTH_SOCK"]);
        let environment = Environment::new([("LANG".to_owned(), "C".into()), ("A_KEY".to_owned(), "k".into())].into());
        assert_eq!(environment.for_daemon(), [("LANG".to_owned(), "C".to_owned())]);
    }
}
