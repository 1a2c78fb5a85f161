//! OpenAI's Responses API, in public and behind ChatGPT subscriptions.
//!
//! Who asks, and with what credential, is the caller's affair: see `providers/codex`.

mod calls;
mod decode;
mod encode;
mod item;
mod items;
mod limits;
mod models;
mod profile;
mod thread;
mod wire;

#[cfg(test)]
mod tests;

use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use tokio::time::Instant;
use url::Url;

use super::http::{Http, HttpRequest};
use super::upstream::{Source, Upstream};
use super::{call, endpoint, reader};
use crate::config::Secret;
use crate::model::{Delta, DeltaStream, ModelInfo, ProviderError, Request};
use decode::{Asked, Decoder};
use item::Binding;
use limits::Limits;

pub use profile::{CHATGPT, CLIENT_VERSION, PUBLIC, Profile};

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    pub token: &'a Secret,
    /// What is sent beside it.
    pub headers: &'a HeaderMap,
}

/// One endpoint.
pub struct Responses {
    http: Http,
    profile: &'static Profile,
    /// Up to where `/responses` begins.
    base_url: Url,
    source: Source,
    limits: Limits,
}

impl Responses {
    pub fn new(http: Http, profile: &'static Profile, upstream: Upstream, base_url: Url) -> Self {
        let source = Source { upstream, redactor: http.redactor().clone() };
        Self { http, profile, base_url, source, limits: Limits::default() }
    }

    /// Starts one call of `model`. Dropping the future or the stream aborts it upstream.
    pub async fn stream(
        &self,
        request: &Request,
        model: &str,
        caller: Caller<'_>,
        deadline: Option<Instant>,
    ) -> Result<DeltaStream, ProviderError> {
        let thread = thread::of(request, model);
        let body = encode::body(request, model, self.profile, &thread)?;
        let url = endpoint::join(&self.base_url, "/v1", "responses");
        let mut post = self.authorised(HttpRequest::post_json(url, body).deadline(deadline), caller)?;
        for name in self.profile.thread_headers {
            let value = HeaderValue::try_from(&thread).expect("a name of digits and hyphens");
            post = post.header(HeaderName::from_static(name), value);
        }
        if request.stream || self.profile.only_streams {
            post = post.header(ACCEPT, HeaderValue::from_static("text/event-stream")).uncompressed();
        }
        let asked = Asked::by(request, self.profile.only_streams);
        let binding = Binding { dialect: self.profile.dialect, model: model.to_owned() };
        let decoder = || Decoder::new(self.source.clone(), binding.clone(), asked.clone(), self.limits.clone());
        call::open(&self.http, &self.source, post, request.include_raw, decoder).await
    }

    pub async fn models(&self, caller: Caller<'_>) -> Result<Vec<ModelInfo>, ProviderError> {
        let mut url = endpoint::join(&self.base_url, "/v1", "models");
        if !self.profile.models_query.is_empty() {
            url.query_pairs_mut().extend_pairs(self.profile.models_query);
        }
        let request = self.authorised(HttpRequest::get(url), caller)?;
        let answer = self.source.ask(&self.http, &request).await?;
        models::read(&answer).ok_or_else(|| self.source.misunderstood(&answer.to_string()))
    }

    /// How much of the subscription is used up, as it was told last.
    pub fn rate_limits(&self) -> Option<Value> {
        self.limits.last()
    }

    pub fn base_url(&self) -> &Url {
        &self.base_url
    }

    fn authorised(&self, mut request: HttpRequest, caller: Caller<'_>) -> Result<HttpRequest, ProviderError> {
        request.headers.extend(caller.headers.clone());
        request.secret(AUTHORIZATION, "Bearer ", caller.token)
    }
}

/// Reads a recorded answer of `model`: what came of it, and how it ended.
pub fn replay<'a>(
    source: &Source,
    model: &str,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Delta>, Result<(), ProviderError>) {
    let binding = Binding { dialect: PUBLIC.dialect, model: model.to_owned() };
    let decoder = Decoder::new(source.clone(), binding, Asked::default(), Limits::default());
    reader::replay(decoder, source.clone(), chunks)
}
