//! The status skill that every plugin with a provider has. It costs no tokens, and it never fails: what is wrong is
//! what it tells.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use serde_json::{Value, json};
use url::Url;

use super::Gate;
use crate::model::{ClientPlace, ErrorKind, Provider, ProviderError};
use crate::skills::{Handler, Skill, SkillError, SkillSpec};

/// Somebody waits to hear whether it works.
const PROBE_TIMEOUT: Duration = Duration::from_secs(10);

/// What is known without asking.
pub(super) struct Status {
    pub(super) plugin: &'static str,
    pub(super) base_url: Option<Url>,
    pub(super) has_key: bool,
    pub(super) model_default: Option<String>,
    /// Missing while the plugin is not configured.
    pub(super) provider: Option<Arc<Gate>>,
}

pub(super) fn status_skill(id: &str, description: &str, status: Status) -> Skill {
    let spec = SkillSpec {
        id: id.to_owned(),
        description: description.to_owned(),
        plugin: status.plugin.to_owned(),
        tags: vec!["ai".to_owned(), "status".to_owned()],
        input_schema: no_input(),
        dangerous: false,
    };
    Skill::new(spec, status)
}

pub(super) fn no_input() -> Value {
    json!({ "type": "object", "properties": {}, "additionalProperties": false })
}

#[async_trait]
impl Handler for Status {
    async fn run(&self, _: Value, _: &ClientPlace) -> Result<Value, SkillError> {
        let mut status = json!({
            "provider": self.plugin,
            "configured": self.provider.is_some(),
            "baseUrl": self.base_url,
            "hasKey": self.has_key,
            "modelDefault": self.model_default,
        });
        let Some(provider) = &self.provider else { return Ok(status) };
        let start = Instant::now();
        let answer = tokio::time::timeout(PROBE_TIMEOUT, provider.models()).await.unwrap_or_else(|_| {
            let message = format!("no answer within {} s", PROBE_TIMEOUT.as_secs());
            Err(ProviderError::new(ErrorKind::Timeout, message))
        });
        match answer {
            Ok(_) => status["reachable"] = json!(true),
            Err(error) => {
                // An answer that says no is an answer.
                status["reachable"] = json!(error.status.is_some());
                status["error"] = json!(error.message);
            }
        }
        status["latencyMs"] = json!(u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX));
        Ok(status)
    }
}
