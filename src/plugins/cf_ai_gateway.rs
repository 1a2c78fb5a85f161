//! `cf-ai-gateway`: many vendors behind one gateway.

use super::{Health, Plugin, Readiness, is_enabled};
use crate::config::Config;
use crate::policy::HostPattern;
use crate::providers::http::Http;

pub const ID: &str = "cf-ai-gateway";
const HINT: &str = "set AI_GATEWAY_ID and CLOUDFLARE_ACCOUNT_ID, and CLOUDFLARE_API_TOKEN or AI_GATEWAY_AUTH_TOKEN";

pub fn build(config: &Config, _http: &Http) -> Plugin {
    Plugin {
        id: ID,
        description: "The models of two dozen vendors through one Cloudflare AI gateway",
        enabled: is_enabled(config, ID, false),
        readiness: Readiness::Missing {
            missing: vec!["AI_GATEWAY_ID", "CLOUDFLARE_ACCOUNT_ID"],
            hint: HINT.to_owned(),
        },
        hosts: endpoints(config),
        skills: Vec::new(),
        provider: None,
        propose_only: None,
        vendors: Vec::new(),
        health: Health::default(),
    }
}

/// What must be reachable for it; nothing while it is not configured.
pub fn endpoints(_config: &Config) -> Vec<HostPattern> {
    Vec::new()
}
