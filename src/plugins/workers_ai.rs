//! `workers-ai`: the models that run at Cloudflare, without the gateway.

use std::sync::Arc;

use serde_json::json;

use super::chat_skill::chat_skill;
use super::status_skill::{Status, status_skill};
use super::{Gate, Health, Plugin, Readiness, is_enabled};
use crate::config::Config;
use crate::policy::HostPattern;
use crate::providers::PathId;
use crate::providers::http::Http;
use crate::providers::upstream::Upstream;
use crate::providers::workers_ai::{WorkersAi, WorkersAiSettings};

pub const ID: &str = "workers-ai";
const ACCOUNT: &str = "CLOUDFLARE_ACCOUNT_ID";
const TOKEN: &str = "CLOUDFLARE_API_TOKEN";
const HINT: &str = "set CLOUDFLARE_ACCOUNT_ID and CLOUDFLARE_API_TOKEN, a token that may read Workers AI";
const BAD_ACCOUNT: &str =
    "set CLOUDFLARE_ACCOUNT_ID to the account's id alone, 32 letters and digits: what is set there is no id";
const UPSTREAM: Upstream = Upstream {
    name: "Workers AI",
    key_setting: "CLOUDFLARE_API_TOKEN, which needs the permission Workers AI Read",
    url_setting: "CLOUDFLARE_API_BASE_URL",
};
/// Of those that call tools over several turns, the one that the free plan has and that Cloudflare itself advises.
const MODEL: &str = "@cf/zai-org/glm-4.7-flash";
const PROPOSE_ONLY: &str = "workers-ai proposes only, because not all of its models call tools well; \
                            `native_tools = true` under [workers_ai] lets them";

pub fn build(config: &Config, http: &Http) -> Plugin {
    let settings = &config.cloudflare;
    let chosen = config.workers_ai.default_model.clone().or_else(|| config.model_default.clone());
    let default_model = chosen.unwrap_or_else(|| MODEL.to_owned());
    let provider = account(config).zip(settings.api_token.clone()).map(|(account, token)| {
        let settings = WorkersAiSettings {
            id: ID,
            upstream: UPSTREAM,
            base_url: settings.api_base_url.clone(),
            account,
            token,
            default_model: default_model.clone(),
        };
        Gate::new(Arc::new(WorkersAi::new(http.clone(), settings)))
    });
    let status = Status {
        plugin: ID,
        base_url: Some(settings.api_base_url.clone()),
        has_key: settings.api_token.is_some(),
        model_default: Some(default_model),
        provider: provider.clone(),
    };
    Plugin {
        id: ID,
        description: "Open models that run at Cloudflare",
        enabled: is_enabled(config, ID, provider.is_some()),
        readiness: readiness(config),
        hosts: endpoints(config),
        skills: vec![
            chat_skill(ID, "ai-chat", "Ask an open model that runs at Cloudflare", provider.clone(), HINT, &json!({})),
            status_skill("ai-status", "Whether Workers AI is configured and reachable", status),
        ],
        provider,
        engine: None,
        propose_only: (!config.workers_ai.native_tools).then(|| PROPOSE_ONLY.to_owned()),
        vendors: Vec::new(),
        health: Health::default(),
    }
}

/// What must be reachable for it; nothing while it is not configured.
pub fn endpoints(config: &Config) -> Vec<HostPattern> {
    let settings = &config.cloudflare;
    let configured = account(config).is_some() && settings.api_token.is_some();
    HostPattern::of(&settings.api_base_url).into_iter().filter(|_| configured).collect()
}

fn account(config: &Config) -> Option<PathId> {
    config.cloudflare.account_id.as_deref().and_then(PathId::new)
}

fn readiness(config: &Config) -> Readiness {
    let settings = &config.cloudflare;
    let has_account = account(config).is_some();
    let missing: Vec<_> =
        [(ACCOUNT, has_account), (TOKEN, settings.api_token.is_some())].into_iter().filter(|(_, set)| !set).collect();
    if missing.is_empty() {
        return Readiness::Configured;
    }
    let is_wrong = settings.account_id.is_some() && !has_account;
    let hint = if is_wrong { BAD_ACCOUNT } else { HINT };
    Readiness::Missing { missing: missing.into_iter().map(|(name, _)| name).collect(), hint: hint.to_owned() }
}
