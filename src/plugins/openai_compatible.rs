//! `openai-compatible`: any endpoint that speaks OpenAI's chat completions, in the cloud or on this machine.

use std::sync::Arc;

use reqwest::header::HeaderMap;
use serde_json::json;

use super::chat_skill::chat_skill;
use super::models_skill::models_skill;
use super::status_skill::{Status, status_skill};
use super::{Gate, Health, Plugin, Readiness, is_enabled};
use crate::config::Config;
use crate::policy::HostPattern;
use crate::providers::chat::{Chat, ChatSettings};
use crate::providers::http::Http;
use crate::providers::upstream::Upstream;

pub const ID: &str = "openai-compatible";
pub(super) const URL: &str = "OPENAI_COMPATIBLE_URL";
const HINT: &str =
    "set OPENAI_COMPATIBLE_URL, as in http://localhost:11434/v1, and OPENAI_COMPATIBLE_KEY if it needs one";
const UPSTREAM: Upstream =
    Upstream { name: "the OpenAI-compatible server", key_setting: "OPENAI_COMPATIBLE_KEY", url_setting: URL };

pub fn build(config: &Config, http: &Http) -> Plugin {
    let settings = &config.openai_compatible;
    let default_model = settings.default_model.clone().or_else(|| config.model_default.clone());
    let provider = settings.url.clone().map(|base_url| {
        let settings = ChatSettings {
            id: ID,
            upstream: UPSTREAM,
            base_url,
            key: settings.key.clone(),
            headers: HeaderMap::new(),
            default_model: default_model.clone(),
        };
        Gate::new(Arc::new(Chat::new(http.clone(), settings)))
    });
    let readiness = match provider {
        Some(_) => Readiness::Configured,
        None => Readiness::Missing { missing: vec![URL], hint: HINT.to_owned() },
    };
    let status = Status {
        plugin: ID,
        base_url: settings.url.clone(),
        has_key: settings.key.is_some(),
        model_default: default_model,
        provider: provider.clone(),
    };
    Plugin {
        id: ID,
        description: "Any endpoint that speaks OpenAI's chat completions",
        enabled: is_enabled(config, ID, provider.is_some()),
        readiness,
        hosts: endpoints(config),
        skills: vec![
            chat_skill(
                ID,
                "openai-compat-chat",
                "Ask a model of the OpenAI-compatible server",
                provider.clone(),
                HINT,
                &json!({}),
            ),
            models_skill(
                ID,
                "openai-compat-list-models",
                "List the models of the OpenAI-compatible server",
                provider.clone(),
                HINT,
            ),
            status_skill(
                "openai-compat-status",
                "Whether the OpenAI-compatible server is configured and reachable",
                status,
            ),
        ],
        provider,
        engine: None,
        propose_only: None,
        vendors: Vec::new(),
        health: Health::default(),
    }
}

/// What must be reachable for it; nothing while it is not configured.
pub fn endpoints(config: &Config) -> Vec<HostPattern> {
    config.openai_compatible.url.iter().filter_map(HostPattern::of).collect()
}
