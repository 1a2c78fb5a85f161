//! Anthropic's Messages API.

mod blocks;
mod decode;
mod encode;
mod headers;
mod options;
mod wire;

#[cfg(test)]
mod call_tests;
#[cfg(test)]
mod tests;

use async_trait::async_trait;
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use url::Url;

use super::http::{Http, HttpRequest};
use super::reader::Decode;
use super::upstream::{Source, Upstream};
use super::{call, endpoint, reader};
use crate::config::Secret;
use crate::model::{Delta, DeltaStream, ErrorKind, ModelInfo, Provider, ProviderError, Request};
use decode::Decoder;
use encode::Cache;
use options::Options;
pub use options::schema as options_schema;

/// Opaque values of this dialect carry it.
pub const DIALECT: &str = "anthropic";

pub(super) const VERSION: HeaderValue = HeaderValue::from_static("2023-06-01");
const OAUTH: &str = "oauth-2025-04-20";
/// Others who speak the dialect may not know all of it.
const OWN_HOST: &str = "api.anthropic.com";
/// How tokens of a signed-in person begin, as against keys of an account.
const OAUTH_PREFIX: &str = "sk-ant-oat";
/// More pages than this are a server that turns in circles.
const MAX_PAGES: usize = 10;

#[derive(Clone, Debug)]
pub struct AnthropicSettings {
    /// The plugin's name.
    pub id: &'static str,
    pub upstream: Upstream,
    /// With or without `/v1`.
    pub base_url: Url,
    pub credential: Credential,
    pub default_model: Option<String>,
}

/// The two differ in the header that carries them.
#[derive(Clone, Debug)]
pub enum Credential {
    Key(Secret),
    /// Of a person who signed in, or of a proxy that asks for one.
    Token(Secret),
}

pub struct Anthropic {
    http: Http,
    settings: AnthropicSettings,
    source: Source,
}

impl Anthropic {
    pub fn new(http: Http, settings: AnthropicSettings) -> Self {
        let source = Source { upstream: settings.upstream, redactor: http.redactor().clone() };
        Self { http, settings, source }
    }

    fn authorised(&self, request: HttpRequest, betas: &[&str]) -> Result<HttpRequest, ProviderError> {
        let (secret, is_token) = match &self.settings.credential {
            Credential::Key(key) => (key, false),
            Credential::Token(token) => (token, true),
        };
        let is_oauth = secret.expose().starts_with(OAUTH_PREFIX);
        let betas: Vec<&str> = is_oauth.then_some(OAUTH).into_iter().chain(betas.iter().copied()).collect();
        let mut request = request.header(HeaderName::from_static("anthropic-version"), VERSION);
        if !betas.is_empty() {
            let value = HeaderValue::try_from(betas.join(",")).map_err(|_| {
                ProviderError::new(ErrorKind::InvalidRequest, "'betas' holds a character that no header may hold")
            })?;
            request = request.header(HeaderName::from_static("anthropic-beta"), value);
        }
        if is_oauth || is_token {
            return request.secret(AUTHORIZATION, "Bearer ", secret);
        }
        request.secret(HeaderName::from_static("x-api-key"), "", secret)
    }

    fn model(&self, request: &Request) -> Result<String, ProviderError> {
        let model = request.model.as_deref().or(self.default_model());
        model.map(str::to_owned).ok_or_else(endpoint::no_model)
    }

    fn url(&self, endpoint: &str) -> Url {
        endpoint::join_versioned(&self.settings.base_url, endpoint)
    }

    async fn ask(
        &self,
        request: &Request,
        model: &str,
        deadline: Option<Instant>,
    ) -> Result<DeltaStream, ProviderError> {
        let cache = match self.settings.base_url.host_str() {
            Some(OWN_HOST) => Cache::WhereItPays,
            _ => Cache::OnDemand,
        };
        let body = encode::body(request, model, cache)?;
        let post = HttpRequest::post_json(self.url("messages"), body).deadline(deadline);
        let post = self.authorised(post, &Options::of(request).betas)?;
        let post = if request.stream { post.uncompressed() } else { post };
        let decoder = || Decoder::new(self.source.clone(), model.to_owned());
        call::open(&self.http, &self.source, post, request.include_raw, decoder).await
    }

    async fn json<T: DeserializeOwned>(&self, request: HttpRequest) -> Result<T, ProviderError> {
        let answer = self.source.ask(&self.http, &request).await?;
        T::deserialize(&answer).map_err(|_| self.source.misunderstood(&answer.to_string()))
    }

    async fn page(&self, after: Option<&str>) -> Result<wire::Models, ProviderError> {
        let mut url = self.url("models");
        url.query_pairs_mut().append_pair("limit", "1000").extend_pairs(after.map(|id| ("after_id", id)));
        self.json(self.authorised(HttpRequest::get(url), &[])?).await
    }
}

/// Newer models take none. That of a model is told only by its refusal.
fn refuses_temperature(error: &ProviderError) -> bool {
    error.kind == ErrorKind::InvalidRequest && error.message.contains("temperature")
}

/// Reads a recorded answer of `model`: what came of it, and how it ended.
pub fn replay<'a>(
    source: &Source,
    model: &str,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Delta>, Result<(), ProviderError>) {
    reader::replay(Decoder::new(source.clone(), model.to_owned()), source.clone(), chunks)
}

/// A request in this dialect for other doors than its own.
pub(super) fn body(request: &Request, model: &str) -> Result<Vec<u8>, ProviderError> {
    encode::body(request, model, Cache::OnDemand)
}

/// Reads an answer to such a request.
pub(super) fn decoder(source: &Source, model: &str) -> impl Decode + use<> {
    Decoder::new(source.clone(), model.to_owned())
}

#[async_trait]
impl Provider for Anthropic {
    fn id(&self) -> &str {
        self.settings.id
    }

    fn default_model(&self) -> Option<&str> {
        self.settings.default_model.as_deref()
    }

    async fn stream(&self, mut request: Request) -> Result<DeltaStream, ProviderError> {
        let deadline = call::deadline(&request);
        let model = self.model(&request)?;
        match self.ask(&request, &model, deadline).await {
            Err(error) if request.temperature.is_some() && refuses_temperature(&error) => {
                request.temperature = None;
                self.ask(&request, &model, deadline).await
            }
            answer => answer,
        }
    }

    async fn models(&self) -> Result<Vec<ModelInfo>, ProviderError> {
        let mut models = Vec::new();
        let mut after = None;
        for _ in 0..MAX_PAGES {
            let page = self.page(after.as_deref()).await?;
            models.extend(page.data.into_iter().map(|model| ModelInfo {
                id: model.id,
                name: model.display_name,
                context_window: model.max_input_tokens,
            }));
            if !page.has_more || page.last_id.is_none() {
                break;
            }
            after = page.last_id;
        }
        Ok(models)
    }

    async fn count_tokens(&self, request: Request) -> Result<Option<u64>, ProviderError> {
        let deadline = call::deadline(&request);
        let body = encode::count_body(&request, &self.model(&request)?)?;
        let post = HttpRequest::post_json(self.url("messages/count_tokens"), body).deadline(deadline);
        let count: wire::Count = self.json(self.authorised(post, &Options::of(&request).betas)?).await?;
        Ok(Some(count.input_tokens))
    }

    fn endpoints(&self) -> Vec<Url> {
        vec![self.url("messages")]
    }
}
