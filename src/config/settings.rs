//! The settings that have a name in the environment, one row each.
//!
//! The same row serves the flags, the environment, the file (where the name is written in lower case) and everyone
//! who lists settings: help, `doctor`, templates.

use std::path::PathBuf;
use std::time::Duration;

use tracing_subscriber::EnvFilter;
use url::Url;

use super::secrets::Claim;
use super::{AppServerUrl, Config, Secret};

pub struct Setting {
    /// As in the environment.
    pub name: &'static str,
    /// One line, for people.
    pub about: &'static str,
    /// What holds when it is unset, as a person would write it.
    pub default: Option<&'static str>,
    put: Put,
}

/// What a value must be, and where it goes.
#[derive(Clone, Copy)]
enum Put {
    Text(fn(&mut Config, String)),
    Secret(fn(&mut Config, Secret)),
    Url(fn(&mut Config, Url)),
    List(fn(&mut Config, Vec<String>)),
    Path(fn(&mut Config, PathBuf)),
    /// US dollars, kept in billionths.
    Money(fn(&mut Config, u64)),
    /// Whole milliseconds, at least one.
    Millis(fn(&mut Config, Duration)),
    AppServer(fn(&mut Config, AppServerUrl)),
    LogFilter(fn(&mut Config, String)),
    /// Says where the file or the state is, so it is read before the rows and cannot stand in the file.
    Place,
}

/// A value as one of the layers gives it.
pub(super) enum Given {
    Text(String),
    List(Vec<String>),
}

