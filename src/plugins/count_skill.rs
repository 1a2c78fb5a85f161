//! The skill of plugins whose vendor can say beforehand how many tokens a question comes to. It costs none.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::chat_skill::{Input, failed, schema};
use crate::model::ClientPlace;
use crate::plugins::Gate;
use crate::skills::{Handler, Skill, SkillError, SkillSpec};

/// Takes what the plugin's chat skill takes.
pub(super) fn count_skill(
    plugin: &'static str,
    id: &str,
    description: &str,
    provider: Option<Arc<Gate>>,
    hint: &str,
    options: &Value,
) -> Skill {
    let spec = SkillSpec {
        id: id.to_owned(),
        description: description.to_owned(),
        plugin: plugin.to_owned(),
        tags: vec!["ai".to_owned(), "tokens".to_owned()],
        input_schema: schema(options),
        dangerous: false,
    };
    Skill::new(spec, CountHandler { plugin, provider, hint: hint.to_owned() })
}

struct CountHandler {
    plugin: &'static str,
    /// Missing while the plugin is not configured.
    provider: Option<Arc<Gate>>,
    hint: String,
}

#[async_trait]
impl Handler for CountHandler {
    async fn run(&self, input: Value, _: &ClientPlace) -> Result<Value, SkillError> {
        let Some(provider) = &self.provider else {
            return Err(SkillError::new(format!("{} is not configured", self.plugin)).with_hint(&self.hint));
        };
        let input: Input = serde_json::from_value(input).map_err(|error| SkillError::new(error.to_string()))?;
        let request = input.into_request();
        let model = request.model.clone().or_else(|| provider.default_model().map(str::to_owned));
        let count = provider.count_tokens(request).await.map_err(failed)?;
        let count = count.ok_or_else(|| SkillError::new(format!("{} cannot count tokens", self.plugin)))?;
        Ok(json!({ "inputTokens": count, "model": model }))
    }
}
