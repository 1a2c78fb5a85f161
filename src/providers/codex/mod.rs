//! OpenAI's models, by API key or by the tokens of a ChatGPT subscription: who asks, and how it is shown to the endpoint.
//! What is said there is the dialect's affair, see `providers/responses` and `providers/chat`.

mod auth_file;
mod by_key;
mod by_tokens;
mod claims;
pub mod sign_in;
mod tokens;

#[cfg(test)]
mod tests;

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream;
use serde_json::{Value, json};
use url::Url;

use super::call;
use crate::model::{Delta, DeltaStream, Metadata, ModelInfo, Provider, ProviderError, Request};

pub use auth_file::{Login, read as read_login};
pub use by_key::{ByKey, KeySettings};
pub use by_tokens::ByTokens;
pub use tokens::{CliLogin, Owner, TokenSource, Tokens};

#[cfg(test)]
pub(crate) use claims::token_of;

pub struct Codex {
    id: &'static str,
    access: Access,
    default_model: String,
}

/// How it is let in.
#[expect(clippy::large_enum_variant, reason = "there is one of it, on the heap with its provider")]
pub enum Access {
    ApiKey(ByKey),
    ChatGptTokens(ByTokens),
}

impl Access {
    /// As clients see it.
    pub fn mode(&self) -> &'static str {
        match self {
            Self::ApiKey(_) => "api-key",
            Self::ChatGptTokens(_) => "chatgpt-tokens",
        }
    }
}

impl Codex {
    /// `id` is the plugin's name.
    pub fn new(id: &'static str, access: Access, default_model: String) -> Self {
        Self { id, access, default_model }
    }

    pub fn access(&self) -> &Access {
        &self.access
    }

    pub fn base_url(&self) -> &Url {
        match &self.access {
            Access::ApiKey(by_key) => by_key.base_url(),
            Access::ChatGptTokens(by_tokens) => by_tokens.base_url(),
        }
    }

    /// How much of the subscription is used up, as it was told last.
    pub fn rate_limits(&self) -> Option<Value> {
        match &self.access {
            Access::ApiKey(_) => None,
            Access::ChatGptTokens(by_tokens) => by_tokens.rate_limits(),
        }
    }
}

#[async_trait]
impl Provider for Codex {
    fn id(&self) -> &str {
        self.id
    }

    fn default_model(&self) -> Option<&str> {
        Some(&self.default_model)
    }

    async fn stream(&self, mut request: Request) -> Result<DeltaStream, ProviderError> {
        let deadline = call::deadline(&request);
        let model = request.model.get_or_insert_with(|| self.default_model.clone()).clone();
        let deltas = match &self.access {
            Access::ApiKey(by_key) => by_key.stream(request, &model, deadline).await?,
            Access::ChatGptTokens(by_tokens) => by_tokens.stream(&request, &model, deadline).await?,
        };
        let path = Metadata::from_iter([("path".to_owned(), json!(self.access.mode()))]);
        Ok(stream::iter([Ok(Delta::Metadata(path))]).chain(deltas).boxed())
    }

    async fn models(&self) -> Result<Vec<ModelInfo>, ProviderError> {
        match &self.access {
            Access::ApiKey(by_key) => by_key.models().await,
            Access::ChatGptTokens(by_tokens) => by_tokens.models().await,
        }
    }

    fn endpoints(&self) -> Vec<Url> {
        vec![self.base_url().clone()]
    }

    fn lack(&self) -> Option<String> {
        let Access::ChatGptTokens(by_tokens) = &self.access else { return None };
        let ProviderError { message, hint, .. } = by_tokens.tokens().lack()?;
        Some(format!("{message}: {}", hint.unwrap_or_default()))
    }
}
