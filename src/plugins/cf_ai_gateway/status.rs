//! `cf-gateway-status`: what every status skill tells, and which paths to a model are open.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use url::Url;

use super::{ID, default_model};
use crate::config::Config;
use crate::model::ClientPlace;
use crate::plugins::Gate;
use crate::plugins::status_skill::{Status, no_input};
use crate::policy::{HostPattern, HostPolicy};
use crate::skills::{Handler, Skill, SkillError, SkillSpec};

pub(super) fn skill(config: &Config, provider: Option<Arc<Gate>>) -> Skill {
    let spec = SkillSpec {
        id: "cf-gateway-status".to_owned(),
        description: "Whether the Cloudflare AI gateway is configured and reachable, and over which paths".to_owned(),
        plugin: ID.to_owned(),
        tags: vec!["ai".to_owned(), "status".to_owned()],
        input_schema: no_input(),
        dangerous: false,
    };
    Skill::new(spec, GatewayStatus::new(config, provider))
}

struct GatewayStatus {
    shared: Status,
    gateway_id: Option<String>,
    /// Why each path is closed, if it is.
    run: Option<String>,
    compat: Option<String>,
}

impl GatewayStatus {
    fn new(config: &Config, provider: Option<Arc<Gate>>) -> Self {
        let has_token = config.cloudflare.api_token.is_some();
        let missing = provider.is_none().then(|| "the plugin is not configured".to_owned());
        let no_token = || (!has_token).then(|| "CLOUDFLARE_API_TOKEN is not set".to_owned());
        let run = missing.clone().or_else(no_token);
        let shared = Status {
            plugin: ID,
            base_url: Some(config.ai_gateway.base_url.clone()),
            has_key: has_token || config.ai_gateway.auth_token.is_some(),
            model_default: default_model(config),
            provider,
        };
        Self {
            shared,
            gateway_id: config.ai_gateway.id.clone(),
            run: run.or_else(|| not_allowed(config, &config.cloudflare.api_base_url)),
            compat: missing.or_else(|| not_allowed(config, &config.ai_gateway.base_url)),
        }
    }
}

#[async_trait]
impl Handler for GatewayStatus {
    async fn run(&self, input: Value, place: &ClientPlace) -> Result<Value, SkillError> {
        let mut status = self.shared.run(input, place).await?;
        status["gatewayId"] = json!(self.gateway_id);
        status["paths"] = json!({ "run": path(self.run.as_ref()), "compat": path(self.compat.as_ref()) });
        Ok(status)
    }
}

fn path(closed: Option<&String>) -> Value {
    match closed {
        None => json!({ "usable": true }),
        Some(why) => json!({ "usable": false, "whyNot": why }),
    }
}

/// Whoever lists the hosts that may be called may have left this one out.
fn not_allowed(config: &Config, url: &Url) -> Option<String> {
    let hosts = config.allowed_hosts.as_ref()?;
    let patterns: Vec<HostPattern> = hosts.iter().filter_map(|host| host.parse().ok()).collect();
    let host = HostPolicy::new(patterns).check(url).err()?;
    Some(format!("ALLOWED_HOSTS does not name {host}"))
}
