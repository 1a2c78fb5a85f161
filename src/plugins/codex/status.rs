//! `codex-status`: which way in is taken, for whom, how much of the subscription is used, and whether the app-server or
//! the endpoint answers. It costs no tokens, and it never fails: what is wrong is what it tells.

use std::time::{Duration, Instant, SystemTime};

use async_trait::async_trait;
use serde_json::{Value, json};

use super::rpc::value;
use super::{Behind, DEFAULT_MODEL, ID};
use crate::codex::link::{Server, State};
use crate::codex::{AppServer, Checkup, Place, Window};
use crate::model::{ClientPlace, ErrorKind, Provider, ProviderError};
use crate::plugins::Readiness;
use crate::plugins::status_skill::no_input;
use crate::providers::codex::{Access, Codex};
use crate::skills::{Handler, Skill, SkillError, SkillSpec};

/// Somebody waits to hear whether it works.
const PROBE_TIMEOUT: Duration = Duration::from_secs(10);

pub(super) fn skill(behind: Option<Behind>, model: Option<String>, readiness: &Readiness) -> Skill {
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
    Skill::new(spec, Status { behind, model, lack })
}

struct Status {
    behind: Option<Behind>,
    /// What the configuration says.
    model: Option<String>,
    /// Why it is not configured.
    lack: Option<String>,
}

#[async_trait]
impl Handler for Status {
    async fn run(&self, _: Value, _: &ClientPlace) -> Result<Value, SkillError> {
        let mut status = json!({
            "provider": ID,
            "mode": self.behind.as_ref().map(Behind::mode),
            "configured": self.behind.is_some(),
            "account": null,
            "modelDefault": self.model.as_deref().unwrap_or(DEFAULT_MODEL),
        });
        if let Some(lack) = self.behind.as_ref().and_then(Behind::lack) {
            status["mode"] = Value::Null;
            status["configured"] = json!(false);
            status["error"] = json!(lack);
            return Ok(status);
        }
        match &self.behind {
            None => status["error"] = json!(self.lack),
            Some(Behind::AppServer { server, .. }) => {
                // Its own, which is told with the list of its models.
                status["modelDefault"] = json!(self.model);
                let start = Instant::now();
                let checkup = server.check_up().await;
                status["latencyMs"] = millis(start);
                tell_of_server(server, checkup, &mut status);
            }
            Some(Behind::Direct(codex)) => probe(codex, &mut status).await,
        }
        Ok(status)
    }
}

fn millis(start: Instant) -> Value {
    json!(u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX))
}

async fn probe(codex: &Codex, status: &mut Value) {
    let start = Instant::now();
    let answer = tokio::time::timeout(PROBE_TIMEOUT, codex.models()).await.unwrap_or_else(|_| {
        let message = format!("no answer within {} s", PROBE_TIMEOUT.as_secs());
        Err(ProviderError::new(ErrorKind::Timeout, message))
    });
    status["latencyMs"] = millis(start);
    // An answer that says no is an answer.
    status["reachable"] = json!(answer.as_ref().err().is_none_or(|error| error.status.is_some()));
    if let Err(error) = answer {
        status["error"] = json!(error.message);
        put(status, "hint", error.hint);
    }
    // After the probe, for it may have found newer tokens.
    tell(codex, status);
}

fn tell_of_server(server: &AppServer, checkup: Checkup, status: &mut Value) {
    let Checkup { account, limits, problem } = checkup;
    let (link, Place { transport, endpoint }) = (server.status(), server.place());
    status["reachable"] = json!(account.is_some());
    status["link"] = json!({ "transport": transport, "endpoint": endpoint, "ready": link.state == State::Ready });
    if let Some(told) = link.server.as_deref() {
        let Server { user_agent, version, codex_home, platform } = told;
        status["server"] = json!({
            "version": version, "userAgent": user_agent, "codexHome": codex_home, "platform": platform,
        });
    }
    if let Some(read) = account.and_then(|account| value(&account).ok()) {
        status["account"] = read["account"].clone();
        status["requiresOpenaiAuth"] = read["requiresOpenaiAuth"].clone();
        put(status, "plan", read.pointer("/account/planType").cloned());
    }
    let now = SystemTime::now();
    if !limits.is_empty() {
        status["rateLimits"] = limits.iter().map(|window| told(window, now)).collect();
    }
    if let Some(problem) = problem {
        status["problem"] = json!(problem.kind);
        status["error"] = json!(problem.message);
        put(status, "hint", problem.hint);
    }
}

fn told(window: &Window, now: SystemTime) -> Value {
    json!({
        "limitId": window.limit,
        "window": window.name,
        "usedPercent": window.used_percent,
        "windowMinutes": window.minutes,
        "resetsAt": window.resets_at,
        "resetsAtIso": window.resets_at_iso(),
        "resetsInSeconds": window.resets_in(now).map(|left| left.as_secs()),
    })
}

fn tell(codex: &Codex, status: &mut Value) {
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
