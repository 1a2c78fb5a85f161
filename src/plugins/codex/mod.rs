//! `codex`: OpenAI's models, by API key or by the tokens of a ChatGPT subscription.

mod mode;
mod setup;
mod sign_in;
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
use crate::providers::codex::sign_in::{OwnLogin, is_there};
use crate::providers::http::Http;
pub use sign_in::{Begun, Now, PLACES, Progress, Refused, SignIn, Started};

pub const ID: &str = "codex";
const HINT: &str = "set OPENAI_API_KEY, or CODEX_HOME to the directory where `codex login` keeps auth.json";
/// What is asked when nobody says.
const DEFAULT_MODEL: &str = "gpt-5-codex";

/// With the sign-in, which goes on while the daemon runs.
pub fn build(config: &Config, http: &Http) -> (Plugin, Arc<SignIn>) {
    let own = OwnLogin::new(http, config.codex.oauth_issuer.clone(), &config.state_dir);
    let chosen = mode::choose(config, http.redactor());
    let default_model = config.codex.default_model.as_ref().or(config.model_default.as_ref());
    let default_model = default_model.map_or(DEFAULT_MODEL, String::as_str).to_owned();
    let (codex, readiness) = match chosen {
        Ok(chosen) => {
            let access = chosen.access(ID, &config.codex, http, &own);
            (Some(Arc::new(Codex::new(ID, access, default_model.clone()))), Readiness::Configured)
        }
        Err(lack) => (None, Readiness::Missing { missing: lack.missing, hint: lack.hint }),
    };
    let hint = match &readiness {
        Readiness::Configured => HINT.to_owned(),
        Readiness::Missing { hint, .. } => hint.clone(),
    };
    let sign_in = SignIn::new(own, config.codex.oauth_client_id.clone(), codex.clone());
    let provider = codex.clone().map(|codex| Gate::new(codex));
    let plugin = Plugin {
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
            setup::skill(config, codex.clone(), &readiness),
        ],
        readiness,
        provider,
        propose_only: None,
        vendors: Vec::new(),
        health: Health::default(),
    };
    (plugin, sign_in)
}

/// What must be reachable for it; nothing while it is not configured.
pub fn endpoints(config: &Config) -> Vec<HostPattern> {
    let chosen = mode::choose(config, &Redactor::default()).ok();
    let base_url = chosen.iter().map(|chosen| chosen.base_url(&config.codex));
    let signs_in = config.codex.oauth_client_id.is_some() || is_there(&config.state_dir);
    let issuer = signs_in.then_some(&config.codex.oauth_issuer);
    base_url.chain(issuer).filter_map(HostPattern::of).collect()
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
