//! Workers AI over REST: the models that run at Cloudflare, each at an address of its own.

mod decode;
mod encode;
pub(super) mod models;
mod wire;

#[cfg(test)]
mod tests;

use std::collections::HashSet;

use async_trait::async_trait;
use reqwest::header::AUTHORIZATION;
use tokio::time::Instant;
use url::Url;

use super::endpoint::PathId;
use super::history::call_ids;
use super::http::{Http, HttpRequest};
use super::upstream::{Source, Upstream};
use super::{call, endpoint, reader};
use crate::config::Secret;
use crate::model::{Delta, DeltaStream, ErrorKind, ModelInfo, Provider, ProviderError, Request};
use decode::{Decoder, Hollow};

#[derive(Clone, Debug)]
pub struct WorkersAiSettings {
    /// The plugin's name.
    pub id: &'static str,
    pub upstream: Upstream,
    /// Up to where `/accounts` begins.
    pub base_url: Url,
    pub account: PathId,
    pub token: Secret,
    pub default_model: String,
}

pub struct WorkersAi {
    http: Http,
    settings: WorkersAiSettings,
    /// The account's `/ai`.
    home: Url,
    source: Source,
}

impl WorkersAi {
    pub fn new(http: Http, settings: WorkersAiSettings) -> Self {
        let source = Source { upstream: settings.upstream, redactor: http.redactor().clone() };
        let home = endpoint::below(&settings.base_url, ["accounts", settings.account.as_str(), "ai"]);
        Self { http, settings, home, source }
    }

    fn at(&self, path: &str) -> Url {
        endpoint::below(&self.home, path.split('/'))
    }

    async fn ask(&self, request: &Request, model: &str, deadline: Option<Instant>) -> Result<DeltaStream, Refusal> {
        let body = encode::body(request, model)?;
        let post = HttpRequest::post_json(self.at(&format!("run/{model}")), body).deadline(deadline);
        let post = self.authorised(post)?;
        let post = if request.stream { post.uncompressed() } else { post };
        let taken = call_ids(&request.messages);
        let hollow = Hollow::default();
        let decoder = || Decoder::new(self.source.clone(), model.to_owned(), taken.clone(), hollow.clone());
        let answer = call::open(&self.http, &self.source, post, request.include_raw, decoder).await;
        // A refusal is an answer too.
        answer.map_err(|error| Refusal { hollow: error.status.is_none() && hollow.get(), error })
    }

    fn authorised(&self, request: HttpRequest) -> Result<HttpRequest, ProviderError> {
        request.secret(AUTHORIZATION, "Bearer ", &self.settings.token)
    }
}

struct Refusal {
    error: ProviderError,
    /// There was an answer, and nothing in it.
    hollow: bool,
}

impl From<ProviderError> for Refusal {
    fn from(error: ProviderError) -> Self {
        Self { error, hollow: false }
    }
}

/// Reads a recorded answer of `model`: what came of it, and how it ended.
pub fn replay<'a>(
    source: &Source,
    model: &str,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Delta>, Result<(), ProviderError>) {
    let decoder = Decoder::new(source.clone(), model.to_owned(), HashSet::new(), Hollow::default());
    reader::replay(decoder, source.clone(), chunks)
}

#[async_trait]
impl Provider for WorkersAi {
    fn id(&self) -> &str {
        self.settings.id
    }

    fn default_model(&self) -> Option<&str> {
        Some(&self.settings.default_model)
    }

    async fn stream(&self, request: Request) -> Result<DeltaStream, ProviderError> {
        let deadline = call::deadline(&request);
        let model = checked(request.model.as_deref().unwrap_or(&self.settings.default_model))?;
        let refusal = match self.ask(&request, model, deadline).await {
            Ok(answer) => return Ok(answer),
            Err(refusal) => refusal,
        };
        if !request.stream || !refusal.hollow {
            return Err(refusal.error);
        }
        // Some models know no stream, and answer one that is asked for with nothing.
        let whole = Request { stream: false, ..request.clone() };
        self.ask(&whole, model, deadline).await.map_err(|refusal| refusal.error)
    }

    async fn models(&self) -> Result<Vec<ModelInfo>, ProviderError> {
        let sign = |request| self.authorised(request);
        models::list(&self.http, &self.source, &self.at("models/search"), sign).await
    }

    fn endpoints(&self) -> Vec<Url> {
        vec![self.home.clone()]
    }
}

/// A model's name is a part of the address; it must not lead to another.
fn checked(model: &str) -> Result<&str, ProviderError> {
    let name = match model.split_once('/') {
        Some((plugin, name)) if plugin.eq_ignore_ascii_case("workers-ai") => name,
        _ => model,
    };
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'@' | b'.' | b'-' | b'_' | b':');
    let is_part = |part: &str| part.bytes().all(fits) && part.bytes().any(|byte| byte != b'.');
    if name.split('/').all(is_part) {
        return Ok(name);
    }
    let message = format!("'{}' is no name of a model of Workers AI", name.escape_debug());
    Err(ProviderError::new(ErrorKind::ModelNotFound, message).with_hint("their names are like @cf/author/model"))
}