/// In the order in which people read them.
pub const SETTINGS: &[Setting] = &[
    Setting {
        name: "ENABLED_PLUGINS",
        about: "Plugins that may be used, separated by commas; honoured exactly when set.",
        default: Some("every configured plugin"),
        put: Put::List(|config, value| config.enabled_plugins = Some(value)),
    },
    Setting {
        name: "ALLOWED_HOSTS",
        about: "Hosts that may be called (name, *.name, name:port), separated by commas; honoured exactly when set.",
        default: Some("what the enabled plugins need"),
        put: Put::List(|config, value| config.allowed_hosts = Some(value)),
    },
    Setting {
        name: "MODEL_DEFAULT",
        about: "The model that is asked when neither the request nor the plugin names one.",
        default: None,
        put: Put::Text(|config, value| config.model_default = Some(value)),
    },
    Setting {
        name: "ANTHROPIC_API_KEY",
        about: "The key of the Anthropic API.",
        default: None,
        put: Put::Secret(|config, value| config.anthropic.api_key = Some(value)),
    },
    Setting {
        name: "ANTHROPIC_AUTH_TOKEN",
        about: "A token sent as `Authorization: Bearer` where ANTHROPIC_API_KEY is not set: of a sign-in, or a proxy's.",
        default: None,
        put: Put::Secret(|config, value| config.anthropic.auth_token = Some(value)),
    },
    Setting {
        name: "ANTHROPIC_BASE_URL",
        about: "Where the Anthropic API is, with or without a trailing /v1.",
        default: Some("https://api.anthropic.com"),
        put: Put::Url(|config, value| config.anthropic.base_url = value),
    },
    Setting {
        name: "ANTHROPIC_DEFAULT_MODEL",
        about: "The model that the anthropic plugin asks when a request names none.",
        default: None,
        put: Put::Text(|config, value| config.anthropic.default_model = Some(value)),
    },
    Setting {
        name: "OPENAI_COMPATIBLE_URL",
        about: "Where a server with the OpenAI chat API is, usually ending in /v1.",
        default: None,
        put: Put::Url(|config, value| config.openai_compatible.url = Some(value)),
    },
    Setting {
        name: "OPENAI_COMPATIBLE_KEY",
        about: "The key of that server, if it wants one.",
        default: None,
        put: Put::Secret(|config, value| config.openai_compatible.key = Some(value)),
    },
    Setting {
        name: "OPENAI_COMPATIBLE_DEFAULT_MODEL",
        about: "The model that the openai-compatible plugin asks when a request names none.",
        default: None,
        put: Put::Text(|config, value| config.openai_compatible.default_model = Some(value)),
    },
    Setting {
        name: "CLOUDFLARE_API_TOKEN",
        about: "A Cloudflare API token: for Workers AI, the AI gateway, and reading zones and DNS records.",
        default: None,
        put: Put::Secret(|config, value| config.cloudflare.api_token = Some(value)),
    },
    Setting {
        name: "CLOUDFLARE_ACCOUNT_ID",
        about: "The Cloudflare account.",
        default: None,
        put: Put::Text(|config, value| config.cloudflare.account_id = Some(value)),
    },
    Setting {
        name: "CLOUDFLARE_API_BASE_URL",
        about: "Where the Cloudflare API is.",
        default: Some("https://api.cloudflare.com/client/v4"),
        put: Put::Url(|config, value| config.cloudflare.api_base_url = value),
    },
    Setting {
        name: "AI_GATEWAY_ID",
        about: "The name of the Cloudflare AI gateway.",
        default: None,
        put: Put::Text(|config, value| config.ai_gateway.id = Some(value)),
    },
    Setting {
        name: "AI_GATEWAY_AUTH_TOKEN",
        about: "A Cloudflare token that may run the gateway, if it asks who calls.",
        default: None,
        put: Put::Secret(|config, value| config.ai_gateway.auth_token = Some(value)),
    },
    Setting {
        name: "CF_AI_GATEWAY_DEFAULT_MODEL",
        about: "The model (vendor/model) that the cf-ai-gateway plugin asks when a request names none.",
        default: None,
        put: Put::Text(|config, value| config.ai_gateway.default_model = Some(value)),
    },
    Setting {
        name: "CF_AI_GATEWAY_BASE_URL",
        about: "Where the Cloudflare AI gateway is.",
        default: Some("https://gateway.ai.cloudflare.com"),
        put: Put::Url(|config, value| config.ai_gateway.base_url = value),
    },
    Setting {
        name: "WORKERS_AI_DEFAULT_MODEL",
        about: "The model (@cf/author/model) that the workers-ai plugin asks when a request names none.",
        default: Some("MODEL_DEFAULT, or else @cf/zai-org/glm-4.7-flash, which calls tools and is in the free plan"),
        put: Put::Text(|config, value| config.workers_ai.default_model = Some(value)),
    },
    Setting {
        name: "OPENAI_API_KEY",
        about: "The key of the OpenAI API, for the codex plugin.",
        default: None,
        put: Put::Secret(|config, value| config.codex.api_key = Some(value)),
    },
    Setting {
        name: "OPENAI_BASE_URL",
        about: "Where the OpenAI API is, for the codex plugin.",
        default: Some("https://api.openai.com/v1"),
        put: Put::Url(|config, value| config.codex.base_url = value),
    },
    Setting {
        name: "CODEX_ACCESS_TOKEN",
        about: "The access token of a ChatGPT subscription, from the Codex CLI's auth.json.",
        default: None,
        put: Put::Secret(|config, value| config.codex.access_token = Some(value)),
    },
    Setting {
        name: "CODEX_ID_TOKEN",
        about: "The id token beside that access token, if there is one.",
        default: None,
        put: Put::Secret(|config, value| config.codex.id_token = Some(value)),
    },
    Setting {
        name: "CODEX_HOME",
        about: "The Codex CLI's directory, whose auth.json is read for tokens and never written.",
        default: Some("~/.codex when ENABLED_PLUGINS names codex and no key is set"),
        put: Put::Path(|config, value| config.codex.home = Some(value)),
    },
    Setting {
        name: "CODEX_BACKEND_URL",
        about: "Where the backend for ChatGPT subscriptions is.",
        default: Some("https://chatgpt.com/backend-api/codex"),
        put: Put::Url(|config, value| config.codex.backend_url = value),
    },
    Setting {
        name: "CODEX_DEFAULT_MODEL",
        about: "The model that the codex plugin asks when a request names none.",
        default: Some("gpt-5-codex, or the app-server's own"),
        put: Put::Text(|config, value| config.codex.default_model = Some(value)),
    },
    Setting {
        name: "CODEX_APP_SERVER_URL",
        about: "Where a Codex app-server listens: ws://, wss://, unix:///path, or http(s):// for one behind a shim.",
        default: None,
        put: Put::AppServer(|config, value| config.codex.app_server.url = Some(value)),
    },
    Setting {
        name: "CODEX_APP_SERVER_TOKEN",
        about: "The bearer token that it wants.",
        default: None,
        put: Put::Secret(|config, value| config.codex.app_server.token = Some(value)),
    },
    Setting {
        name: "CODEX_APP_SERVER_TIMEOUT_MS",
        about: "How long it may take to answer a request, in milliseconds.",
        default: Some("30000"),
        put: Put::Millis(|config, value| config.codex.app_server.timeout = value),
    },
    Setting {
        name: "CODEX_BIN",
        about: "The Codex CLI, which the daemon starts as an app-server where `codex.spawn` is on.",
        default: Some("codex on the PATH"),
        put: Put::Path(|config, value| config.codex.app_server.bin = Some(value)),
    },
    Setting {
        name: "CODEX_OAUTH_CLIENT_ID",
        about: "The OAuth client with which the daemon itself signs in to ChatGPT.",
        default: None,
        put: Put::Text(|config, value| config.codex.oauth_client_id = Some(value)),
    },
    Setting {
        name: "CODEX_OAUTH_ISSUER",
        about: "Where that sign-in is.",
        default: Some("https://auth.openai.com"),
        put: Put::Url(|config, value| config.codex.oauth_issuer = value),
    },
    Setting {
        name: "DAILY_SPEND_CAP_USD",
        about: "No model is called once a day (UTC) has cost this much; needs [[price]] tables.",
        default: None,
        put: Put::Money(|config, value| config.spend.daily_cap_nano_usd = Some(value)),
    },
    Setting {
        name: "OTEL_EXPORTER_OTLP_ENDPOINT",
        about: "An OpenTelemetry collector that takes OTLP over HTTP, to which spans of turns, calls and skills go.",
        default: None,
        put: Put::Url(|config, value| config.telemetry.endpoint = Some(value)),
    },
    Setting {
        name: "OTEL_EXPORTER_OTLP_HEADERS",
        about: "Headers for that collector, as name=value pairs separated by commas, with values encoded as in a URL.",
        default: None,
        put: Put::Secret(|config, value| config.telemetry.headers = Some(value)),
    },
    Setting {
        name: "OTEL_SERVICE_NAME",
        about: "What this daemon is called there.",
        default: Some("open-think"),
        put: Put::Text(|config, value| config.telemetry.service_name = value),
    },
    Setting {
        name: "OPEN_THINK_LOG",
        about: "What is logged to the file: a level, or target=level pairs separated by commas.",
        default: Some("info"),
        put: Put::LogFilter(|config, value| config.log.filter = value),
    },
    Setting {
        name: "OPEN_THINK_CONFIG",
        about: "The configuration file.",
        default: Some("open-think/config.toml in the user's configuration directory"),
        put: Put::Place,
    },
    Setting {
        name: "OPEN_THINK_PROFILE",
        about: "Which of several daemons is meant; each has its own configuration, state and address.",
        default: None,
        put: Put::Place,
    },
    Setting {
        name: "OPEN_THINK_STATE_DIR",
        about: "Where sessions and logs are kept.",
        default: Some("open-think in the user's state directory"),
        put: Put::Place,
    },
];

