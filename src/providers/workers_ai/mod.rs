//! Workers AI over REST: the models that run at Cloudflare, each at an address of its own.

mod decode;
mod encode;
mod models;
mod wire;

#[cfg(test)]
mod tests;

use std::collections::HashSet;

use async_trait::async_trait;
use reqwest::header::AUTHORIZATION;
use tokio::time::Instant;
use url::Url;

use super::http::{Http, HttpRequest};
use super::upstream::{Source, Upstream};
use super::{call, reader, retry};
use crate::config::Secret;
use crate::model::{Delta, DeltaStream, ErrorKind, Message, ModelInfo, Provider, ProviderError, Request};
use decode::{Decoder, Hollow};

#[derive(Clone, Debug)]
pub struct WorkersAiSettings {
    /// The plugin's name.
    pub id: &'static str,
    pub upstream: Upstream,
    /// Up to where `/accounts` begins.
    pub base_url: Url,
    pub account: AccountId,
    pub token: Secret,
    pub default_model: String,
}

/// One that stands in a path and leads nowhere else.
#[derive(Clone, Debug, PartialEq)]
pub struct AccountId(String);

impl AccountId {
    pub fn new(id: &str) -> Option<Self> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        (!id.is_empty() && id.bytes().all(fits)).then(|| Self(id.to_owned()))
    }
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
        let mut home = settings.base_url.clone();
        let base = settings.base_url.path().trim_end_matches('/');
        home.set_path(&format!("{base}/accounts/{}/ai", settings.account.0));
        Self { http, settings, home, source }
    }

    fn at(&self, path: &str) -> Url {
        let mut url = self.home.clone();
        url.set_path(&format!("{}/{path}", self.home.path()));
        url
    }

    async fn ask(&self, request: &Request, model: &str, deadline: Option<Instant>) -> Result<DeltaStream, Refusal> {
        let body = encode::body(request, model)?;
        let post = HttpRequest::post_json(self.at(&format!("run/{model}")), body).deadline(deadline);
        let post = post.secret(AUTHORIZATION, "Bearer ", &self.settings.token)?;
        let post = if request.stream { post.uncompressed() } else { post };
        let taken = call_ids(&request.messages);
        let hollow = Hollow::default();
        let decoder = || Decoder::new(self.source.clone(), model.to_owned(), taken.clone(), hollow.clone());
        let answer = call::open(&self.http, &self.source, post, request.include_raw, decoder).await;
        // A refusal is an answer too.
        answer.map_err(|error| Refusal { hollow: error.status.is_none() && hollow.get(), error })
    }

    async fn page(&self, page: usize) -> Result<models::Page, ProviderError> {
        let request = HttpRequest::get(models::page_url(&self.at("models/search"), page));
        let request = request.secret(AUTHORIZATION, "Bearer ", &self.settings.token)?;
        let attempt = async || self.source.json(self.http.send(request.clone()).await?).await;
        let answer = retry::run(self.http.settings().max_retries, None, attempt).await?;
        models::read(&answer, page).ok_or_else(|| self.source.misunderstood(&answer.to_string()))
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
        let deadline = request.timeout.map(|timeout| Instant::now() + timeout);
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
        let mut models: Vec<ModelInfo> = Vec::new();
        for number in 1..=models::MAX_PAGES {
            let page = self.page(number).await?;
            // A server that knows no pages gives the same one again.
            let is_known = |new: &ModelInfo| models.iter().any(|model| model.id == new.id);
            let ends = page.is_last || page.models.iter().any(is_known);
            let new: Vec<ModelInfo> = page.models.into_iter().filter(|new| !is_known(new)).collect();
            models.extend(new);
            if ends {
                break;
            }
        }
        Ok(models)
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

fn call_ids(messages: &[Message]) -> HashSet<String> {
    messages.iter().flat_map(Message::tool_calls).map(|call| call.id.clone()).collect()
}
