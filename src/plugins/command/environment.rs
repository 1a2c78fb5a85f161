//! What a program may see of the daemon's environment: where things are and how the user speaks, and what the skill
//! names. Keys and tokens stay behind.

use std::ffi::OsString;

use crate::config::Environment;

pub(super) type Variables = Vec<(OsString, OsString)>;

const HARMLESS: [&str; 9] = ["PATH", "HOME", "LANG", "TERM", "TMPDIR", "USER", "LOGNAME", "SHELL", "TZ"];

/// Parts of the names under which people keep secrets.
const SECRET_NAMES: [&str; 5] = ["TOKEN", "SECRET", "KEY", "PASSWORD", "CREDENTIAL"];

pub(super) fn scrubbed(all: &Environment, pass: &[String]) -> Variables {
    let may_pass =
        |name: &str| HARMLESS.contains(&name) || name.starts_with("LC_") || pass.iter().any(|passed| passed == name);
    let passed = all.iter().filter(|(name, _)| may_pass(name));
    passed.map(|(name, value)| (name.into(), value.to_owned())).collect()
}

/// The values that must not come back in a result, judged by their names.
pub(super) fn secrets(variables: &Variables) -> impl Iterator<Item = String> {
    variables.iter().filter_map(|(name, value)| {
        let name = name.to_str()?.to_ascii_uppercase();
        let secret = SECRET_NAMES.iter().any(|part| name.contains(part));
        secret.then(|| value.to_string_lossy().into_owned())
    })
}
