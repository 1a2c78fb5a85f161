//! Which models can be listed. The gateway lists those of the compat door; where it does not, the account lists what
//! runs at Cloudflare. Neither costs a token, and nothing is made up beside them.

use serde_json::Value;
use tokio::time::Instant;

use super::doors::{Path, account_url, gateway_url};
use super::headers;
use super::model_id::ModelId;
use super::options::Options;
use super::{Gateway, PER_API, PER_GATEWAY};
use crate::model::{ModelInfo, ProviderError};
use crate::providers::http::HttpRequest;
use crate::providers::upstream::{Source, Upstream};
use crate::providers::{chat, retry};

const PAGE_SIZE: usize = 100;
/// More pages than this are a server that turns in circles.
const MAX_PAGES: usize = 10;

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
        let answer = self.get(request, PER_GATEWAY).await?;
        let models =
            chat::models(&answer).ok_or_else(|| self.source(PER_GATEWAY).misunderstood(&answer.to_string()))?;
        Ok(models.into_iter().filter(|model| ModelId::for_chat(&model.id).is_ok()).collect())
    }

    async fn list_account(&self) -> Result<Vec<ModelInfo>, ProviderError> {
        let mut models = Vec::new();
        for page in 1..=MAX_PAGES {
            let mut url = account_url(&self.settings, "ai/models/search");
            let pairs = [("task", "Text Generation".to_owned()), ("per_page", PAGE_SIZE.to_string())];
            url.query_pairs_mut().extend_pairs(pairs).append_pair("page", &page.to_string());
            let answer = self.get(headers::on_api(HttpRequest::get(url), &self.settings)?, PER_API).await?;
            let rows = answer["result"].as_array();
            let rows = rows.ok_or_else(|| self.source(PER_API).misunderstood(&answer.to_string()))?;
            models.extend(rows.iter().filter_map(hosted));
            if rows.len() < PAGE_SIZE {
                break;
            }
        }
        Ok(models)
    }

    async fn get(&self, request: HttpRequest, upstream: Upstream) -> Result<Value, ProviderError> {
        let source = self.source(upstream);
        let attempt = async || source.json(self.http.send(request.clone()).await?).await;
        retry::run(self.http.settings().max_retries, None::<Instant>, attempt).await
    }

    pub(super) fn source(&self, upstream: Upstream) -> Source {
        Source { upstream, redactor: self.http.redactor().clone() }
    }
}

fn hosted(row: &Value) -> Option<ModelInfo> {
    let id = ModelId::for_chat(row["name"].as_str()?).ok()?.to_string();
    let properties = row["properties"].as_array().into_iter().flatten();
    let mut windows = properties.filter(|property| property["property_id"] == "context_window");
    let window = windows.find_map(|window| match &window["value"] {
        Value::String(text) => text.parse().ok(),
        value => value.as_u64(),
    });
    Some(ModelInfo { id, name: None, context_window: window })
}
