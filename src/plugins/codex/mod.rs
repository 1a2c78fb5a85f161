//! `codex`: OpenAI's models, by a Codex app-server, by API key, or by the tokens of a ChatGPT subscription.

mod mode;
mod rpc;
mod setup;
mod sign_in;
mod status;
#[cfg(test)]
mod tests;
mod threads;

use std::sync::Arc;

use serde_json::{Value, json};

use super::chat_skill::chat_skill;
use super::models_skill::models_skill;
use super::{EngineGate, Gate, Health, Plugin, Readiness, is_enabled};
use crate::codex::AppServer;
use crate::codex::engine::{self, CodexEngine};
use crate::config::Config;
use crate::model::Engine;
use crate::policy::{HostPattern, HostPolicy, Redactor};
use crate::providers::codex::Codex;
use crate::providers::codex::sign_in::{OwnLogin, is_there};
use crate::providers::http::Http;

pub use mode::Way;
pub use sign_in::{Begun, Now, PLACES, Progress, Refused, SignIn, Started};

pub const ID: &str = "codex";
const HINT: &str = "set CODEX_APP_SERVER_URL to where a Codex app-server listens, or OPENAI_API_KEY, or CODEX_HOME to the \
                    directory where `codex login` keeps auth.json";
const NO_APP_SERVER: &str =
    "set CODEX_APP_SERVER_URL to where one listens, or let the daemon start one: spawn = true under [codex]";
/// What is asked when nobody says.
const DEFAULT_MODEL: &str = "gpt-5-codex";

/// What stands behind the plugin.
enum Behind {
    AppServer(Arc<AppServer>),
    Direct(Arc<Codex>),
}

pub fn build(config: &Config, http: &Http, policy: &HostPolicy) -> (Plugin, Way) {
    let own = OwnLogin::new(http, config.codex.oauth_issuer.clone(), &config.state_dir);
    let chosen = mode::choose(config, http.redactor());
    let wanted_model = config.codex.default_model.as_ref().or(config.model_default.as_ref()).cloned();
    let default_model = wanted_model.clone().unwrap_or_else(|| DEFAULT_MODEL.to_owned());
    let (mode, behind, readiness) = match chosen {
        Ok(chosen) => {
            let mode = Some(chosen.mode());
            let behind = match chosen.access(ID, &config.codex, http, &own) {
                Some(access) => Some(Behind::Direct(Arc::new(Codex::new(ID, access, default_model.clone())))),
                None => AppServer::new(config, policy, http.redactor()).map(Behind::AppServer),
            };
            (mode, behind, Readiness::Configured)
        }
        Err(lack) => (None, None, Readiness::Missing { missing: lack.missing, hint: lack.hint }),
    };
    let hint = match &readiness {
        Readiness::Configured => HINT.to_owned(),
        Readiness::Missing { hint, .. } => hint.clone(),
    };
    let (direct, app_server) = match &behind {
        Some(Behind::Direct(codex)) => (Some(codex.clone()), None),
        Some(Behind::AppServer(server)) => (None, Some(server.clone())),
        None => (None, None),
    };
    let provider = direct.clone().map(|codex| Gate::new(codex));
    let enabled = is_enabled(config, ID, mode.is_some());
    let way_there = app_server.clone().filter(|_| enabled);
    let sign_in = SignIn::new(own, config.codex.oauth_client_id.clone(), direct.clone(), way_there.clone());
    let about = "List the models that the app-server, the key or the ChatGPT subscription may use";
    let mut skills = vec![
        chat_skill(ID, "codex-chat", "Ask a model of OpenAI's", provider.clone(), &hint, &options()),
        models_skill(ID, "codex-models", about, provider.clone(), &hint),
        setup::skill(config, mode, direct, &readiness),
        status::skill(mode, behind, wanted_model, &readiness),
    ];
    if let Some(server) = &app_server {
        skills.extend([threads::start(server, &config.codex), threads::list(server), rpc::skill(server)]);
    }
    let engine = app_server.clone().map(|server| -> Arc<dyn Engine> {
        let settings = engine::Settings::from_config(ID, config, http.redactor().clone());
        Arc::new(CodexEngine::new(server, settings))
    });
    let plugin = Plugin {
        id: ID,
        description: "OpenAI's models, by a Codex app-server, an API key or a ChatGPT subscription",
        enabled,
        hosts: endpoints(config),
        skills,
        readiness,
        provider,
        engine: engine.filter(|_| !config.codex.app_server.is_shim()).map(EngineGate::new),
        propose_only: None,
        vendors: Vec::new(),
        health: Health::default(),
    };
    let left_out = !enabled && app_server.is_some();
    let hint = if left_out { "add codex to ENABLED_PLUGINS" } else { NO_APP_SERVER }.to_owned();
    (plugin, Way { mode, app_server: way_there, hint, sign_in })
}

/// What must be reachable for it; nothing while it is not configured.
pub fn endpoints(config: &Config) -> Vec<HostPattern> {
    let chosen = mode::choose(config, &Redactor::default()).ok();
    let host = chosen.and_then(|chosen| chosen.host(&config.codex));
    let signs_in = config.codex.oauth_client_id.is_some() || is_there(&config.state_dir);
    let issuer = signs_in.then(|| HostPattern::of(&config.codex.oauth_issuer)).flatten();
    host.into_iter().chain(issuer).collect()
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
