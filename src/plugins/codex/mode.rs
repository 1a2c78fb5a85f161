//! Which of the ways in is taken: an app-server that is there, one that the daemon starts, the API key, then tokens among
//! the settings, then the Codex CLI's own sign-in.

use std::path::PathBuf;
use std::sync::Arc;

use url::Url;

use super::HINT;
use crate::codex::AppServer;
use crate::config::{self, Secret};
use crate::policy::{HostPattern, Redactor};
use crate::providers::codex::{Access, ByKey, ByTokens, KeySettings, Login, TokenSource, Tokens, read_login};
use crate::providers::http::Http;
use crate::providers::upstream::Upstream;

const OPENAI: Upstream = Upstream { name: "OpenAI", key_setting: "OPENAI_API_KEY", url_setting: "OPENAI_BASE_URL" };
const CHATGPT: Upstream =
    Upstream { name: "ChatGPT", key_setting: "CODEX_ACCESS_TOKEN", url_setting: "CODEX_BACKEND_URL" };

/// The way in, for those who speak to the app-server past the plugin.
#[derive(Clone, Default)]
pub struct Way {
    /// As clients see it; none if there is no way in.
    pub mode: Option<&'static str>,
    /// There if it is configured and the plugin enabled.
    pub app_server: Option<Arc<AppServer>>,
    /// How to get one.
    pub hint: String,
}

#[derive(Debug)]
pub(super) enum Chosen {
    AppServer {
        /// Whether the daemon starts it.
        spawn: bool,
    },
    ApiKey(Secret),
    ChatGptTokens {
        tokens: Tokens,
        /// Of the file that they came from.
        home: Option<PathBuf>,
    },
}

/// Why there is no way in.
#[derive(Debug)]
pub(super) struct Lack {
    pub(super) missing: Vec<&'static str>,
    pub(super) hint: String,
}

pub(super) fn choose(settings: &config::Codex, redactor: &Redactor) -> Result<Chosen, Lack> {
    if settings.app_server.is_configured() {
        return Ok(Chosen::AppServer { spawn: settings.app_server.url.is_none() });
    }
    if let Some(key) = &settings.api_key {
        return Ok(Chosen::ApiKey(key.clone()));
    }
    if let Some(access) = &settings.access_token {
        let tokens = Tokens::new(access.clone(), settings.id_token.as_ref(), None);
        return Ok(Chosen::ChatGptTokens { tokens, home: None });
    }
    let Some(home) = &settings.home else {
        return Err(Lack { missing: vec!["OPENAI_API_KEY"], hint: HINT.to_owned() });
    };
    match read_login(home, redactor) {
        Ok(Login::Key(key)) => Ok(Chosen::ApiKey(key)),
        Ok(Login::Tokens(tokens)) => Ok(Chosen::ChatGptTokens { tokens, home: Some(home.clone()) }),
        Err(fault) => {
            let hint = format!("{}: {}", fault.message, fault.hint.unwrap_or_default());
            Err(Lack { missing: vec!["OPENAI_API_KEY"], hint })
        }
    }
}

impl Chosen {
    /// As clients see it.
    pub(super) fn mode(&self) -> &'static str {
        match self {
            Self::AppServer { spawn: false } => "app-server",
            Self::AppServer { spawn: true } => "app-server-spawn",
            Self::ApiKey(_) => "api-key",
            Self::ChatGptTokens { .. } => "chatgpt-tokens",
        }
    }

    /// What must be reachable for it.
    pub(super) fn host(&self, settings: &config::Codex) -> Option<HostPattern> {
        let url = match self {
            Self::AppServer { .. } => settings.app_server.url.as_ref()?.url()?,
            Self::ApiKey(_) => &settings.base_url,
            Self::ChatGptTokens { .. } => &settings.backend_url,
        };
        HostPattern::of(url)
    }

    /// `id` is the plugin's name; none over the app-server, which has a way of its own.
    pub(super) fn access(self, id: &'static str, settings: &config::Codex, http: &Http) -> Option<Access> {
        match self {
            Self::AppServer { .. } => None,
            Self::ApiKey(key) => {
                let base_url: Url = settings.base_url.clone();
                let settings = KeySettings { id, upstream: OPENAI, base_url, key, api: settings.api };
                Some(Access::ApiKey(ByKey::new(http, settings)))
            }
            Self::ChatGptTokens { tokens, home } => {
                let source = TokenSource::new(tokens, home, http.redactor().clone());
                Some(Access::ChatGptTokens(ByTokens::new(http, CHATGPT, settings.backend_url.clone(), source)))
            }
        }
    }
}
