//! Which models can be listed. The gateway lists those of the compat door; where it does not, the account lists what
//! runs at Cloudflare. Neither costs a token, and nothing is made up beside them.

use super::doors::{Path, account_url, gateway_url};
use super::headers;
use super::model_id::ModelId;
use super::options::Options;
use super::{Gateway, PER_API, PER_GATEWAY};
use crate::model::{ModelInfo, ProviderError};
use crate::providers::http::HttpRequest;
use crate::providers::upstream::{Source, Upstream};
use crate::providers::{chat, workers_ai};

impl Gateway {
    pub(super) async fn list(&self) -> Result<Vec<ModelInfo>, ProviderError> {
        match self.list_compat().await {
            Err(_) if self.settings.api_token.is_some() => self.list_account().await,
            listed => listed,
        }
    }

    async fn list_compat(&self) -> Result<Vec<ModelInfo>, ProviderError> {
        let request = HttpRequest::get(gateway_url(&self.settings, "compat/models"));
        let request = headers::sign(request, Path::Compat, &self.settings, &Options::default(), None)?;
        let source = self.source(PER_GATEWAY);
        let answer = source.ask(&self.http, &request).await?;
        let models = chat::models(&answer).ok_or_else(|| source.misunderstood(&answer.to_string()))?;
        Ok(models.into_iter().filter(|model| ModelId::for_chat(&model.id).is_ok()).collect())
    }

    async fn list_account(&self) -> Result<Vec<ModelInfo>, ProviderError> {
        let catalogue = account_url(&self.settings, "ai/models/search");
        let sign = |request| headers::on_api(request, &self.settings);
        let models = workers_ai::models::list(&self.http, &self.source(PER_API), &catalogue, sign).await?;
        Ok(models.into_iter().filter_map(hosted).collect())
    }

    pub(super) fn source(&self, upstream: Upstream) -> Source {
        Source { upstream, redactor: self.http.redactor().clone() }
    }
}

/// Under the name that it has here.
fn hosted(model: ModelInfo) -> Option<ModelInfo> {
    let id = ModelId::for_chat(&model.id).ok()?.to_string();
    Some(ModelInfo { id, ..model })
}
