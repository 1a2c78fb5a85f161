//! Cloudflare's AI gateway: the models of many vendors behind one account.
//!
//! Two paths lead to a model. The run path, in Cloudflare's own API, is tried first; the gateway's compat door, which
//! the API is to replace but which knows more vendors, second. Both speak dialects that others here read and write;
//! what is here is who is asked, under which name, at which door and with whose key.

mod doors;
mod envelope;
mod headers;
mod model_id;
mod models;
mod notes;
mod options;
mod paths;
#[cfg(test)]
mod tests;
mod vendors;

pub use model_id::{CUSTOM, ModelId, spellings};
pub use vendors::{Key, NAMED_FIRST, VENDORS, Vendor};

use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::HeaderName;
use tokio::time::Instant;
use url::Url;

use super::endpoint::PathId;
use super::http::{Http, HttpRequest};
use super::reader::Decode;
use super::upstream::{Source, Upstream};
use super::{anthropic, call, chat, endpoint};
use crate::config::Secret;
use crate::model::{DeltaStream, ErrorKind, Metadata, ModelInfo, Provider, ProviderError, Request};
use doors::{Door, Facts, Path, plan};
use envelope::Enveloped;
use options::Options;

const PER_API: Upstream =
    Upstream { name: "Cloudflare", key_setting: "CLOUDFLARE_API_TOKEN", url_setting: "CLOUDFLARE_API_BASE_URL" };
const PER_GATEWAY: Upstream =
    Upstream { name: "the AI gateway", key_setting: "AI_GATEWAY_AUTH_TOKEN", url_setting: "CF_AI_GATEWAY_BASE_URL" };

#[derive(Clone, Debug)]
pub struct GatewaySettings {
    /// The plugin's name.
    pub id: &'static str,
    /// Of Cloudflare's API.
    pub api_base_url: Url,
    /// Of the gateways.
    pub base_url: Url,
    pub account: PathId,
    pub gateway: PathId,
    /// For the run path.
    pub api_token: Option<Secret>,
    /// For a gateway that asks who calls.
    pub auth_token: Option<Secret>,
    pub default_model: Option<String>,
    /// Whether Cloudflare may bill a call for which it has no key.
    pub unified_billing: bool,
    pub cache_ttl: Option<Duration>,
    pub collect_log: Option<bool>,
}

pub struct Gateway {
    http: Http,
    settings: GatewaySettings,
}

/// One call, as all its doors need it.
struct Call {
    request: Request,
    model: ModelId,
    options: Options,
    deadline: Option<Instant>,
}

impl Gateway {
    pub fn new(http: Http, settings: GatewaySettings) -> Self {
        Self { http, settings }
    }

    async fn ask(&self, door: Door, call: &Call, about: Metadata) -> Result<DeltaStream, ProviderError> {
        // Opaque values stay bound to one name, whichever door they came through.
        let bound = call.model.to_string();
        let name = call.model.at(door).unwrap_or_else(|| bound.clone());
        let host = call.model.vendor().map_or("", |vendor| vendor.host);
        let source = self.source_for(door, call);
        let url = door.url(&self.settings, &call.model);
        if door == Door::Messages {
            let body = anthropic::body(&call.request, &bound)?;
            let post = HttpRequest::post_json(url, body);
            let post = post.header(HeaderName::from_static("anthropic-version"), anthropic::VERSION);
            let decoder = || anthropic::decoder(&source, &bound);
            return self.open(door, call, post, &source, about, decoder).await;
        }
        let body = match door {
            Door::Universal => universal(&name, &chat::body(&call.request, &bound, "", host)),
            _ => chat::body(&call.request, &bound, &name, host),
        };
        let decoder = || chat::decoder(&source, &bound, &call.request.messages);
        self.open(door, call, HttpRequest::post_json(url, body), &source, about, decoder).await
    }

    async fn open<D: Decode>(
        &self,
        door: Door,
        call: &Call,
        post: HttpRequest,
        source: &Source,
        about: Metadata,
        decoder: impl Fn() -> D,
    ) -> Result<DeltaStream, ProviderError> {
        let vendor = call.model.vendor();
        let post = headers::sign(post, door.path(), &self.settings, &call.options, vendor)?.deadline(call.deadline);
        let post = if call.request.stream { post.uncompressed() } else { post };
        let enveloped = || Enveloped { inner: decoder(), source: source.clone(), about: about.clone() };
        let answer = call::open(&self.http, source, post, call.request.include_raw, enveloped).await;
        answer.map_err(|error| self.advised(door.path(), error))
    }

