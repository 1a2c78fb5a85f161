//! `cf-ai-gateway`: many vendors behind one gateway.

mod fallbacks;
mod list_providers;
mod options;
mod status;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use super::chat_skill::chat_skill;
use super::{Gate, Health, Plugin, Readiness, is_enabled};
use crate::config::Config;
use crate::policy::HostPattern;
use crate::providers::PathId;
use crate::providers::gateway::{CUSTOM, Gateway, GatewaySettings, ModelId, spellings};
use crate::providers::http::Http;

pub const ID: &str = "cf-ai-gateway";
const GATEWAY: &str = "AI_GATEWAY_ID";
const ACCOUNT: &str = "CLOUDFLARE_ACCOUNT_ID";
const HINT: &str = "set AI_GATEWAY_ID and CLOUDFLARE_ACCOUNT_ID, and CLOUDFLARE_API_TOKEN or AI_GATEWAY_AUTH_TOKEN";
const BAD_ID: &str = "AI_GATEWAY_ID and CLOUDFLARE_ACCOUNT_ID may hold letters, digits, hyphens and underscores only";

pub fn build(config: &Config, http: &Http) -> Plugin {
    let settings = settings(config);
    let readiness = match &settings {
        Ok(_) => Readiness::Configured,
        Err(missing) => missing.clone(),
    };
    let hint = match &readiness {
        Readiness::Configured => HINT.to_owned(),
        Readiness::Missing { hint, .. } => hint.clone(),
    };
    let provider = settings.ok().map(|settings| Gate::new(Arc::new(Gateway::new(http.clone(), settings))));
    let options = options::schema();
    let description = "Ask a model of any vendor behind the gateway, as provider/model-name";
    Plugin {
        id: ID,
        description: "The models of two dozen vendors through one Cloudflare AI gateway",
        enabled: is_enabled(config, ID, provider.is_some()),
        readiness,
        hosts: endpoints(config),
        skills: vec![
            chat_skill(ID, "cf-gateway-chat", description, provider.clone(), &hint, &options),
            fallbacks::skill(provider.clone(), &hint, &options),
            list_providers::skill(),
            status::skill(config, provider.clone()),
        ],
        provider,
        engine: None,
        propose_only: None,
        vendors: spellings().chain([CUSTOM]).collect(),
        health: Health::default(),
    }
}

/// What must be reachable for it; nothing while it is not configured.
pub fn endpoints(config: &Config) -> Vec<HostPattern> {
    if settings(config).is_err() {
        return Vec::new();
    }
    let api = config.cloudflare.api_token.as_ref().map(|_| &config.cloudflare.api_base_url);
    api.into_iter().chain([&config.ai_gateway.base_url]).filter_map(HostPattern::of).collect()
}

/// No token is needed for a gateway that lets everybody in and has the vendors' keys.
fn settings(config: &Config) -> Result<GatewaySettings, Readiness> {
    let (gateway, cloudflare) = (&config.ai_gateway, &config.cloudflare);
    let [gateway_id, account] = ids(config)?;
    Ok(GatewaySettings {
        id: ID,
        api_base_url: cloudflare.api_base_url.clone(),
        base_url: gateway.base_url.clone(),
        account,
        gateway: gateway_id,
        api_token: cloudflare.api_token.clone(),
        auth_token: gateway.auth_token.clone(),
        default_model: default_model(config),
        unified_billing: gateway.unified_billing,
        cache_ttl: gateway.cache_ttl,
        collect_log: gateway.collect_log,
    })
}

/// Of the gateway and of the account. What is not set is told before what is set wrong.
fn ids(config: &Config) -> Result<[PathId; 2], Readiness> {
    let settings = [(GATEWAY, &config.ai_gateway.id), (ACCOUNT, &config.cloudflare.account_id)];
    let read = settings.map(|(name, text)| (name, text, text.as_deref().and_then(PathId::new)));
    let missing: Vec<_> = read.iter().filter(|(_, text, _)| text.is_none()).map(|(name, ..)| *name).collect();
    if !missing.is_empty() {
        return Err(Readiness::Missing { missing, hint: HINT.to_owned() });
    }
    let wrong: Vec<_> = read.iter().filter(|(_, _, id)| id.is_none()).map(|(name, ..)| *name).collect();
    match read.map(|(_, _, id)| id) {
        [Some(gateway), Some(account)] => Ok([gateway, account]),
        _ => Err(Readiness::Missing { missing: wrong, hint: BAD_ID.to_owned() }),
    }
}

/// The default of all plugins may be a model that this one does not know.
fn default_model(config: &Config) -> Option<String> {
    let of_all = config.model_default.clone().filter(|model| ModelId::for_chat(model).is_ok());
    config.ai_gateway.default_model.clone().or(of_all)
}
