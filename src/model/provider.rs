//! The port behind which every path to a model stands.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use serde_json::{Map, Value};
use url::Url;

use super::{Delta, Message, ProviderError, ToolChoice, ToolSpec};

pub type DeltaStream = BoxStream<'static, Result<Delta, ProviderError>>;

/// One call of a model.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Without one the provider's default is used.
    pub model: Option<String>,
    pub system: Option<String>,
    pub messages: Vec<Message>,
    /// Shared, for they are many and the same in every call.
    pub tools: Arc<[ToolSpec]>,
    pub tool_choice: ToolChoice,
    pub max_tokens: Option<u32>,
    pub temperature: Option<f64>,
    /// Whether to ask upstream for a stream. The deltas are of the same kind either way.
    pub stream: bool,
    /// Whether calls that begin alike are likely to follow within minutes, so that a vendor's cache is worth its price.
    pub goes_on: bool,
    /// The whole call, retries included, ends by then.
    pub timeout: Option<Duration>,
    /// What only one provider understands, by the camelCase names of its chat skill; others pass over it.
    pub options: Map<String, Value>,
    /// Whether an answer that is no stream is also kept as it came: the metadata then has it as `response`.
    pub include_raw: bool,
}

impl Request {
    /// The system prompt, if it says anything: vendors refuse one that does not.
    pub fn system_text(&self) -> Option<&str> {
        self.system.as_deref().filter(|system| !system.trim().is_empty())
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct ModelInfo {
    pub id: String,
    pub name: Option<String>,
    /// Tokens, input and output together.
    pub context_window: Option<u64>,
}

#[async_trait]
pub trait Provider: Send + Sync {
    /// The plugin's name.
    fn id(&self) -> &str;

    /// What is used when a request names no model; none if the provider has no default.
    fn default_model(&self) -> Option<&str>;

    /// Starts one call. Dropping the future or the stream aborts it upstream.
    /// Retries happen in here, before the first delta and never after it.
    async fn stream(&self, request: Request) -> Result<DeltaStream, ProviderError>;

    async fn models(&self) -> Result<Vec<ModelInfo>, ProviderError>;

    /// How many tokens the request would cost as input, if the vendor can say. Costs none.
    async fn count_tokens(&self, _request: Request) -> Result<Option<u64>, ProviderError> {
        Ok(None)
    }

    /// Why it cannot be asked just now although it is set up, and what to do about it: nobody is signed in, say.
    fn lack(&self) -> Option<String> {
        None
    }

    /// Where its calls go, for those who keep the way there open.
    fn endpoints(&self) -> Vec<Url> {
        Vec::new()
    }
}
