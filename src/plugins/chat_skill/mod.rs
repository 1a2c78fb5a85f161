//! The chat skill that every plugin with a provider has: one question, one answer, no loop and no session.

mod answer;
mod input;
mod schema;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use super::Gate;
use crate::model::{ClientPlace, ProviderError};
use crate::skills::{Handler, Skill, SkillError, SkillSpec};

pub(super) use answer::{complete, output};
pub(super) use input::Input;
pub(super) use schema::schema;

/// `provider` is missing while the plugin is not configured; `hint` then says how to set it up. `options` are the
/// schemas of what only this provider understands, by name; what is given of them becomes [`Request::options`].
///
/// [`Request::options`]: crate::model::Request::options
pub(super) fn chat_skill(
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
        tags: vec!["ai".to_owned(), "chat".to_owned()],
        input_schema: schema(options),
        dangerous: false,
    };
    Skill::new(spec, ChatHandler { plugin, provider, hint: hint.to_owned() })
}

struct ChatHandler {
    plugin: &'static str,
    provider: Option<Arc<Gate>>,
    hint: String,
}

#[async_trait]
impl Handler for ChatHandler {
    async fn run(&self, input: Value, _: &ClientPlace) -> Result<Value, SkillError> {
        let Some(provider) = &self.provider else {
            return Err(SkillError::new(format!("{} is not configured", self.plugin)).with_hint(&self.hint));
        };
        let input: Input = serde_json::from_value(input).map_err(|error| SkillError::new(error.to_string()))?;
        let request = input.into_request();
        let asked = request.model.clone();
        let completion = complete(&**provider, request).await.map_err(failed)?;
        let model = completion.model.clone().or(asked).or_else(|| provider.default_model().map(str::to_owned));
        Ok(output(completion, model, self.plugin))
    }
}

pub(super) fn failed(error: ProviderError) -> SkillError {
    let mut skill_error = SkillError::new(error.message);
    skill_error.hint = error.hint;
    skill_error.status = error.status;
    skill_error.retryable = error.retryable;
    skill_error.kind = Some(error.kind);
    skill_error
}
