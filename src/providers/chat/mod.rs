//! OpenAI's chat completions, as OpenAI and everybody else speaks them.

mod calls;
pub(super) mod decode;
pub(super) mod encode;
mod models;
mod reasoning;
mod usage;
mod vendors;
pub(super) mod wire;

#[cfg(test)]
mod tests;

use std::collections::HashSet;

use async_trait::async_trait;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName};
use serde_json::Value;
use tokio::sync::OnceCell;
use tokio::time::Instant;
use url::Url;

use super::history::call_ids;
use super::http::{Http, HttpRequest};
use super::reader::Decode;
use super::upstream::{Source, Upstream};
use super::{call, endpoint, reader};
use crate::config::Secret;
use crate::model::{Delta, DeltaStream, Message, ModelInfo, Provider, ProviderError, Request};
use decode::Decoder;
use vendors::{Vendor, vendor};

/// Opaque values of this dialect carry it.
pub const DIALECT: &str = "chat";

#[derive(Clone, Debug)]
pub struct ChatSettings {
    /// The plugin's name.
    pub id: &'static str,
    pub upstream: Upstream,
    /// Up to where `/chat/completions` begins.
    pub base_url: Url,
    pub key: Option<Secret>,
    /// Sent with every request; secrets among them are marked as sensitive.
    pub headers: HeaderMap,
    pub default_model: Option<String>,
}

pub struct Chat {
    http: Http,
    settings: ChatSettings,
    /// Where completions are asked for.
    url: Url,
    source: Source,
    vendor: Vendor,
    /// Found out once when no default is set.
    first_model: OnceCell<String>,
}

impl Chat {
    pub fn new(http: Http, settings: ChatSettings) -> Self {
        let source = Source { upstream: settings.upstream, redactor: http.redactor().clone() };
        let vendor = vendor(settings.base_url.host_str().unwrap_or_default());
        let url = endpoint::join(&settings.base_url, vendor.home, "chat/completions");
        Self { http, settings, url, source, vendor, first_model: OnceCell::new() }
    }

    /// With the credential and everything else that each request carries.
    fn authorised(&self, mut request: HttpRequest) -> Result<HttpRequest, ProviderError> {
        request.headers.extend(self.settings.headers.clone());
        match (&self.settings.key, self.vendor.key_header) {
            (Some(key), Some(name)) => request.secret(HeaderName::from_static(name), "", key),
            (Some(key), None) => request.secret(AUTHORIZATION, "Bearer ", key),
            (None, _) => Ok(request),
        }
    }

    /// Local servers have one model or a handful, and their users expect not to have to name it.
    async fn model_for(&self, request: &Request, deadline: Option<Instant>) -> Result<String, ProviderError> {
        if let Some(model) = request.model.as_deref().or(self.settings.default_model.as_deref()) {
            return Ok(model.to_owned());
        }
        let first = self.first_model.get_or_try_init(async || {
            let models = self.list(deadline).await.map_err(endpoint::no_model_known)?;
            models::first(&models).ok_or_else(endpoint::no_model)
        });
        first.await.cloned()
    }

    async fn list(&self, deadline: Option<Instant>) -> Result<Vec<ModelInfo>, ProviderError> {
        let home = endpoint::join(&self.settings.base_url, self.vendor.home, "models");
        let mut list = Vec::new();
        let mut next = Some(home.clone());
        for _ in 0..models::MAX_PAGES {
            let Some(url) = next.take() else { break };
            let answer = self.page(url, deadline).await?;
            let page = models::read(&answer).ok_or_else(|| self.source.misunderstood(&answer.to_string()))?;
            // A server that does not know how it is asked for the next page gives the same one again.
            if models::append(&mut list, page) {
                next = models::next_page(&answer, &home);
            }
        }
        Ok(list)
    }

    async fn page(&self, url: Url, deadline: Option<Instant>) -> Result<Value, ProviderError> {
        let request = self.authorised(HttpRequest::get(url).deadline(deadline))?;
        self.source.ask(&self.http, &request).await
    }
}

/// Reads a recorded answer of `model`: what came of it, and how it ended.
pub fn replay<'a>(
    source: &Source,
    model: &str,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Delta>, Result<(), ProviderError>) {
    reader::replay(Decoder::new(source.clone(), model.to_owned(), HashSet::new()), source.clone(), chunks)
}

/// A request in this dialect for other doors than its own: `host` is the vendor's, by which its oddities are known, and
/// `name` what the model is called there, empty where that is said elsewhere.
pub(super) fn body(request: &Request, model: &str, name: &str, host: &str) -> Vec<u8> {
    encode::body_named(request, model, name, &vendor(host))
}

/// Reads an answer to such a request.
pub(super) fn decoder(source: &Source, model: &str, messages: &[Message]) -> impl Decode + use<> {
    Decoder::new(source.clone(), model.to_owned(), call_ids(messages))
}

/// A list of models, in whatever shape; none if there is no list in it.
pub(super) fn models(answer: &Value) -> Option<Vec<ModelInfo>> {
    models::read(answer)
}

#[async_trait]
impl Provider for Chat {
    fn id(&self) -> &str {
        self.settings.id
    }

    fn default_model(&self) -> Option<&str> {
        let found = || self.first_model.get().map(String::as_str);
        self.settings.default_model.as_deref().or_else(found)
    }

    async fn stream(&self, request: Request) -> Result<DeltaStream, ProviderError> {
        let deadline = call::deadline(&request);
        let model = self.model_for(&request, deadline).await?;
        let body = encode::body(&request, &model, &self.vendor);
        let post = self.authorised(HttpRequest::post_json(self.url.clone(), body).deadline(deadline))?;
        let post = if request.stream { post.uncompressed() } else { post };
        let taken = call_ids(&request.messages);
        let decoder = || Decoder::new(self.source.clone(), model.clone(), taken.clone());
        call::open(&self.http, &self.source, post, request.include_raw, decoder).await
    }

    async fn models(&self) -> Result<Vec<ModelInfo>, ProviderError> {
        self.list(None).await
    }

    fn endpoints(&self) -> Vec<Url> {
        vec![self.url.clone()]
    }
}
