//! `workers-ai`: the models that run at Cloudflare, without the gateway.

use super::{Health, Plugin, Readiness, is_enabled};
use crate::config::Config;
use crate::policy::HostPattern;
use crate::providers::http::Http;

pub const ID: &str = "workers-ai";
const HINT: &str = "set CLOUDFLARE_ACCOUNT_ID and CLOUDFLARE_API_TOKEN, a token that may read Workers AI";

pub fn build(config: &Config, _http: &Http) -> Plugin {
    Plugin {
        id: ID,
        description: "Open models that run at Cloudflare",
        enabled: is_enabled(config, ID, false),
        readiness: Readiness::Missing {
            missing: vec!["CLOUDFLARE_ACCOUNT_ID", "CLOUDFLARE_API_TOKEN"],
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
