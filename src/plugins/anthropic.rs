//! `anthropic`: Anthropic's own API, without anything in between.

use std::sync::Arc;

use super::chat_skill::chat_skill;
use super::count_skill::count_skill;
use super::status_skill::{Status, status_skill};
use super::{Gate, Health, Plugin, Readiness, is_enabled};
use crate::config::Config;
use crate::policy::HostPattern;
use crate::providers::anthropic::{Anthropic, AnthropicSettings, options_schema};
use crate::providers::http::Http;
use crate::providers::upstream::Upstream;

pub const ID: &str = "anthropic";
const KEY: &str = "ANTHROPIC_API_KEY";
const HINT: &str = "set ANTHROPIC_API_KEY to a key from console.anthropic.com";
const UPSTREAM: Upstream = Upstream { name: "Anthropic", key_setting: KEY, url_setting: "ANTHROPIC_BASE_URL" };

pub fn build(config: &Config, http: &Http) -> Plugin {
    let settings = &config.anthropic;
    let default_model = settings.default_model.clone().or_else(|| config.model_default.clone());
    let provider = settings.api_key.clone().map(|key| {
        let settings = AnthropicSettings {
            id: ID,
            upstream: UPSTREAM,
            base_url: settings.base_url.clone(),
            key,
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
        propose_only: None,
        vendors: vec![ID],
        health: Health::default(),
    }
}

/// What must be reachable for it; nothing while it is not configured.
pub fn endpoints(config: &Config) -> Vec<HostPattern> {
    config.anthropic.api_key.iter().filter_map(|_| HostPattern::of(&config.anthropic.base_url)).collect()
}
