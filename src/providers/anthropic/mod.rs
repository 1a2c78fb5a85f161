//! Anthropic's Messages API.

mod blocks;
mod decode;
mod encode;
mod wire;

#[cfg(test)]
mod tests;

use async_trait::async_trait;
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use tokio::time::Instant;
use url::Url;

use super::http::{Http, HttpRequest};
use super::reader::Decode;
use super::upstream::{Source, Upstream};
use super::{call, endpoint, reader, retry};
use crate::config::Secret;
use crate::model::{Delta, DeltaStream, ModelInfo, Provider, ProviderError, Request};
use decode::Decoder;

/// Opaque values of this dialect carry it.
pub const DIALECT: &str = "anthropic";

pub(super) const VERSION: HeaderValue = HeaderValue::from_static("2023-06-01");
const OAUTH: HeaderValue = HeaderValue::from_static("oauth-2025-04-20");
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
    pub key: Secret,
    pub default_model: Option<String>,
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

    fn authorised(&self, request: HttpRequest) -> Result<HttpRequest, ProviderError> {
        let key = &self.settings.key;
        let request = request.header(HeaderName::from_static("anthropic-version"), VERSION);
        if key.expose().starts_with(OAUTH_PREFIX) {
            let request = request.header(HeaderName::from_static("anthropic-beta"), OAUTH);
            return request.secret(AUTHORIZATION, "Bearer ", key);
        }
        request.secret(HeaderName::from_static("x-api-key"), "", key)
    }

    async fn page(&self, after: Option<&str>) -> Result<wire::Models, ProviderError> {
        let mut url = endpoint::join_versioned(&self.settings.base_url, "models");
        url.query_pairs_mut().append_pair("limit", "1000").extend_pairs(after.map(|id| ("after_id", id)));
        let request = self.authorised(HttpRequest::get(url))?;
        let attempt = async || self.source.json(self.http.send(request.clone()).await?).await;
        let answer = retry::run(self.http.settings().max_retries, None, attempt).await?;
        let misunderstood = |_| self.source.misunderstood(&answer.to_string());
        serde_json::from_value(answer.clone()).map_err(misunderstood)
    }
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
    encode::body(request, model)
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

    async fn stream(&self, request: Request) -> Result<DeltaStream, ProviderError> {
        let deadline = request.timeout.map(|timeout| Instant::now() + timeout);
        let model = request.model.as_deref().or(self.default_model()).ok_or_else(endpoint::no_model)?.to_owned();
        let url = endpoint::join_versioned(&self.settings.base_url, "messages");
        let body = encode::body(&request, &model)?;
        let post = self.authorised(HttpRequest::post_json(url, body).deadline(deadline))?;
        let post = if request.stream { post.uncompressed() } else { post };
        let decoder = || Decoder::new(self.source.clone(), model.clone());
        call::open(&self.http, &self.source, post, request.include_raw, decoder).await
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

    fn endpoints(&self) -> Vec<Url> {
        vec![self.settings.base_url.clone()]
    }
}