    /// Knows the key that came with the call, so that nothing quotes it.
    fn source_for(&self, door: Door, call: &Call) -> Source {
        let source = self.source(match door.path() {
            Path::Run => PER_API,
            Path::Compat | Path::Native => PER_GATEWAY,
        });
        match &call.options.api_key {
            Some(key) => Source { redactor: source.redactor.with(key.expose()), ..source },
            None => source,
        }
    }

    /// Advice that only this place can give.
    fn advised(&self, path: Path, error: ProviderError) -> ProviderError {
        // All other advice is to check a key.
        let knows_more = error.hint.as_ref().is_some_and(|hint| !hint.starts_with("check "));
        let hint = match (error.kind, path) {
            // A licence to be accepted, an account that is blocked: no key mends that.
            (ErrorKind::Auth, _) if knows_more => return error,
            (ErrorKind::Auth, Path::Run) => {
                "CLOUDFLARE_API_TOKEN needs the permission Workers AI Read, and for some accounts AI Gateway Run; if \
                 the vendor refused, see its key in the gateway"
            }
            (ErrorKind::Auth, Path::Compat | Path::Native) => {
                "AI_GATEWAY_AUTH_TOKEN needs the permission AI Gateway Run; if the vendor refused, store its key in \
                 the gateway or give providerApiKey"
            }
            (ErrorKind::Quota, _) if error.status == Some(402) && !self.settings.unified_billing => {
                "store the vendor's key in the gateway, or set unified_billing = true under [cf_ai_gateway] to let \
                 Cloudflare bill the call"
            }
            _ => return error,
        };
        error.with_hint(hint)
    }
}

impl GatewaySettings {
    /// What tells a gateway who calls.
    fn caller(&self) -> Option<&Secret> {
        self.auth_token.as_ref().or(self.api_token.as_ref())
    }
}

#[async_trait]
impl Provider for Gateway {
    fn id(&self) -> &str {
        self.settings.id
    }

    fn default_model(&self) -> Option<&str> {
        self.settings.default_model.as_deref()
    }

    async fn stream(&self, mut request: Request) -> Result<DeltaStream, ProviderError> {
        let deadline = call::deadline(&request);
        let named = request.model.as_deref().or(self.default_model()).ok_or_else(no_model)?;
        let model = ModelId::for_chat(named)?;
        // Others who read the request would take them for their own, and it holds a key no longer than it must.
        let options = Options::read(&std::mem::take(&mut request.options), &self.settings)?;
        let facts = Facts {
            has_api_token: self.settings.api_token.is_some(),
            force_compat: options.force_compat,
            names_key: options.api_key.is_some() || options.key_ref.is_some(),
        };
        let doors = plan(&model, facts)?;
        let call = Call { request, model, options, deadline };
        let mut failed = Vec::new();
        for (index, door) in doors.iter().enumerate() {
            let path = door.path();
            let error = match self.ask(*door, &call, paths::metadata(path, &failed)).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let last = index + 1 == doors.len();
            if last || !paths::is_of_the_path(&error) {
                return Err(paths::join(&failed, path, error));
            }
            tracing::info!(path = path.name(), %error, "trying the next path");
            failed.push((path, error));
        }
        Err(no_model())
    }

    async fn models(&self) -> Result<Vec<ModelInfo>, ProviderError> {
        self.list().await
    }

    fn endpoints(&self) -> Vec<Url> {
        let api = self.settings.api_token.as_ref().map(|_| self.settings.api_base_url.clone());
        api.into_iter().chain([self.settings.base_url.clone()]).collect()
    }
}

fn no_model() -> ProviderError {
    endpoint::no_model().with_hint("set CF_AI_GATEWAY_DEFAULT_MODEL to a provider/model-name, or name a model")
}

/// The one door that has the model's name outside of what the model gets.
fn universal(name: &str, input: &[u8]) -> Vec<u8> {
    let head = format!("{{\"model\":{},\"input\":", serde_json::Value::from(name));
    [head.as_bytes(), input, b"}"].concat()
}
