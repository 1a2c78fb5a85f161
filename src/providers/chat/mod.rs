//! OpenAI's chat completions, as OpenAI and everybody else speaks them.

mod calls;
mod decode;
mod encode;
mod models;
mod reasoning;
mod usage;
mod vendors;
mod wire;

#[cfg(test)]
mod tests;

use std::collections::HashSet;

use async_trait::async_trait;
use reqwest::header::{AUTHORIZATION, HeaderMap};
use tokio::sync::OnceCell;
use tokio::time::Instant;
use url::Url;

use super::http::{Http, HttpRequest};
use super::upstream::{Source, Upstream};
use super::{call, endpoint, reader, retry};
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
        let url = endpoint::join(&settings.base_url, "chat/completions");
        Self { http, settings, url, source, vendor, first_model: OnceCell::new() }
    }

    /// With the credential and everything else that each request carries.
    fn authorised(&self, mut request: HttpRequest) -> Result<HttpRequest, ProviderError> {
        request.headers.extend(self.settings.headers.clone());
        match &self.settings.key {
            Some(key) => request.secret(AUTHORIZATION, "Bearer ", key),
            None => Ok(request),
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
        let url = endpoint::join(&self.settings.base_url, "models");
        let request = self.authorised(HttpRequest::get(url).deadline(deadline))?;
        let retries = self.http.settings().max_retries;
        let attempt = async || self.source.json(self.http.send(request.clone()).await?).await;
        let answer = retry::run(retries, deadline, attempt).await?;
        models::read(&answer).ok_or_else(|| self.source.misunderstood(&answer.to_string()))
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
        let deadline = request.timeout.map(|timeout| Instant::now() + timeout);
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

fn call_ids(messages: &[Message]) -> HashSet<String> {
    messages.iter().flat_map(Message::tool_calls).map(|call| call.id.clone()).collect()
}
