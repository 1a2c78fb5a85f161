//! `codex`: OpenAI's models, by API key or by the tokens of a ChatGPT subscription.

use super::{Health, Plugin, Readiness, is_enabled};
use crate::config::Config;
use crate::policy::HostPattern;
use crate::providers::http::Http;

pub const ID: &str = "codex";
const HINT: &str = "set OPENAI_API_KEY, or CODEX_HOME to the directory where `codex login` keeps auth.json";

pub fn build(config: &Config, _http: &Http) -> Plugin {
    Plugin {
        id: ID,
        description: "OpenAI's models, by API key or by a ChatGPT subscription",
        enabled: is_enabled(config, ID, false),
        readiness: Readiness::Missing { missing: vec!["OPENAI_API_KEY"], hint: HINT.to_owned() },
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
