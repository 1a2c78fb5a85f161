//! `openai-compatible`: any endpoint that speaks OpenAI's chat completions, in the cloud or on this machine.

use std::sync::Arc;

use async_trait::async_trait;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use super::chat_skill::{chat_skill, failed};
use super::status_skill::{Status, no_input, status_skill};
use super::{Gate, Health, Plugin, Readiness, is_enabled};
use crate::config::Config;
use crate::model::Provider;
use crate::policy::HostPattern;
use crate::providers::chat::{Chat, ChatSettings};
use crate::providers::http::Http;
use crate::providers::upstream::Upstream;
use crate::skills::{Handler, Skill, SkillError, SkillSpec};

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
            list_models_skill(provider.clone()),
            status_skill(
                "openai-compat-status",
                "Whether the OpenAI-compatible server is configured and reachable",
                status,
            ),
        ],
        provider,
        propose_only: None,
        vendors: Vec::new(),
        health: Health::default(),
    }
}

/// What must be reachable for it; nothing while it is not configured.
pub fn endpoints(config: &Config) -> Vec<HostPattern> {
    config.openai_compatible.url.iter().filter_map(HostPattern::of).collect()
}

fn list_models_skill(provider: Option<Arc<Gate>>) -> Skill {
    let spec = SkillSpec {
        id: "openai-compat-list-models".to_owned(),
        description: "List the models of the OpenAI-compatible server".to_owned(),
        plugin: ID.to_owned(),
        tags: vec!["ai".to_owned(), "models".to_owned()],
        input_schema: no_input(),
        dangerous: false,
    };
    Skill::new(spec, ListModels { provider })
}

struct ListModels {
    provider: Option<Arc<Gate>>,
}

#[async_trait]
impl Handler for ListModels {
    async fn run(&self, _: Value) -> Result<Value, SkillError> {
        let Some(provider) = &self.provider else {
            return Err(SkillError::new(format!("{ID} is not configured")).with_hint(HINT));
        };
        let models = provider.models().await.map_err(failed)?;
        let models = models
            .iter()
            .map(|model| json!({ "id": model.id, "name": model.name, "contextWindow": model.context_window }));
        Ok(json!({ "models": models.collect::<Vec<_>>() }))
    }
}
