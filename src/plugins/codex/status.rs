//! `codex-status`: which way in is taken, for whom, how much of the subscription is used, and whether the endpoint
//! answers. It costs no tokens, and it never fails: what is wrong is what it tells.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use serde_json::{Value, json};

use super::ID;
use crate::model::{ErrorKind, Provider, ProviderError};
use crate::plugins::Readiness;
use crate::plugins::status_skill::no_input;
use crate::providers::codex::{Access, Codex};
use crate::skills::{Handler, Skill, SkillError, SkillSpec};

/// Somebody waits to hear whether it works.
const PROBE_TIMEOUT: Duration = Duration::from_secs(10);

pub(super) fn skill(codex: Option<Arc<Codex>>, model_default: String, readiness: &Readiness) -> Skill {
    let spec = SkillSpec {
        id: "codex-status".to_owned(),
        description: "Whether OpenAI is configured and reachable, by which sign-in, and what is left of it".to_owned(),
        plugin: ID.to_owned(),
        tags: vec!["ai".to_owned(), "status".to_owned()],
        input_schema: no_input(),
        dangerous: false,
    };
    let lack = match readiness {
        Readiness::Configured => None,
        Readiness::Missing { hint, .. } => Some(hint.clone()),
    };
    Skill::new(spec, Status { codex, model_default, lack })
}

struct Status {
    codex: Option<Arc<Codex>>,
    model_default: String,
    /// Why it is not configured.
    lack: Option<String>,
}

#[async_trait]
impl Handler for Status {
    async fn run(&self, _: Value) -> Result<Value, SkillError> {
        let mut status = json!({
            "provider": ID,
            "mode": null,
            "configured": self.codex.is_some(),
            "account": null,
            "modelDefault": self.model_default,
        });
        let Some(codex) = &self.codex else {
            status["error"] = json!(self.lack);
            return Ok(status);
        };
        if let Some(lack) = codex.lack() {
            status["configured"] = json!(false);
            status["error"] = json!(lack);
            return Ok(status);
        }
        let start = Instant::now();
        let answer = tokio::time::timeout(PROBE_TIMEOUT, codex.models()).await.unwrap_or_else(|_| {
            let message = format!("no answer within {} s", PROBE_TIMEOUT.as_secs());
            Err(ProviderError::new(ErrorKind::Timeout, message))
        });
        status["latencyMs"] = json!(u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX));
        // An answer that says no is an answer.
        status["reachable"] = json!(answer.as_ref().err().is_none_or(|error| error.status.is_some()));
        if let Err(error) = answer {
            status["error"] = json!(error.message);
            put(&mut status, "hint", error.hint);
        }
        // After the probe, for it may have found newer tokens.
        tell(codex, &mut status);
        Ok(status)
    }
}

fn tell(codex: &Codex, status: &mut Value) {
    status["mode"] = json!(codex.access().mode());
    status["baseUrl"] = json!(codex.base_url());
    if let Access::ChatGptTokens(by_tokens) = codex.access() {
        let source = by_tokens.tokens();
        if let Some(tokens) = source.current() {
            status["account"] = json!(tokens.account);
            put(status, "plan", tokens.plan);
            put(status, "tokenExpiresAt", tokens.expires_at);
        }
        put(status, "loginOwner", Some(source.owner().as_str()));
        put(status, "rateLimits", codex.rate_limits());
    }
}

fn put(status: &mut Value, name: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        status[name] = value.into();
    }
}
