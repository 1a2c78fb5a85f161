//! The skill that lists the models of a plugin.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::Gate;
use super::chat_skill::failed;
use super::status_skill::no_input;
use crate::model::ClientPlace;
use crate::skills::{Handler, Skill, SkillError, SkillSpec};

/// `provider` is missing while the plugin is not configured; `hint` then says how to set it up.
pub(super) fn models_skill(
    plugin: &'static str,
    id: &str,
    description: &str,
    provider: Option<Arc<Gate>>,
    hint: &str,
) -> Skill {
    let spec = SkillSpec {
        id: id.to_owned(),
        description: description.to_owned(),
        plugin: plugin.to_owned(),
        tags: vec!["ai".to_owned(), "models".to_owned()],
        input_schema: no_input(),
        dangerous: false,
    };
    Skill::new(spec, Models { plugin, provider, hint: hint.to_owned() })
}

struct Models {
    plugin: &'static str,
    provider: Option<Arc<Gate>>,
    hint: String,
}

#[async_trait]
impl Handler for Models {
    async fn run(&self, _: Value, _: &ClientPlace) -> Result<Value, SkillError> {
        let Some(provider) = &self.provider else {
            return Err(SkillError::new(format!("{} is not configured", self.plugin)).with_hint(&self.hint));
        };
        let models = provider.models().await.map_err(failed)?;
        let rows = models
            .iter()
            .map(|model| json!({ "id": model.id, "name": model.name, "contextWindow": model.context_window }));
        Ok(json!({ "models": rows.collect::<Vec<_>>() }))
    }
}