impl Setting {
    pub fn is_secret(&self) -> bool {
        matches!(self.put, Put::Secret(_))
    }

    pub(super) fn put_secret(&self, config: &mut Config, secret: Secret) {
        if let Put::Secret(put) = self.put {
            put(config, secret);
        }
    }

    /// Its name in the configuration file; none for those that say where that file is.
    pub fn key(&self) -> Option<String> {
        (!matches!(self.put, Put::Place)).then(|| self.name.to_ascii_lowercase())
    }

    pub(super) fn find(name: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|setting| setting.name.eq_ignore_ascii_case(name))
    }

    pub fn takes_list(&self) -> bool {
        matches!(self.put, Put::List(_))
    }

    pub fn takes_number(&self) -> bool {
        self.wanted_number().is_some()
    }

    /// What a number must be here, if one is wanted.
    pub(super) fn wanted_number(&self) -> Option<&'static str> {
        match self.put {
            Put::Money(_) => Some(NO_DOLLARS),
            Put::Millis(_) => Some(NO_MILLIS),
            _ => None,
        }
    }

    /// An empty text leaves a single value as it was, and makes a list empty. The error says what is wrong without
    /// quoting the value.
    pub(super) fn apply(&self, config: &mut Config, given: Given) -> Result<(), String> {
        let text = match (self.put, given) {
            (Put::List(put), Given::List(items)) => {
                put(config, items);
                return Ok(());
            }
            (Put::List(put), Given::Text(text)) => {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                put(config, items.map(str::to_owned).collect());
                return Ok(());
            }
            (_, Given::List(_)) => return Err("must be a string".to_owned()),
            (_, Given::Text(text)) => text.trim().to_owned(),
        };
        if text.is_empty() {
            return Ok(());
        }
        match self.put {
            Put::Text(put) => put(config, text),
            Put::Secret(_) => drop(config.claims.0.insert(self.name, Claim::parse(text)?)),
            Put::Url(put) => put(config, url(&text)?),
            Put::Path(put) => put(config, PathBuf::from(text)),
            Put::Money(put) => put(config, dollars(&text)?),
            Put::Millis(put) => put(config, millis(&text)?),
            Put::AppServer(put) => put(config, text.parse()?),
            Put::LogFilter(put) => put(config, log_filter(text)?),
            Put::List(_) | Put::Place => {}
        }
        Ok(())
    }
}

