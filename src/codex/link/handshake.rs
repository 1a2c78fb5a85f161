//! What is said at the beginning of a connection, and what the app-server says of itself.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Fault, FaultKind, Server};

/// The oldest one whose words these are.
const OLDEST: [u32; 3] = [0, 169, 0];
const UPDATE: &str = "update the Codex CLI: npm install -g @openai/codex@latest";

/// The last of what an app-server says by itself to a new client; what is wrong with its configuration comes before.
pub(super) const LAST_WORD: &str = "remoteControl/status/changed";

pub(super) const PARAMS: &str = concat!(
    r#"{"clientInfo":{"name":"open-think","title":"Open Think","version":""#,
    env!("CARGO_PKG_VERSION"),
    r#""},"capabilities":{"experimentalApi":true}}"#
);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Initialized {
    user_agent: Option<String>,
    codex_home: Option<String>,
    platform_os: Option<String>,
}

/// The result of `initialize`.
pub(super) fn server(result: &RawValue) -> Result<Server, Fault> {
    shim_server(result)?.ok_or_else(|| {
        let message = "what listens there does not say that it is a Codex app-server";
        Fault::new(FaultKind::WrongVersion, message).with_hint(UPDATE)
    })
}

/// A shim may know nothing of what stands behind it.
pub(super) fn shim_server(result: &RawValue) -> Result<Option<Server>, Fault> {
    let said: Option<Initialized> = serde_json::from_str(result.get()).ok();
    let Some(Initialized { user_agent: Some(user_agent), codex_home, platform_os }) = said else {
        return Ok(None);
    };
    let version = version(&user_agent);
    if let Some(fault) = version.as_ref().and_then(|version| too_old("the Codex app-server", version)) {
        return Err(fault);
    }
    Ok(Some(Server { user_agent, version, codex_home, platform: platform_os }))
}

/// Where this version does not speak our words.
pub(super) fn too_old(what: &str, version: &str) -> Option<Fault> {
    let [major, minor, patch] = OLDEST;
    let message = || format!("{what} is version {version}, and at least {major}.{minor}.{patch} is needed");
    (numbers(version) < OLDEST).then(|| Fault::new(FaultKind::WrongVersion, message()).with_hint(UPDATE))
}

/// As in `open-think/0.169.0 (Debian 12.0.0; x86_64) unknown (open-think; 0.1.0)`.
fn version(user_agent: &str) -> Option<String> {
    let (_, rest) = user_agent.split_once('/')?;
    let version = rest.split_whitespace().next()?;
    version.starts_with(|first: char| first.is_ascii_digit()).then(|| version.to_owned())
}

/// What follows the numbers, as in `0.170.0-alpha.1`, does not count.
fn numbers(version: &str) -> [u32; 3] {
    let mut parts = version.split(|letter: char| !letter.is_ascii_digit()).map(|part| part.parse().unwrap_or(0));
    [(); 3].map(|()| parts.next().unwrap_or(0))
}

#[derive(Deserialize)]
struct Warning {
    #[serde(default)]
    summary: String,
    details: Option<String>,
}

/// The parameters of a `configWarning`: one that says that the configuration is not used at all is a fault.
pub(super) fn config_warning(params: &RawValue) -> Option<Fault> {
    let Warning { summary, details } = serde_json::from_str(params.get()).ok()?;
    if !summary.to_ascii_lowercase().contains("using defaults") {
        tracing::warn!(summary, details, "the app-server warns of its configuration");
        return None;
    }
    let details = details.map_or_else(String::new, |details| format!(" {}", one_line(&details)));
    let message = format!("the Codex app-server does not use its configuration: {}{details}", one_line(&summary));
    Some(Fault::new(FaultKind::BadConfiguration, message).with_hint("mend config.toml in CODEX_HOME"))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::{PARAMS, config_warning, server};

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    fn check(result: &str, expected: &str) {
        let shown = match server(&raw(result)) {
            Ok(server) => format!("{:?}", server.version),
            Err(fault) => format!("{}: {fault}", fault.kind.as_str()),
        };
        assert!(shown.starts_with(expected), "{result}: {shown}");
    }

    #[test]
    fn a_server_is_taken_by_its_user_agent() {
        let tail = "(Debian 12.0.0; x86_64) unknown (open-think; 0.1.0)";
        let agent = |version: &str| format!(r#"{{"userAgent":"open-think/{version} {tail}","codexHome":"/h"}}"#);
        check(&agent("0.169.0"), "Some(\"0.169.0\")");
        check(&agent("0.170.0-alpha.1"), "Some(\"0.170.0-alpha.1\")");
        check(&agent("1.0.0"), "Some(\"1.0.0\")");
        check(
            &agent("0.168.9"),
            "wrong-version: the Codex app-server is version 0.168.9, and at least 0.169.0 is needed",
        );
        check(&agent("dev"), "None");
        check(r#"{"userAgent":"something else"}"#, "None");
        check("{}", "wrong-version: what listens there does not say");
        check("7", "wrong-version: what listens there does not say");
    }

    #[test]
    fn a_configuration_that_is_not_used_is_a_fault_and_others_are_not() {
        let fatal = r#"{"summary":"Invalid configuration; using defaults.","details":"config.toml:1:5:\n  bad"}"#;
        let fault = config_warning(&raw(fatal)).unwrap();
        assert!(fault.kind.is_final() && fault.message.ends_with("config.toml:1:5: bad"), "{fault}");
        assert!(config_warning(&raw(r#"{"summary":"no bwrap","details":null}"#)).is_none());
        assert!(config_warning(&raw("[]")).is_none());
    }

    #[test]
    fn what_we_say_of_ourselves_is_json() {
        assert!(serde_json::from_str::<serde_json::Value>(PARAMS).unwrap()["clientInfo"]["name"] == "open-think");
    }
}
