//! `cloudflare`: reading an account of Cloudflare's. It changes nothing, and it completes no conversation.

use async_trait::async_trait;
use reqwest::header::AUTHORIZATION;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::chat_skill::failed;
use super::status_skill::no_input;
use super::{Health, Plugin, Readiness, is_enabled};
use crate::config::{Config, Secret};
use crate::model::{ClientPlace, ErrorKind, ProviderError};
use crate::policy::HostPattern;
use crate::providers::http::{Http, HttpRequest};
use crate::providers::upstream::{Source, Upstream};
use crate::skills::{Handler, Skill, SkillError, SkillSpec};

pub const ID: &str = "cloudflare";
const TOKEN: &str = "CLOUDFLARE_API_TOKEN";
const HINT: &str = "set CLOUDFLARE_API_TOKEN to a token from dash.cloudflare.com/profile/api-tokens";
const UPSTREAM: Upstream = Upstream { name: "Cloudflare", key_setting: TOKEN, url_setting: "CLOUDFLARE_API_BASE_URL" };
/// A model reads the result; more rows than this would not help it.
const MAX_ROWS: usize = 500;
const PAGE_SIZE: usize = 50;

pub fn build(config: &Config, http: &Http) -> Plugin {
    let settings = &config.cloudflare;
    let readiness = match settings.api_token {
        Some(_) => Readiness::Configured,
        None => Readiness::Missing { missing: vec![TOKEN], hint: HINT.to_owned() },
    };
    let source = Source { upstream: UPSTREAM, redactor: http.redactor().clone() };
    let (base_url, token) = (settings.api_base_url.clone(), settings.api_token.clone());
    let api = Api { http: http.clone(), base_url, token, source };
    Plugin {
        id: ID,
        description: "Zones and DNS records of a Cloudflare account, read only",
        enabled: is_enabled(config, ID, settings.api_token.is_some()),
        readiness,
        hosts: endpoints(config),
        skills: Question::ALL.into_iter().map(|question| question.skill(api.clone())).collect(),
        provider: None,
        engine: None,
        propose_only: None,
        vendors: Vec::new(),
        health: Health::default(),
    }
}

/// What must be reachable for it; nothing while it is not configured.
pub fn endpoints(config: &Config) -> Vec<HostPattern> {
    config.cloudflare.api_token.iter().filter_map(|_| HostPattern::of(&config.cloudflare.api_base_url)).collect()
}

#[derive(Clone, Copy)]
enum Question {
    Verify,
    Zones,
    DnsRecords,
}

impl Question {
    const ALL: [Self; 3] = [Self::Verify, Self::Zones, Self::DnsRecords];

    fn skill(self, api: Api) -> Skill {
        let (id, description) = match self {
            Self::Verify => ("cf-verify", "Whether the Cloudflare API token is valid"),
            Self::Zones => ("cf-list-zones", "List the zones (domains) of the Cloudflare account"),
            Self::DnsRecords => ("cf-list-dns-records", "List the DNS records of a Cloudflare zone"),
        };
        let input_schema = match self {
            Self::Verify | Self::Zones => no_input(),
            Self::DnsRecords => json!({
                "type": "object",
                "properties": { "zoneId": { "type": "string", "pattern": "^[A-Za-z0-9]+$" } },
                "required": ["zoneId"],
                "additionalProperties": false,
            }),
        };
        let spec = SkillSpec {
            id: id.to_owned(),
            description: description.to_owned(),
            plugin: ID.to_owned(),
            tags: vec!["cloudflare".to_owned(), "read".to_owned()],
            input_schema,
            dangerous: false,
        };
        Skill::new(spec, Ask { question: self, api })
    }
}

struct Ask {
    question: Question,
    api: Api,
}

#[async_trait]
impl Handler for Ask {
    async fn run(&self, input: Value, _: &ClientPlace) -> Result<Value, SkillError> {
        match self.question {
            Question::Verify => {
                let envelope = self.api.get("user/tokens/verify", None).await?;
                Ok(picked(&envelope.result, &["id", "status", "expires_on"]))
            }
            Question::Zones => self.api.list("zones", "zones", &["id", "name", "status", "paused"]).await,
            Question::DnsRecords => {
                let zone = input.get("zoneId").and_then(Value::as_str).unwrap_or_default();
                let fields = ["id", "type", "name", "content", "ttl", "proxied", "priority"];
                self.api.list(&format!("zones/{zone}/dns_records"), "records", &fields).await
            }
        }
    }
}

#[derive(Clone)]
struct Api {
    http: Http,
    base_url: Url,
    token: Option<Secret>,
    source: Source,
}

#[derive(Deserialize)]
struct Envelope {
    #[serde(default)]
    result: Value,
    /// Older endpoints leave it out when all is well.
    #[serde(default = "yes")]
    success: bool,
    result_info: Option<ResultInfo>,
}

#[derive(Deserialize)]
struct ResultInfo {
    #[serde(default)]
    total_pages: usize,
    total_count: Option<usize>,
}

fn yes() -> bool {
    true
}

impl Api {
    /// The rows under `name`, each with these fields only, and whether there are more than were read.
    async fn list(&self, path: &str, name: &str, fields: &[&str]) -> Result<Value, SkillError> {
        let mut rows = Vec::new();
        let mut total = None;
        for page in 1..=MAX_ROWS / PAGE_SIZE {
            let envelope = self.get(path, Some(page)).await?;
            let got = envelope.result.as_array().map(Vec::as_slice).unwrap_or_default();
            rows.extend(got.iter().map(|row| picked(row, fields)));
            let info = envelope.result_info;
            total = info.as_ref().and_then(|info| info.total_count);
            if got.is_empty() || info.is_none_or(|info| page >= info.total_pages) {
                break;
            }
        }
        let truncated = total.is_some_and(|total| total > rows.len());
        Ok(json!({ name: rows, "total": total.unwrap_or(rows.len()), "truncated": truncated }))
    }

    async fn get(&self, path: &str, page: Option<usize>) -> Result<Envelope, SkillError> {
        let Some(token) = &self.token else {
            return Err(SkillError::new("no Cloudflare API token is set").with_hint(HINT));
        };
        let mut url = self.base_url.clone();
        url.set_path(&format!("{}/{path}", self.base_url.path().trim_end_matches('/')));
        if let Some(page) = page {
            let (page, size) = (page.to_string(), PAGE_SIZE.to_string());
            url.query_pairs_mut().append_pair("page", &page).append_pair("per_page", &size);
        }
        self.fetch(url, token).await.map_err(failed)
    }

    async fn fetch(&self, url: Url, token: &Secret) -> Result<Envelope, ProviderError> {
        let request = HttpRequest::get(url).secret(AUTHORIZATION, "Bearer ", token)?;
        let answer = self.source.ask(&self.http, &request).await?;
        let envelope: Envelope =
            serde_json::from_value(answer.clone()).map_err(|_| self.source.misunderstood(&answer.to_string()))?;
        if envelope.success {
            return Ok(envelope);
        }
        let said = answer.pointer("/errors/0/message").and_then(Value::as_str).unwrap_or("no reason was given");
        let message = format!("Cloudflare refused: {}", self.http.redactor().redact(said));
        Err(ProviderError::new(ErrorKind::InvalidRequest, message))
    }
}

fn picked(row: &Value, fields: &[&str]) -> Value {
    let known = fields.iter().filter_map(|field| Some(((*field).to_owned(), row.get(*field)?.clone())));
    Value::Object(known.collect())
}
