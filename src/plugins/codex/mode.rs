//! Which of the ways in is taken: an app-server that is there, one that the daemon starts, the API key, then tokens among
//! the settings, then the daemon's own sign-in, then that of the Codex CLI.

use std::path::PathBuf;
use std::sync::Arc;

use url::Url;

use super::HINT;
use super::sign_in::SignIn;
use crate::codex::AppServer;
use crate::config::{self, Config, Secret};
use crate::policy::{HostPattern, Redactor};
use crate::providers::codex::sign_in::{self, OwnLogin};
use crate::providers::codex::{Access, ByKey, ByTokens, CliLogin, KeySettings, Login, TokenSource, Tokens, read_login};
use crate::providers::http::Http;
use crate::providers::upstream::Upstream;

const OPENAI: Upstream = Upstream { name: "OpenAI", key_setting: "OPENAI_API_KEY", url_setting: "OPENAI_BASE_URL" };
const CHATGPT: Upstream =
    Upstream { name: "ChatGPT", key_setting: "CODEX_ACCESS_TOKEN", url_setting: "CODEX_BACKEND_URL" };

/// The way in, for those who go past the plugin.
#[derive(Clone)]
pub struct Way {
    /// As clients see it; none if there is no way in.
    pub mode: Option<&'static str>,
    /// There if it is configured and the plugin enabled.
    pub app_server: Option<Arc<AppServer>>,
    /// How to get one.
    pub hint: String,
    pub sign_in: Arc<SignIn>,
}

#[derive(Debug)]
pub(super) enum Chosen {
    AppServer {
        /// Whether the daemon starts it.
        spawn: bool,
    },
    ApiKey(Secret),
    Tokens(Tokens),
    /// Those in the file of the Codex CLI, in this directory.
    CliLogin(PathBuf, Tokens),
    /// One that is there, or may be made while the daemon runs; until then that of the Codex CLI, if there is one.
    OwnLogin(Option<(PathBuf, Tokens)>),
}

/// Why there is no way in.
#[derive(Debug)]
pub(super) struct Lack {
    pub(super) missing: Vec<&'static str>,
    pub(super) hint: String,
}

pub(super) fn choose(config: &Config, redactor: &Redactor) -> Result<Chosen, Lack> {
    let settings = &config.codex;
    if settings.app_server.is_configured() {
        return Ok(Chosen::AppServer { spawn: settings.app_server.url.is_none() });
    }
    if let Some(key) = &settings.api_key {
        return Ok(Chosen::ApiKey(key.clone()));
    }
    if let Some(access) = &settings.access_token {
        return Ok(Chosen::Tokens(Tokens::new(access.clone(), settings.id_token.as_ref(), None)));
    }
    let is_signed_in = sign_in::is_there(&config.state_dir);
    let of_cli = match settings.home.as_ref().map(|home| (home, read_login(home, redactor))) {
        // One that works goes before one that may be made.
        Some((_, Ok(Login::Key(key)))) if !is_signed_in => return Ok(Chosen::ApiKey(key)),
        Some((home, Ok(Login::Tokens(tokens)))) => Ok((home.clone(), tokens)),
        Some((_, Ok(Login::Key(_)))) | None => Err(HINT.to_owned()),
        Some((_, Err(fault))) => Err(format!("{}: {}", fault.message, fault.hint.unwrap_or_default())),
    };
    match of_cli {
        of_cli if is_signed_in || settings.oauth_client_id.is_some() => Ok(Chosen::OwnLogin(of_cli.ok())),
        Ok((home, tokens)) => Ok(Chosen::CliLogin(home, tokens)),
        Err(hint) => Err(Lack { missing: vec!["OPENAI_API_KEY"], hint }),
    }
}

impl Chosen {
    /// As clients see it.
    pub(super) fn mode(&self) -> &'static str {
        match self {
            Self::AppServer { spawn: false } => "app-server",
            Self::AppServer { spawn: true } => "app-server-spawn",
            Self::ApiKey(_) => "api-key",
            Self::Tokens(_) | Self::CliLogin(..) | Self::OwnLogin(_) => "chatgpt-tokens",
        }
    }

    /// What must be reachable for it.
    pub(super) fn host(&self, settings: &config::Codex) -> Option<HostPattern> {
        let url = match self {
            Self::AppServer { .. } => settings.app_server.url.as_ref()?.url()?,
            Self::ApiKey(_) => &settings.base_url,
            Self::Tokens(_) | Self::CliLogin(..) | Self::OwnLogin(_) => &settings.backend_url,
        };
        HostPattern::of(url)
    }

    /// `id` is the plugin's name; none over the app-server, which has a way of its own.
    pub(super) fn access(
        self,
        id: &'static str,
        settings: &config::Codex,
        http: &Http,
        own: &Arc<OwnLogin>,
    ) -> Option<Access> {
        let cli = |(home, tokens)| CliLogin::new(home, Some(tokens), http.redactor().clone());
        let source = match self {
            Self::AppServer { .. } => return None,
            Self::ApiKey(key) => {
                let base_url: Url = settings.base_url.clone();
                let settings = KeySettings { id, upstream: OPENAI, base_url, key, api: settings.api };
                return Some(Access::ApiKey(ByKey::new(http, settings)));
            }
            Self::Tokens(tokens) => TokenSource::Settings(tokens),
            Self::CliLogin(home, tokens) => TokenSource::CodexCli(cli((home, tokens))),
            Self::OwnLogin(of_cli) => TokenSource::Own { own: Arc::clone(own), cli: of_cli.map(cli) },
        };
        Some(Access::ChatGptTokens(ByTokens::new(http, CHATGPT, settings.backend_url.clone(), source)))
    }
}
