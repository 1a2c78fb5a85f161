//! How a provider fared the last time it was asked.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use crate::model::{DeltaStream, ModelInfo, Provider, ProviderError, Request};

/// Shared between a plugin and the provider that it watches.
#[derive(Clone, Default)]
pub struct Health {
    last: Arc<Mutex<Option<Result<(), String>>>>,
}

impl Health {
    /// None while it has not been asked; the error is one sentence.
    pub fn last(&self) -> Option<Result<(), String>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn watch(&self, inner: Arc<dyn Provider>) -> Arc<dyn Provider> {
        Arc::new(Watched { inner, health: self.clone() })
    }

    fn note<T>(&self, result: &Result<T, ProviderError>) {
        let note = result.as_ref().map(|_| ()).map_err(ToString::to_string);
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(note);
    }
}

struct Watched {
    inner: Arc<dyn Provider>,
    health: Health,
}

#[async_trait]
impl Provider for Watched {
    fn id(&self) -> &str {
        self.inner.id()
    }

    fn default_model(&self) -> Option<&str> {
        self.inner.default_model()
    }

    async fn stream(&self, request: Request) -> Result<DeltaStream, ProviderError> {
        let result = self.inner.stream(request).await;
        self.health.note(&result);
        result
    }

    async fn models(&self) -> Result<Vec<ModelInfo>, ProviderError> {
        let result = self.inner.models().await;
        self.health.note(&result);
        result
    }
}
