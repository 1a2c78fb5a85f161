//! `codex`: OpenAI's models, by API key or by the tokens of a ChatGPT subscription.

mod mode;
mod setup;
mod status;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde_json::{Value, json};

use super::chat_skill::chat_skill;
use super::models_skill::models_skill;
use super::{Gate, Health, Plugin, Readiness, is_enabled};
use crate::config::Config;
use crate::policy::{HostPattern, Redactor};
use crate::providers::codex::Codex;
use crate::providers::http::Http;
use mode::Chosen;

pub const ID: &str = "codex";
const HINT: &str = "set OPENAI_API_KEY, or CODEX_HOME to the directory where `codex login` keeps auth.json";
/// What is asked when nobody says.
const DEFAULT_MODEL: &str = "gpt-5-codex";

pub fn build(config: &Config, http: &Http) -> Plugin {
    let chosen = mode::choose(&config.codex, http.redactor());
    let default_model = config.codex.default_model.as_ref().or(config.model_default.as_ref());
    let default_model = default_model.map_or(DEFAULT_MODEL, String::as_str).to_owned();
    let (codex, readiness) = match chosen {
        Ok(chosen) => {
            let access = chosen.access(ID, &config.codex, http);
            (Some(Arc::new(Codex::new(ID, access, default_model.clone()))), Readiness::Configured)
        }
        Err(lack) => (None, Readiness::Missing { missing: lack.missing, hint: lack.hint }),
    };
    let hint = match &readiness {
        Readiness::Configured => HINT.to_owned(),
        Readiness::Missing { hint, .. } => hint.clone(),
    };
    let provider = codex.clone().map(|codex| Gate::new(codex));
    Plugin {
        id: ID,
        description: "OpenAI's models, by API key or by a ChatGPT subscription",
        enabled: is_enabled(config, ID, provider.is_some()),
        hosts: endpoints(config),
        skills: vec![
            chat_skill(ID, "codex-chat", "Ask a model of OpenAI's", provider.clone(), &hint, &options()),
            models_skill(
                ID,
                "codex-models",
                "List the models that the key or the ChatGPT subscription may use",
                provider.clone(),
                &hint,
            ),
            status::skill(codex.clone(), default_model, &readiness),
            setup::skill(config, codex.as_deref(), &readiness),
        ],
        readiness,
        provider,
        engine: None,
        propose_only: None,
        vendors: Vec::new(),
        health: Health::default(),
    }
}

/// What must be reachable for it; nothing while it is not configured.
pub fn endpoints(config: &Config) -> Vec<HostPattern> {
    let chosen = mode::choose(&config.codex, &Redactor::default()).ok();
    chosen.iter().map(|chosen: &Chosen| chosen.base_url(&config.codex)).filter_map(HostPattern::of).collect()
}

fn options() -> Value {
    let text = |about: &str| json!({ "type": "string", "minLength": 1, "description": about });
    json!({
        "reasoningEffort": text("how long the model thinks, as in low, medium or high"),
        "reasoningSummary": text("whether its thoughts are told, as in auto, concise or detailed"),
        "verbosity": text("how long the answer is: low, medium or high"),
        "serviceTier": text("as in auto, flex or priority"),
        "promptCacheKey": text("what calls share that begin alike"),
    })
}
