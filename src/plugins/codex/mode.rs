//! Which of the ways in is taken: the API key, then tokens among the settings, then the Codex CLI's own sign-in.

use std::path::PathBuf;

use url::Url;

use super::HINT;
use crate::config::{self, Secret};
use crate::policy::Redactor;
use crate::providers::codex::{Access, ByKey, ByTokens, KeySettings, Login, TokenSource, Tokens, read_login};
use crate::providers::http::Http;
use crate::providers::upstream::Upstream;

const OPENAI: Upstream = Upstream { name: "OpenAI", key_setting: "OPENAI_API_KEY", url_setting: "OPENAI_BASE_URL" };
const CHATGPT: Upstream =
    Upstream { name: "ChatGPT", key_setting: "CODEX_ACCESS_TOKEN", url_setting: "CODEX_BACKEND_URL" };

#[derive(Debug)]
pub(super) enum Chosen {
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
    pub(super) fn base_url<'a>(&self, settings: &'a config::Codex) -> &'a Url {
        match self {
            Self::ApiKey(_) => &settings.base_url,
            Self::ChatGptTokens { .. } => &settings.backend_url,
        }
    }

    /// `id` is the plugin's name.
    pub(super) fn access(self, id: &'static str, settings: &config::Codex, http: &Http) -> Access {
        let base_url = self.base_url(settings).clone();
        match self {
            Self::ApiKey(key) => {
                let settings = KeySettings { id, upstream: OPENAI, base_url, key, api: settings.api };
                Access::ApiKey(ByKey::new(http, settings))
            }
            Self::ChatGptTokens { tokens, home } => {
                let source = TokenSource::new(tokens, home, http.redactor().clone());
                Access::ChatGptTokens(ByTokens::new(http, CHATGPT, base_url, source))
            }
        }
    }
}