const NO_MILLIS: &str = "must be whole milliseconds, from 1 to 86400000, a day";

fn millis(text: &str) -> Result<Duration, String> {
    let number = text.parse().ok().filter(|millis| (1..=86_400_000).contains(millis));
    number.map(Duration::from_millis).ok_or_else(|| NO_MILLIS.to_owned())
}

pub(super) const NO_DOLLARS: &str = "must be US dollars, as in 2.50";

/// `12`, `0.5` or `$2.50` as billionths of a dollar.
pub(super) fn dollars(text: &str) -> Result<u64, String> {
    let number = text.strip_prefix('$').unwrap_or(text).parse::<f64>().ok();
    let fitting = number.filter(|dollars| (0.0..=1e9).contains(dollars));
    // Within these bounds nothing is lost but digits beyond the ninth.
    fitting.map(|dollars| (dollars * 1e9).round() as u64).ok_or_else(|| NO_DOLLARS.to_owned())
}

/// As the log takes it.
pub(super) fn log_filter(text: String) -> Result<String, String> {
    match EnvFilter::try_new(&text) {
        Ok(_) => Ok(text),
        Err(_) => Err("must be a level or target=level pairs, as in info,open_think=debug".to_owned()),
    }
}

fn url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("must be a URL such as https://host/path: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("must be a URL that starts with https:// or http://".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not hold a user name or password: give the key in its own setting".to_owned());
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err("must be a URL with a host".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("must end with its path, without ? or #: the API's own paths are added to it".to_owned());
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::{Given, SETTINGS, Setting, url};
    use crate::config::Config;

    #[test]
    fn the_defaults_shown_for_addresses_are_those_that_hold() {
        let config = Config::default();
        let shown = |name: &str| Setting::find(name).and_then(|setting| setting.default).expect("a default");
        let same = |name: &str, held: &url::Url| assert_eq!(url::Url::parse(shown(name)).as_ref(), Ok(held));
        same("ANTHROPIC_BASE_URL", &config.anthropic.base_url);
        same("CLOUDFLARE_API_BASE_URL", &config.cloudflare.api_base_url);
        assert_eq!(shown("OPEN_THINK_LOG"), config.log.filter);
    }

    #[test]
    fn what_is_named_like_a_secret_is_one() {
        for setting in SETTINGS {
            let named = ["_KEY", "_TOKEN", "_HEADERS"].iter().any(|end| setting.name.ends_with(end));
            assert_eq!(setting.is_secret(), named, "{}", setting.name);
        }
    }

    #[test]
    fn an_empty_text_unsets_a_value_and_empties_a_list() {
        let mut config = Config::default();
        for setting in SETTINGS {
            setting.apply(&mut config, Given::Text("  ".to_owned())).expect("empty is allowed");
        }
        assert_eq!(config.enabled_plugins, Some(Vec::new()));
        assert_eq!(config.allowed_hosts, Some(Vec::new()));
        assert!(config.anthropic.api_key.is_none() && config.model_default.is_none());
        assert_eq!(config.log.filter, "info");
    }

    #[test]
    fn addresses_that_cannot_be_used_are_refused_without_being_quoted() {
        let bad =
            ["ftp://host/hidden", "hidden", "https://", "https://u:hidden@host/", "https://hidden@host", "http:///"];
        for text in bad.into_iter().chain(["https://host/?key=hidden", "https://host/#hidden", "file:///hidden"]) {
            let error = url(text).expect_err(text);
            assert!(!error.contains("hidden"), "{error}");
        }
        assert!(url("http://127.0.0.1:8080/v1").is_ok());
        assert!(url("https://[::1]/").is_ok());
    }
}
