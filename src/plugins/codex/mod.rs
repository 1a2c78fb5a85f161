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
use crate::codex::engine::{self, CodexEngine};
use crate::codex::{AppServer, Chat};
use crate::config::Config;
use crate::model::Provider;
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
#[derive(Clone)]
enum Behind {
    AppServer { server: Arc<AppServer>, mode: &'static str },
    Direct(Arc<Codex>),
}

impl Behind {
    /// As clients see it.
    fn mode(&self) -> &'static str {
        match self {
            Self::AppServer { mode, .. } => mode,
            Self::Direct(codex) => codex.access().mode(),
        }
    }

    /// What is missing although it is configured.
    fn lack(&self) -> Option<String> {
        match self {
            Self::AppServer { .. } => None,
            Self::Direct(codex) => codex.lack(),
        }
    }
}

/// As it would be built, without building it.
pub fn readiness(config: &Config, redactor: &Redactor) -> Readiness {
    match mode::choose(config, redactor) {
        Ok(_) => Readiness::Configured,
        Err(lack) => Readiness::Missing { missing: lack.missing, hint: lack.hint },
    }
}

/// With the way there for those who go past the plugin.
pub fn build(config: &Config, http: &Http, policy: &HostPolicy) -> (Plugin, Way) {
    let own = OwnLogin::new(http, config.codex.oauth_issuer.clone(), &config.state_dir);
    let model = config.codex.default_model.as_ref().or(config.model_default.as_ref()).cloned();
    let (behind, readiness) = match mode::choose(config, http.redactor()) {
        Ok(chosen) => {
            let mode = chosen.mode();
            let behind = match chosen.access(ID, &config.codex, http, &own) {
                Some(access) => {
                    let model = model.clone().unwrap_or_else(|| DEFAULT_MODEL.to_owned());
                    Some(Behind::Direct(Arc::new(Codex::new(ID, access, model))))
                }
                None => {
                    AppServer::new(config, policy, http.redactor()).map(|server| Behind::AppServer { server, mode })
                }
            };
            (behind, Readiness::Configured)
        }
        Err(lack) => (None, Readiness::Missing { missing: lack.missing, hint: lack.hint }),
    };
    let (direct, server) = match &behind {
        Some(Behind::Direct(codex)) => (Some(codex.clone()), None),
        Some(Behind::AppServer { server, .. }) => (None, Some(server.clone())),
        None => (None, None),
    };
    let provider = behind.as_ref().map(|behind| match behind {
        Behind::Direct(codex) => Gate::new(codex.clone()),
        Behind::AppServer { server, mode } => {
            let quiet = config.http.response_timeout;
            Gate::new(Arc::new(Chat::new(ID, server.clone(), (*mode, model.clone()), quiet)))
        }
    });
    // A shim tells of nothing while a turn runs.
    let engine = server.clone().filter(|_| !config.codex.app_server.is_shim()).map(|server| {
        let settings = engine::Settings::from_config(ID, config, http.redactor().clone());
        EngineGate::new(Arc::new(CodexEngine::new(server, settings)))
    });
    let enabled = is_enabled(config, ID, behind.is_some());
    let left_out = !enabled && server.is_some();
    let app_server = server.filter(|_| enabled);
    let sign_in = SignIn::new(own, config.codex.oauth_client_id.clone(), direct, app_server.clone());
    let way = Way {
        mode: behind.as_ref().map(Behind::mode),
        app_server,
        sign_in,
        hint: if left_out { "add codex to ENABLED_PLUGINS" } else { NO_APP_SERVER }.to_owned(),
    };
    let plugin = Plugin {
        id: ID,
        description: "OpenAI's models, by a Codex app-server, an API key or a ChatGPT subscription",
        enabled,
        hosts: endpoints(config),
        skills: skills(config, behind, provider.clone(), (model, &readiness)),
        readiness,
        provider,
        engine,
        propose_only: None,
        vendors: Vec::new(),
        health: Health::default(),
    };
    (plugin, way)
}

fn skills(
    config: &Config,
    behind: Option<Behind>,
    provider: Option<Arc<Gate>>,
    (model, readiness): (Option<String>, &Readiness),
) -> Vec<crate::skills::Skill> {
    let hint = match readiness {
        Readiness::Configured => HINT,
        Readiness::Missing { hint, .. } => hint,
    };
    let about = "List the models that the app-server, the key or the ChatGPT subscription may use";
    let over_server = matches!(behind, Some(Behind::AppServer { .. }));
    let mut skills = vec![
        chat_skill(ID, "codex-chat", "Ask a model of OpenAI's", provider.clone(), hint, &options(over_server)),
        models_skill(ID, "codex-models", about, provider, hint),
        setup::skill(config, behind.clone(), readiness),
        status::skill(behind.clone(), model, readiness),
    ];
    if let Some(Behind::AppServer { server, .. }) = &behind {
        skills.extend([threads::start(server, &config.codex), threads::list(server), rpc::skill(server)]);
    }
    skills
}

/// What must be reachable for it; nothing while it is not configured.
pub fn endpoints(config: &Config) -> Vec<HostPattern> {
    let chosen = mode::choose(config, &Redactor::default()).ok();
    let host = chosen.and_then(|chosen| chosen.host(&config.codex));
    let signs_in = config.codex.oauth_client_id.is_some() || is_there(&config.state_dir);
    let issuer = signs_in.then(|| HostPattern::of(&config.codex.oauth_issuer)).flatten();
    host.into_iter().chain(issuer).collect()
}

fn options(over_server: bool) -> Value {
    let text = |about: &str| json!({ "type": "string", "minLength": 1, "description": about });
    let mut options = json!({
        "reasoningEffort": text("how long the model thinks, as in low, medium or high"),
        "reasoningSummary": text("whether its thoughts are told, as in auto, concise or detailed"),
        "verbosity": text("how long the answer is: low, medium or high"),
        "serviceTier": text("as in auto, flex or priority"),
        "promptCacheKey": text("what calls share that begin alike"),
    });
    if over_server {
        options["threadId"] =
            text("a thread of the app-server's to go on with; it knows what was said, and is read-only");
    }
    options
}
