//! One call of a model over the app-server: a thread for this question alone, or a turn more in one that is there.
//!
//! Whole turns of Helm's run in the [engine](super::engine) instead. Here nothing is kept and nothing is run: of a turn
//! that wants a tool the calls are given back, and the turn ends.

mod ask;
mod turn;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::time::{Instant, timeout_at};

use super::AppServer;
use super::engine::errors::link_error;
use super::engine::wire::Page;
use crate::model::{Delta, DeltaStream, ErrorKind, Metadata, ModelInfo, Provider, ProviderError, Request};
use turn::Turn;

/// Pages of models; there is one.
const PAGES: usize = 50;

pub struct Chat {
    id: &'static str,
    server: Arc<AppServer>,
    /// As clients see the way.
    path: &'static str,
    /// None for the app-server's own.
    default_model: Option<String>,
    /// How long a turn may say nothing.
    quiet: Duration,
}

impl Chat {
    /// `id` is the plugin's name.
    pub fn new(
        id: &'static str,
        server: Arc<AppServer>,
        (path, default_model): (&'static str, Option<String>),
        quiet: Duration,
    ) -> Self {
        Self { id, server, path, default_model, quiet }
    }

    async fn begin(&self, request: &Request) -> Result<Turn, ProviderError> {
        let model = request.model.as_deref().or(self.default_model.as_deref());
        if let Some(thread) = ask::option(request, "threadId") {
            return self.go_on(request, thread, model).await;
        }
        let (before, asked) = ask::split(&request.messages);
        let mut turn = Turn::start(&self.server, &ask::start(request, model), self.quiet).await?;
        let items = ask::history(before);
        if items.is_empty() && asked.is_empty() {
            return Err(nothing());
        }
        if !items.is_empty() {
            turn.tell(items).await?;
        }
        let params = ask::turn(request, turn.thread(), model, asked, Map::new());
        turn.begin(&params).await?;
        Ok(turn)
    }

    /// In a thread that is there, which knows what was said in it.
    async fn go_on(&self, request: &Request, thread: &str, model: Option<&str>) -> Result<Turn, ProviderError> {
        if !request.tools.is_empty() {
            let message = "a thread has the tools that it was started with: leave out 'tools' or 'threadId'";
            return Err(ProviderError::new(ErrorKind::InvalidRequest, message));
        }
        let asked = ask::latest(&request.messages);
        if asked.is_empty() {
            return Err(nothing());
        }
        let mut turn = Turn::resume(&self.server, thread, self.quiet).await?;
        // Whatever the thread may do: this was no leave for it.
        let mut more = Map::new();
        more.insert("approvalPolicy".to_owned(), json!("untrusted"));
        more.insert("sandboxPolicy".to_owned(), json!({ "type": "readOnly" }));
        if let Some(system) = request.system_text() {
            let context = json!({ "chat": { "kind": "application", "value": system } });
            more.insert("additionalContext".to_owned(), context);
        }
        turn.begin(&ask::turn(request, thread, model, asked, more)).await?;
        Ok(turn)
    }
}

fn nothing() -> ProviderError {
    ProviderError::new(ErrorKind::InvalidRequest, "there is nothing to send: every message is empty")
}

fn late() -> ProviderError {
    ProviderError::new(ErrorKind::Timeout, "the Codex app-server did not answer within the time given")
}

#[async_trait]
impl Provider for Chat {
    fn id(&self) -> &str {
        self.id
    }

    fn default_model(&self) -> Option<&str> {
        self.default_model.as_deref()
    }

    async fn stream(&self, request: Request) -> Result<DeltaStream, ProviderError> {
        let deadline = request.timeout.map(|timeout| Instant::now() + timeout);
        let turn = match deadline {
            Some(deadline) => timeout_at(deadline, self.begin(&request)).await.unwrap_or_else(|_| Err(late()))?,
            None => self.begin(&request).await?,
        };
        let mut metadata = Metadata::from_iter([("path".to_owned(), json!(self.path))]);
        if let Some(thread) = request.options.get("threadId") {
            metadata.insert("threadId".to_owned(), thread.clone());
        }
        let first = [Some(Delta::Metadata(metadata)), turn.model().map(Delta::Model)];
        let deltas = stream::unfold(Some(turn), move |turn| async move {
            let mut turn = turn?;
            let next = match deadline {
                Some(deadline) => timeout_at(deadline, turn.next()).await.unwrap_or_else(|_| Some(Err(late()))),
                None => turn.next().await,
            };
            let next = next?;
            let goes_on = next.is_ok();
            Some((next, goes_on.then_some(turn)))
        });
        Ok(stream::iter(first.into_iter().flatten().map(Ok)).chain(deltas).boxed())
    }

    async fn models(&self) -> Result<Vec<ModelInfo>, ProviderError> {
        let (mut models, mut cursor) = (Vec::new(), Value::Null);
        for _ in 0..PAGES {
            let params = if cursor.is_null() { json!({}) } else { json!({ "cursor": cursor }) };
            let page: Page<Model> = self
                .server
                .link()
                .call("model/list", &params)
                .await
                .map_err(|error| link_error("model/list", &error))?;
            models.extend(page.data.into_iter().filter(|model| !model.hidden).map(Model::info));
            if page.next_cursor.is_null() {
                break;
            }
            cursor = page.next_cursor;
        }
        Ok(models)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Model {
    id: String,
    model: Option<String>,
    display_name: Option<String>,
    #[serde(default)]
    hidden: bool,
}

impl Model {
    fn info(self) -> ModelInfo {
        ModelInfo { id: self.model.unwrap_or(self.id), name: self.display_name, context_window: None }
    }
}
