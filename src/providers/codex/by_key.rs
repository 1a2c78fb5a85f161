//! By API key: over Responses, and over chat completions where an endpoint has only that.

use std::sync::atomic::{AtomicBool, Ordering};

use reqwest::header::HeaderMap;
use tokio::time::Instant;
use url::Url;

use crate::config::{CodexApi, Secret};
use crate::model::{DeltaStream, ErrorKind, ModelInfo, Provider, ProviderError, Request};
use crate::providers::chat::{Chat, ChatSettings};
use crate::providers::http::Http;
use crate::providers::responses::{Caller, PUBLIC, Responses};
use crate::providers::upstream::Upstream;

#[derive(Clone, Debug)]
pub struct KeySettings {
    /// The plugin's name.
    pub id: &'static str,
    pub upstream: Upstream,
    pub base_url: Url,
    pub key: Secret,
    pub api: CodexApi,
}

pub struct ByKey {
    key: Secret,
    headers: HeaderMap,
    api: CodexApi,
    responses: Responses,
    chat: Chat,
    /// Found out at the first call that met no Responses API.
    has_only_chat: AtomicBool,
}

impl ByKey {
    pub fn new(http: &Http, settings: KeySettings) -> Self {
        let KeySettings { id, upstream, base_url, key, api } = settings;
        let chat = ChatSettings {
            id,
            upstream,
            base_url: base_url.clone(),
            key: Some(key.clone()),
            headers: HeaderMap::new(),
            default_model: None,
        };
        Self {
            key,
            headers: HeaderMap::new(),
            api,
            responses: Responses::new(http.clone(), &PUBLIC, upstream, base_url),
            chat: Chat::new(http.clone(), chat),
            has_only_chat: AtomicBool::new(false),
        }
    }

    pub(super) async fn stream(
        &self,
        mut request: Request,
        model: &str,
        deadline: Option<Instant>,
    ) -> Result<DeltaStream, ProviderError> {
        if self.speaks_chat() {
            return self.chat.stream(request).await;
        }
        let error = match self.responses.stream(&request, model, self.caller(), deadline).await {
            Err(error) if self.api == CodexApi::Auto && is_not_there(&error) => error,
            result => return result,
        };
        request.timeout = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let result = self.chat.stream(request).await;
        match &result {
            // Neither is there, so the address is wrong, and what was said of that first counts.
            Err(other) if is_not_there(other) => return Err(error),
            Err(other) if other.status.is_none() => {}
            _ => {
                tracing::info!(endpoint = %self.base_url(), "has no Responses API: chat completions are used");
                self.has_only_chat.store(true, Ordering::Relaxed);
            }
        }
        result
    }

    pub(super) async fn models(&self) -> Result<Vec<ModelInfo>, ProviderError> {
        self.responses.models(self.caller()).await
    }

    pub(super) fn base_url(&self) -> &Url {
        self.responses.base_url()
    }

    fn speaks_chat(&self) -> bool {
        self.api == CodexApi::Chat || self.has_only_chat.load(Ordering::Relaxed)
    }

    fn caller(&self) -> Caller<'_> {
        Caller { token: &self.key, headers: &self.headers }
    }
}

/// Whether there is nothing at the address, as against no such model.
fn is_not_there(error: &ProviderError) -> bool {
    matches!(error.status, Some(404 | 405)) && error.kind != ErrorKind::ModelNotFound
}
