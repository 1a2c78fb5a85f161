//! `codex-models`: the models that the key or the subscription may use.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::ID;
use crate::plugins::Gate;
use crate::plugins::chat_skill::failed;
use crate::plugins::status_skill::no_input;
use crate::skills::{Handler, Skill, SkillError, SkillSpec};

pub(super) fn skill(provider: Option<Arc<Gate>>, hint: &str) -> Skill {
    let spec = SkillSpec {
        id: "codex-models".to_owned(),
        description: "List the models that the key or the ChatGPT subscription may use".to_owned(),
        plugin: ID.to_owned(),
        tags: vec!["ai".to_owned(), "models".to_owned()],
        input_schema: no_input(),
        dangerous: false,
    };
    Skill::new(spec, Models { provider, hint: hint.to_owned() })
}

struct Models {
    provider: Option<Arc<Gate>>,
    hint: String,
}

#[async_trait]
impl Handler for Models {
    async fn run(&self, _: Value) -> Result<Value, SkillError> {
        let Some(provider) = &self.provider else {
            return Err(SkillError::new(format!("{ID} is not configured")).with_hint(&self.hint));
        };
        let models = provider.models().await.map_err(failed)?;
        let rows = models
            .iter()
            .map(|model| json!({ "id": model.id, "name": model.name, "contextWindow": model.context_window }));
        Ok(json!({ "models": rows.collect::<Vec<_>>() }))
    }
}
