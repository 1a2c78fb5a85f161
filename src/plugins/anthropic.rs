//! `anthropic`: Anthropic's own API, without anything in between.

use std::sync::Arc;

use super::chat_skill::chat_skill;
use super::count_skill::count_skill;
use super::status_skill::{Status, status_skill};
use super::{Gate, Health, Plugin, Readiness, is_enabled};
use crate::config::{self, Config};
use crate::policy::HostPattern;
use crate::providers::anthropic::{Anthropic, AnthropicSettings, Credential, options_schema};
use crate::providers::http::Http;
use crate::providers::upstream::Upstream;

pub const ID: &str = "anthropic";
const KEY: &str = "ANTHROPIC_API_KEY";
const TOKEN: &str = "ANTHROPIC_AUTH_TOKEN";
const HINT: &str = "set ANTHROPIC_API_KEY to a key from console.anthropic.com";
const UPSTREAM: Upstream = Upstream { name: "Anthropic", key_setting: KEY, url_setting: "ANTHROPIC_BASE_URL" };

pub fn build(config: &Config, http: &Http) -> Plugin {
    let settings = &config.anthropic;
    let default_model = settings.default_model.clone().or_else(|| config.model_default.clone());
    let provider = credential(settings).map(|credential| {
        let settings = AnthropicSettings {
            id: ID,
            upstream: Upstream { key_setting: setting_of(&credential), ..UPSTREAM },
            base_url: settings.base_url.clone(),
            credential,
            default_model: default_model.clone(),
        };
        Gate::new(Arc::new(Anthropic::new(http.clone(), settings)))
    });
    let readiness = match provider {
        Some(_) => Readiness::Configured,
        None => Readiness::Missing { missing: vec![KEY], hint: HINT.to_owned() },
    };
    let status = Status {
        plugin: ID,
        base_url: Some(settings.base_url.clone()),
        has_key: provider.is_some(),
        model_default: default_model,
        provider: provider.clone(),
    };
    let options = options_schema();
    Plugin {
        id: ID,
        description: "Claude models, directly from Anthropic",
        enabled: is_enabled(config, ID, provider.is_some()),
        readiness,
        hosts: endpoints(config),
        skills: vec![
            chat_skill(ID, "anthropic-chat", "Ask a Claude model directly", provider.clone(), HINT, &options),
            count_skill(
                ID,
                "anthropic-count-tokens",
                "Count the tokens that a question to a Claude model comes to, without asking it",
                provider.clone(),
                HINT,
                &options,
            ),
            status_skill("anthropic-status", "Whether Anthropic is configured and reachable", status),
        ],
        provider,
        engine: None,
        propose_only: None,
        vendors: vec![ID],
        health: Health::default(),
    }
}

/// The key goes before the token where both are set.
fn credential(settings: &config::Anthropic) -> Option<Credential> {
    let token = || settings.auth_token.clone().map(Credential::Token);
    settings.api_key.clone().map(Credential::Key).or_else(token)
}

fn setting_of(credential: &Credential) -> &'static str {
    match credential {
        Credential::Key(_) => KEY,
        Credential::Token(_) => TOKEN,
    }
}

/// What must be reachable for it; nothing while it is not configured.
pub fn endpoints(config: &Config) -> Vec<HostPattern> {
    let settings = &config.anthropic;
    credential(settings).and_then(|_| HostPattern::of(&settings.base_url)).into_iter().collect()
}
